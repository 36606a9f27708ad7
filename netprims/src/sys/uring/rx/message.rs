//! How a message lies in its slot: what the kernel says of it, where it came from, its control messages, its bytes.
//!
//! A multishot request has the kernel write all of it (`struct io_uring_recvmsg_out` and what follows). For a request that
//! names a slot, the header that `recvmsg` reads and writes lies in the slot too, so that it lives as long as the slot is
//! lent; when the request is over, what it says is written down as a multishot request would have.

use std::mem::{offset_of, size_of};
use std::ptr::NonNull;

use super::area::Taken;
use super::slots::Slots;
#[cfg(test)]
use crate::sys::defect::{Defect, seeded};

/// `struct io_uring_recvmsg_out`: lengths of the name, of the control messages, of the bytes, and flags, of four bytes each.
/// Source: `include/uapi/linux/io_uring.h`.
const OUT: usize = 16;

/// Room for an address: the longest, a `struct sockaddr_un`, has 110 bytes.
const NAME: usize = 112;

/// Room for control messages: all that the options of UDP sockets add, at once, take about 400 bytes.
const CONTROL: usize = 512;

/// How many bytes of a slot are not the message's own, at most.
const HEAD: usize = OUT + NAME + CONTROL;

/// The same, for lengths of slots.
pub(crate) const HEADROOM: u32 = 640;
const _: () = assert!(HEAD == 640 && HEADROOM == 640);

/// What `recvmsg` reads and writes stands at the end of the head, in place of the last control messages.
const HEADER: usize = HEAD - size_of::<libc::msghdr>();
const RANGE: usize = HEADER - size_of::<libc::iovec>();

/// Where the parts of a message are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Layout {
    /// Where its bytes begin.
    head: u16,
    /// How many bytes of control messages there is room for.
    control: u16,
}

/// What a multishot request reads: how much room there is for the name and for control messages.
#[repr(transparent)]
pub(crate) struct Template(libc::msghdr);

// SAFETY: its pointers are null: it is numbers.
unsafe impl Send for Template {}

// SAFETY: as above.
unsafe impl Sync for Template {}

/// What the kernel says of a message, as far as the memory goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Head<'a> {
    /// The address it came from; nothing if there is none.
    pub(crate) name: &'a [u8],
    pub(crate) control: &'a [u8],
    /// How long it was before it was cut.
    pub(crate) len: u32,
    /// The rest was thrown away.
    pub(crate) data_cut: bool,
    /// The kernel had more control messages than it delivered.
    pub(crate) control_cut: bool,
}

impl Layout {
    /// Of a message that a ring of buffers has a slot for. Without `control` there is no room for control messages, with
    /// which a Unix socket would bring descriptors.
    pub(crate) fn shown(control: bool) -> Self {
        let control = if control { CONTROL } else { 0 };
        Self::new(OUT + NAME + control, control)
    }

    /// Of a message whose request names the slot.
    pub(crate) fn named(control: bool) -> Self {
        let control = if control { RANGE - OUT - NAME } else { 0 };
        Self::new(HEAD, control)
    }

    fn new(head: usize, control: usize) -> Self {
        // Both are at most HEAD.
        let number = |number: usize| u16::try_from(number).unwrap_or(0);
        Self {
            head: number(head),
            control: number(control),
        }
    }

    /// How many bytes stand before those of the message.
    pub(crate) fn head(self) -> u32 {
        self.head.into()
    }

    pub(crate) fn template(self) -> Template {
        let mut header = empty();
        header.msg_namelen = count(NAME);
        header.msg_controllen = count(usize::from(self.control));
        Template(header)
    }

    /// A claim to all the kernel wrote as one to the message's bytes, of which a slot has at most `most`.
    pub(crate) fn divide(self, taken: Taken, most: u32) -> Taken {
        #[cfg(test)]
        if seeded(Defect::TakeTheHead) {
            return taken.at_most(most);
        }
        taken.behind(self.head).at_most(most)
    }
}

