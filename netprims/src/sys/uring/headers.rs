use std::io;
use std::mem::{ManuallyDrop, size_of};
use std::num::{NonZeroU16, NonZeroUsize};
use std::ptr::{self, NonNull};

use super::kernel::Destination;
use crate::sys::datagrams::control::Writer;
use crate::sys::memory::{Lent, Mapping, count_leaked};

/// Most buffers of one message.
pub(crate) const MOST_BUFFERS: usize = 16;

/// What `sendmsg` reads besides the bytes themselves: a header, and the ranges it names. They lie where they never move,
/// since the kernel reads them by address when it takes the request.
///
/// # Invariants
///
/// The mapping has `count` entries. Each is in `free`, or owned by the one [`Header`] that was taken for it.
pub(super) struct Headers {
    /// Kept for good if not all entries are free in the end. `None` if there was no memory.
    mapping: Option<ManuallyDrop<Mapping>>,
    free: Vec<NonNull<Entry>>,
    count: usize,
    is_short: bool,
}

/// The header and the ranges of one request, with one owner. Dropping it instead of giving it back leaks the whole table,
/// counted.
///
/// # Invariants
///
/// `entry` points to an entry of a table that stays mapped until it was given back, and nobody else has it.
#[derive(Debug)]
pub(super) struct Header {
    entry: NonNull<Entry>,
}

/// All zeroes is a value of it.
#[repr(C)]
struct Entry {
    header: libc::msghdr,
    ranges: [libc::iovec; MOST_BUFFERS],
    control: [usize; WORDS],
}

/// How a message goes, besides its bytes.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Manner {
    /// Where to, if not to the connected peer. Its memory is the caller's to keep.
    pub(super) to: Option<Destination>,
    /// The size of the datagrams it is cut into, if it is.
    pub(super) segment: Option<NonZeroU16>,
}

/// Room for one control message with a number of two bytes: `CMSG_SPACE(2)`.
const WORDS: usize = CONTROL / size_of::<usize>();
const CONTROL: usize = (size_of::<libc::cmsghdr>() + 2).next_multiple_of(size_of::<usize>());

// SAFETY: it owns its entries, which lie in its own mapping; a mapping belongs to no thread, and the kernel reads entries
// whichever thread has them.
unsafe impl Send for Headers {}

// SAFETY: through a shared reference no entry is reached.
unsafe impl Sync for Headers {}

impl Headers {
    /// A table for so many requests at a time. Without memory, it has room for none, and [is short](Headers::is_short).
    pub(super) fn new(count: u32) -> Self {
        Self::mapped(count, Mapping::anonymous)
    }

    /// The same with memory from elsewhere.
    pub(super) fn mapped(
        count: u32,
        map: impl FnOnce(NonZeroUsize) -> io::Result<Mapping>,
    ) -> Self {
        let mut table = Self {
            mapping: None,
            free: Vec::new(),
            count: 0,
            is_short: false,
        };
        let count = usize::try_from(count).unwrap_or(0);
        let bytes = count.checked_mul(size_of::<Entry>());
        let Some(bytes) = bytes.and_then(NonZeroUsize::new) else {
            return table;
        };
        let Ok(mapping) = map(bytes) else {
            table.is_short = true;
            return table;
        };
        let first = mapping.base().cast::<Entry>();
        // The lowest is on top: what is never needed is never touched, and takes no memory.
        table.free.extend((0..count).rev().map(|index| {
            // SAFETY: index < count, and the mapping has count entries: the result is inside the one mapping that `first`
            // starts, whose size is below isize::MAX.
            unsafe { first.add(index) }
        }));
        table.mapping = Some(ManuallyDrop::new(mapping));
        table.count = count;
        table
    }

    /// Whether it has no room for want of memory: then a message that waits would wait for ever.
    pub(super) fn is_short(&self) -> bool {
        self.is_short
    }

    /// Whether every entry is taken.
    pub(super) fn is_empty(&self) -> bool {
        self.free.is_empty()
    }

    /// Takes an entry.
    pub(super) fn take(&mut self) -> Option<Header> {
        let entry = self.free.pop()?;
        Some(Header { entry })
    }

    /// Takes one back that no request uses any more.
    pub(super) fn give_back(&mut self, header: Header) {
        // One of another table stays missing there, which keeps that table mapped.
        if self.owns(&header) {
            self.free.push(header.entry);
        }
    }

    fn owns(&self, header: &Header) -> bool {
        self.mapping.as_ref().is_some_and(|mapping| {
            let start = mapping.base().addr().get();
            let at = header.entry.addr().get();
            (start..start.saturating_add(mapping.len())).contains(&at)
        })
    }

    /// The seeded defect: the entry can be taken again although a request names it.
    #[cfg(test)]
    pub(super) fn free_early(&mut self, header: &Header) {
        self.free.push(header.entry);
    }
}

// SAFETY: it owns its entry, as `Headers` does.
unsafe impl Send for Header {}

// SAFETY: through a shared reference the entry's address is reached, and nothing else.
unsafe impl Sync for Header {}