impl Slots {
    /// Lends a slot for one message, and writes what `recvmsg` reads into it: the slot, and the address of the header.
    pub(crate) fn lend_for_message(
        &mut self,
        layout: Layout,
    ) -> Option<(u32, NonNull<libc::msghdr>)> {
        let room = usize::try_from(self.area().slot_len()).ok()?;
        let room = room.checked_sub(HEAD)?;
        let (slot, start) = self.lend()?;
        let at = |offset: usize| {
            // SAFETY: the offset is at most HEAD, which is no more than the slot's length (checked above), so the place is in
            // the slot or right behind it, inside the one mapping that the slot is a part of.
            unsafe { start.add(offset) }
        };
        let range = at(RANGE).cast::<libc::iovec>();
        let bytes = libc::iovec {
            iov_base: at(HEAD).as_ptr().cast(),
            iov_len: room,
        };
        // SAFETY: the range lies in the slot, which is writable, is read by nobody (`lend`), and is not the kernel's yet:
        // no request names it. No alignment is needed.
        unsafe { range.write_unaligned(bytes) };
        let mut header = empty();
        header.msg_name = at(OUT).as_ptr().cast();
        header.msg_namelen = count(NAME);
        header.msg_iov = range.as_ptr();
        header.msg_iovlen = count(1);
        if layout.control != 0 {
            header.msg_control = at(OUT + NAME).as_ptr().cast();
            header.msg_controllen = count(usize::from(layout.control));
        }
        let place = at(HEADER).cast::<libc::msghdr>();
        // The head is read as bytes, and a header has some that are no field's, which writing it as a whole would leave
        // open: so they are written, and then each field.
        // SAFETY: as for the range.
        unsafe {
            place
                .cast::<[u8; size_of::<libc::msghdr>()]>()
                .write_bytes(0, 1)
        };
        macro_rules! write_field {
            ($field:ident) => {
                // SAFETY: as for the range; the field lies within the header.
                unsafe { write_to(at(HEADER + offset_of!(libc::msghdr, $field)), header.$field) }
            };
        }
        write_field!(msg_name);
        write_field!(msg_namelen);
        write_field!(msg_iov);
        write_field!(msg_iovlen);
        write_field!(msg_control);
        write_field!(msg_controllen);
        Some((slot, place))
    }

    /// Writes down, at the start of a slot, what `recvmsg` said of the message in it, of that many bytes.
    ///
    /// # Safety
    ///
    /// The slot was lent by [`lend_for_message`](Slots::lend_for_message), and the request that names it is over.
    pub(in crate::sys::uring) unsafe fn write_down(&mut self, slot: u32, layout: Layout, len: u32) {
        let is_unread = self.is_unread(slot);
        let Some(start) = self.area().address(slot).filter(|_| is_unread) else {
            return;
        };
        // SAFETY: HEADER is less than the length of a slot that was lent so (the caller's promise).
        let header = unsafe { start.add(HEADER) }.cast::<libc::msghdr>();
        // SAFETY: a header was written there when the slot was lent, and the kernel wrote numbers into it since: it is a value
        // of its type. The kernel is done with it (the caller's promise), and no alignment is needed.
        let header = unsafe { header.read_unaligned() };
        let name = header.msg_namelen;
        let control = header.msg_controllen.min(layout.control.into());
        let control = u32::try_from(control).unwrap_or(0);
        let flags = header.msg_flags.to_ne_bytes();
        let out = [name, control, len, u32::from_ne_bytes(flags)];
        // SAFETY: the first bytes of a slot of at least HEAD bytes; the kernel is done with it, and nobody reads it: no claim to
        // it is out (`is_unread`), and to make one the slots are borrowed exclusively, as they are here.
        unsafe { start.cast::<[u32; 4]>().write_unaligned(out) };
    }
}