impl Header {
    /// Names the bytes of these buffers, of the first sixteen at most, and says how they go.
    pub(super) fn fill<'a>(&mut self, buffers: impl Iterator<Item = &'a Lent>, manner: Manner) {
        // SAFETY: `entry` is mapped, readable and writable, aligned (a mapping starts on a page, and entries follow each
        // other) and a value of its type (mapped memory is zeroed or was written as one). It has one owner (invariant),
        // which is borrowed exclusively, so nobody else in this process has a reference to it; the kernel only reads it.
        let entry = unsafe { self.entry.as_mut() };
        let mut count = 0;
        for (range, buffer) in entry.ranges.iter_mut().zip(buffers) {
            range.iov_base = buffer.address().cast_mut().cast();
            range.iov_len = buffer.bytes().len();
            count += 1;
        }
        entry.header.msg_iov = entry.ranges.as_mut_ptr();
        entry.header.msg_iovlen = count;
        let to = manner.to.map(|to| (to.address.cast_mut().cast(), to.len));
        let (name, len) = to.unwrap_or((ptr::null_mut(), 0));
        entry.header.msg_name = name;
        entry.header.msg_namelen = len;
        let control = manner.segment.map(|size| {
            let mut control = Writer::<CONTROL>::new();
            control.put(
                libc::IPPROTO_UDP,
                libc::UDP_SEGMENT,
                &size.get().to_ne_bytes(),
            );
            let words = control.bytes().chunks_exact(size_of::<usize>());
            for (word, bytes) in entry.control.iter_mut().zip(words) {
                let bytes = bytes.try_into().unwrap_or_default();
                *word = usize::from_ne_bytes(bytes);
            }
            entry.control.as_mut_ptr()
        });
        entry.header.msg_control = control.map_or(ptr::null_mut(), <*mut usize>::cast);
        entry.header.msg_controllen = control.map_or(0, |_| CONTROL);
    }

    /// The address for a request to the kernel.
    pub(super) fn address(&self) -> *const libc::msghdr {
        self.entry.as_ptr().cast_const().cast()
    }
}

impl Drop for Headers {
    /// Unmaps the table if every entry was given back, and leaves it to the kernel if not.
    fn drop(&mut self) {
        let Some(mapping) = self.mapping.take() else {
            return;
        };
        if self.free.len() == self.count {
            drop(ManuallyDrop::into_inner(mapping));
        } else {
            count_leaked(mapping.len());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::memory::{Pool, Shape, leaked_bytes};

    fn ranges(header: &Header) -> Vec<(usize, usize)> {
        // SAFETY: as in `fill`; shared this time.
        let entry = unsafe { header.entry.as_ref() };
        assert_eq!(entry.header.msg_iov.cast_const(), entry.ranges.as_ptr());
        assert!(entry.header.msg_name.is_null() && entry.header.msg_control.is_null());
        let ranges = entry.ranges.iter();
        ranges
            .take(entry.header.msg_iovlen)
            .map(|range| (range.iov_base.addr(), range.iov_len))
            .collect()
    }

    #[test]
    fn an_entry_names_its_buffers_and_no_others() {
        let shape = Shape::new(20, 100).unwrap();
        let pool = Pool::new(Mapping::anonymous(shape.bytes()).unwrap(), shape, None);
        let lent: Vec<_> = std::iter::from_fn(|| pool.take()).map(Lent::new).collect();
        let mut table = Headers::new(2);
        let (mut first, mut second) = (table.take().unwrap(), table.take().unwrap());
        assert!(table.take().is_none());
        first.fill(lent.iter(), Manner::default());
        second.fill(lent[17..].iter(), Manner::default());
        let want = |lent: &[Lent]| {
            lent.iter()
                .map(|lent| (lent.address().addr(), 100))
                .collect::<Vec<_>>()
        };
        assert_eq!(ranges(&first), want(&lent[..MOST_BUFFERS]));
        assert_eq!(ranges(&second), want(&lent[17..]));
        first.fill(lent[1..2].iter(), Manner::default());
        assert_eq!(ranges(&first), want(&lent[1..2]));
        table.give_back(first);
        table.give_back(second);
        lent.into_iter().for_each(|lent| drop(lent.take_back()));
    }

    #[test]
    fn a_table_with_an_entry_out_is_leaked_and_counted() {
        let mut table = Headers::new(3);
        let before = leaked_bytes();
        let _ = table.take();
        drop(table);
        assert!(leaked_bytes() > before);
    }

    #[test]
    fn an_entry_of_another_table_is_not_taken_in() {
        let (mut ours, mut theirs) = (Headers::new(1), Headers::new(1));
        let header = theirs.take().unwrap();
        ours.give_back(header);
        assert!(ours.take().is_some() && ours.take().is_none());
    }

    #[test]
    fn a_table_of_nothing_has_nothing() {
        let mut table = Headers::new(0);
        assert!(table.take().is_none() && !table.is_short());
    }

    #[test]
    fn a_table_without_memory_says_so() {
        let no_memory = |_| Err(io::Error::from_raw_os_error(libc::ENOMEM));
        let mut table = Headers::mapped(2, no_memory);
        assert!(table.take().is_none() && table.is_short());
        assert!(!Headers::new(2).is_short());
    }
}