impl<'a> Head<'a> {
    /// What a head says; `None` if it is not one. A length beyond what there is room for counts as far as the memory goes,
    /// and a name of such a length, which was cut, as none.
    pub(crate) fn of(head: &'a [u8]) -> Option<Self> {
        let (out, rest) = head.split_at_checked(OUT)?;
        let (name, control) = rest.split_at_checked(NAME)?;
        let number = |nth: usize| {
            let bytes = out.get(nth * 4..)?.first_chunk::<4>()?;
            Some(u32::from_ne_bytes(*bytes))
        };
        let (name_len, control_len, len, flags) = (number(0)?, number(1)?, number(2)?, number(3)?);
        let flags = i32::from_ne_bytes(flags.to_ne_bytes());
        let control_len = to_usize(control_len).min(control.len());
        Some(Self {
            name: name.get(..to_usize(name_len)).unwrap_or_default(),
            control: control.get(..control_len).unwrap_or_default(),
            len,
            data_cut: flags & libc::MSG_TRUNC != 0,
            control_cut: flags & libc::MSG_CTRUNC != 0,
        })
    }
}

fn empty() -> libc::msghdr {
    // SAFETY: a plain C struct of pointers and numbers: all zeroes is a value of it.
    unsafe { std::mem::zeroed() }
}

/// As the C library counts: musl has other types than glibc.
/// # Safety
///
/// The bytes of a `T` from `place` on can be written, and nobody reads them.
unsafe fn write_to<T>(place: NonNull<u8>, value: T) {
    // SAFETY: the caller's promise; no alignment is needed.
    unsafe { place.cast::<T>().write_unaligned(value) };
}

fn count<T: TryFrom<usize> + Default>(number: usize) -> T {
    T::try_from(number).unwrap_or_default()
}

fn to_usize(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::memory::{Mapping, Shape};
    use proptest::prelude::*;
    use rstest::rstest;

    const LEN: u32 = HEADROOM + 100;

    fn slots() -> Slots {
        let shape = Shape::new(2, LEN).unwrap();
        Slots::new(Mapping::anonymous(shape.bytes()).unwrap(), shape)
    }

    fn out(numbers: [u32; 4]) -> Vec<u8> {
        let mut head: Vec<u8> = numbers.into_iter().flat_map(u32::to_ne_bytes).collect();
        head.resize(HEAD, 0xab);
        head
    }

    #[rstest]
    #[case::nothing([0, 0, 0, 0], (0, 0), (false, false))]
    #[case::all([112, 512, 7, 0], (112, 512), (false, false))]
    #[case::a_name_that_was_cut([113, 0, 7, 0], (0, 0), (false, false))]
    #[case::more_than_there_is([u32::MAX; 4], (0, 512), (true, true))]
    #[case::cut([16, 16, 7, 0x20], (16, 16), (true, false))]
    #[case::control_cut([16, 16, 7, 0x8], (16, 16), (false, true))]
    fn a_head_is_believed_as_far_as_the_memory_goes(
        #[case] numbers: [u32; 4],
        #[case] lens: (usize, usize),
        #[case] cut: (bool, bool),
    ) {
        let head = out(numbers);
        let told = Head::of(&head).unwrap();
        assert_eq!((told.name.len(), told.control.len()), lens);
        assert_eq!((told.data_cut, told.control_cut), cut);
        assert_eq!(told.len, numbers[2]);
    }

    proptest! {
        #[test]
        fn whatever_a_head_says_is_within_it(
            numbers: [u32; 4],
            small in prop::array::uniform4(0..700_u32),
            is_small: [bool; 4],
            len in 0..700_usize,
        ) {
            let mut chosen = numbers;
            for (nth, is_small) in is_small.into_iter().enumerate() {
                if is_small {
                    chosen[nth] = small[nth];
                }
            }
            let mut head = out(chosen);
            head.resize(len, 0xab);
            let range = head.as_ptr_range();
            let is_within = |part: &[u8]| {
                let part = part.as_ptr_range();
                part.start == part.end || (range.start <= part.start && part.end <= range.end)
            };
            let told = Head::of(&head);
            prop_assert_eq!(told.is_some(), len >= OUT + NAME);
            if let Some(told) = told {
                prop_assert!(is_within(told.name) && is_within(told.control));
            }
        }
    }

    /// The parts of a request's header, as places in its slot.
    #[rstest]
    #[case::with_control(true, Some((128, 440)))]
    #[case::without(false, None)]
    fn a_header_names_parts_of_its_slot(
        #[case] control: bool,
        #[case] want: Option<(usize, usize)>,
    ) {
        let mut slots = slots();
        let layout = Layout::named(control);
        let (slot, header) = slots.lend_for_message(layout).unwrap();
        let start = slots.area().address(slot).unwrap().as_ptr().addr();
        // SAFETY: it was written in the line above, and there is no kernel here.
        let header = unsafe { header.read_unaligned() };
        // SAFETY: as above.
        let range = unsafe { header.msg_iov.read_unaligned() };
        assert_eq!(
            (header.msg_name.addr() - start, header.msg_namelen),
            (16, 112)
        );
        assert_eq!((range.iov_base.addr() - start, range.iov_len), (640, 100));
        assert_eq!(header.msg_iovlen, 1);
        let control = (!header.msg_control.is_null())
            .then(|| (header.msg_control.addr() - start, header.msg_controllen));
        assert_eq!(control, want);
        // Neither reaches what the kernel reads of the header.
        assert!(HEADER + size_of::<libc::msghdr>() == HEAD && 128 + 440 <= RANGE);
        // SAFETY: there is no kernel here.
        unsafe { slots.release(slot) };
    }

    #[test]
    fn what_a_header_says_is_written_down_as_far_as_there_is_room() {
        let mut slots = slots();
        for (said, control, want) in [(440, true, 440), (441, true, 440), (3, false, 0)] {
            let layout = Layout::named(control);
            let (slot, header) = slots.lend_for_message(layout).unwrap();
            // SAFETY: as the kernel would, for which the slot is lent.
            let mut told = unsafe { header.read_unaligned() };
            told.msg_namelen = 16;
            told.msg_controllen = said;
            told.msg_flags = libc::MSG_TRUNC;
            // SAFETY: as above.
            unsafe { header.write_unaligned(told) };
            // SAFETY: lent so, and there is no request.
            unsafe { slots.write_down(slot, layout, 5000) };
            // SAFETY: as above.
            let taken = unsafe { slots.take(slot, 0, LEN) }.unwrap();
            let taken = layout.divide(taken, 100);
            let head = Head::of(slots.area().head(&taken)).unwrap();
            assert_eq!((head.name.len(), head.control.len()), (16, want));
            assert_eq!((head.len, head.data_cut), (5000, true));
            assert_eq!(slots.area().bytes(&taken).len(), 100);
            // Written down once: somebody reads it.
            // SAFETY: as above.
            unsafe { slots.write_down(slot, layout, 1) };
            assert_eq!(Head::of(slots.area().head(&taken)).unwrap().len, 5000);
            slots.give_back(taken);
            // SAFETY: as above.
            unsafe { slots.release(slot) };
        }
        assert_eq!(slots.free(), 2);
    }

    #[test]
    fn a_claim_of_fewer_bytes_than_a_head_has_none() {
        let mut slots = slots();
        let (slot, _) = slots.lend().unwrap();
        let layout = Layout::shown(true);
        for (len, want) in [
            (0, (0, 0)),
            (639, (0, 100)),
            (640, (640, 0)),
            (641, (640, 1)),
        ] {
            // SAFETY: there is no kernel here.
            let taken = unsafe { slots.take(slot, 0, len) }.unwrap();
            let taken = layout.divide(taken, 100);
            let area = slots.area();
            assert_eq!((area.head(&taken).len(), area.bytes(&taken).len()), want);
            slots.give_back(taken);
        }
        // SAFETY: as above.
        unsafe { slots.release(slot) };
    }

    #[test]
    fn a_slot_without_room_is_not_lent() {
        let shape = Shape::new(1, HEADROOM - 1).unwrap();
        let mut slots = Slots::new(Mapping::anonymous(shape.bytes()).unwrap(), shape);
        assert!(slots.lend_for_message(Layout::named(true)).is_none());
        assert_eq!(slots.free(), 1);
    }
}
