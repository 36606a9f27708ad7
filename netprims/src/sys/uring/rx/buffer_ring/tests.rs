//! The buffer ring against a model of the kernel, which reads the ring's own memory and writes the slots by the
//! addresses it finds there.

use std::collections::VecDeque;

use proptest::prelude::*;

use super::*;
use crate::sys::defect;
use crate::sys::defect::Defect;
use crate::sys::memory::Shape;
use crate::sys::uring::rx::area::{Area, Piece};

const SLOT: u32 = 64;

/// The kernel: takes entries in their order, fills them with the numbers 0, 1, 2, … and says so.
struct Model {
    head: u16,
    places: u16,
    base: NonNull<u8>,
    is_incremental: bool,
    /// Bytes of the entry at `head` that are filled.
    filled: u32,
    /// The next byte to receive.
    next: u8,
    posted: VecDeque<Filled>,
}

impl Model {
    fn new(ring: &BufferRing) -> Self {
        let (base, places) = ring.memory();
        Self {
            head: 0,
            places,
            base,
            is_incremental: ring.filling == Filling::Incremental,
            filled: 0,
            next: 0,
            posted: VecDeque::new(),
        }
    }

    fn at<T: Copy>(&self, offset: usize) -> T {
        // SAFETY: the offsets of these tests lie in the ring's mapping.
        let at = unsafe { self.base.add(offset) };
        // SAFETY: as above; and its bytes are numbers.
        unsafe { at.cast::<T>().read_unaligned() }
    }

    fn tail(&self) -> u16 {
        self.at(TAIL)
    }

    fn available(&self) -> u16 {
        self.tail().wrapping_sub(self.head)
    }

    fn entry(&self, nth: u16) -> (usize, u32, u16) {
        let place = usize::from(self.head.wrapping_add(nth) % self.places) * SIZE;
        let address: u64 = self.at(place);
        let address = usize::try_from(address).unwrap();
        (address, self.at(place + 8), self.at(place + 12))
    }

    fn fill(&mut self, address: usize, len: u32) {
        for offset in 0..usize::try_from(len).unwrap() {
            let byte = std::ptr::with_exposed_provenance_mut::<u8>(address + offset);
            // SAFETY: the address of an entry that the ring published, and fewer bytes than it has: mapped, writable.
            unsafe { byte.write(self.next) };
            self.next = self.next.wrapping_add(1);
        }
    }

    /// Receives into one buffer; as many bytes as there is room for, at most `want`.
    fn receive(&mut self, want: u32, keep: bool) {
        if self.available() == 0 {
            return;
        }
        let (address, room, buffer) = self.entry(0);
        let len = want.min(room - self.filled);
        self.fill(address + usize::try_from(self.filled).unwrap(), len);
        self.filled += len;
        let has_more = self.is_incremental && keep && self.filled < room;
        if !has_more {
            self.head = self.head.wrapping_add(1);
            self.filled = 0;
        }
        self.posted.push_back(Filled {
            buffer,
            len,
            has_more,
            is_bundle: false,
        });
    }

    /// Receives into as many buffers as `want` bytes need.
    fn receive_bundle(&mut self, want: u32) {
        let buffer = (self.available() != 0).then(|| self.entry(0).2);
        let mut len = 0;
        while len < want && self.available() != 0 {
            let (address, room, _) = self.entry(0);
            let part = (want - len).min(room);
            self.fill(address, part);
            self.head = self.head.wrapping_add(1);
            len += part;
        }
        self.posted.extend(buffer.map(|buffer| Filled {
            buffer,
            len,
            has_more: false,
            is_bundle: true,
        }));
    }
}

struct Bench {
    slots: Slots,
    ring: BufferRing,
    model: Model,
    /// What is read: by the ring, or by who keeps it, with the number of its first byte.
    taken: Vec<(Taken, u8)>,
    kept: Vec<(Piece, u8)>,
    /// Bytes claimed so far, modulo 256.
    read: u8,
    misfits: usize,
}

impl Bench {
    fn new(count: u32, is_incremental: bool) -> Self {
        let shape = Shape::new(count, SLOT).unwrap();
        let slots = Slots::new(Mapping::anonymous(shape.bytes()).unwrap(), shape);
        let ring = BufferRing::new(&slots, is_incremental).unwrap().unwrap();
        let model = Model::new(&ring);
        Self {
            slots,
            ring,
            model,
            taken: Vec::new(),
            kept: Vec::new(),
            read: 0,
            misfits: 0,
        }
    }

    fn publish(&mut self) {
        self.slots.collect();
        self.ring.show_free(&mut self.slots);
        self.ring.publish();
    }

    fn complete(&mut self, filled: Filled) {
        let Self { taken, read, .. } = self;
        // SAFETY: the model is the kernel of these tests. With a defect, wrong bytes are what the tests look for.
        let fits = unsafe {
            self.ring.take(&mut self.slots, filled, |one| {
                let len = u8::try_from(one.len()).unwrap();
                taken.push((one, *read));
                *read = read.wrapping_add(len);
            })
        };
        self.misfits += usize::from(!fits);
    }

    /// Bytes that are not those that were received, in what is read now.
    fn wrong(&self) -> usize {
        let area: &Area = self.slots.area();
        let taken = self
            .taken
            .iter()
            .map(|(taken, from)| (area.bytes(taken), *from));
        let kept = self.kept.iter().map(|(piece, from)| (piece.bytes(), *from));
        taken
            .chain(kept)
            .map(|(bytes, from)| {
                let numbers = (0..).map(|nth: u8| from.wrapping_add(nth));
                bytes
                    .iter()
                    .zip(numbers)
                    .filter(|(byte, number)| **byte != *number)
                    .count()
            })
            .sum()
    }

    fn run(&mut self, op: Op) {
        match op {
            Op::Publish => self.publish(),
            Op::Receive(want, keep) => self.model.receive(want, keep),
            Op::Bundle(_) if self.model.is_incremental => {}
            Op::Bundle(want) => self.model.receive_bundle(want),
            Op::Complete => {
                if let Some(filled) = self.model.posted.pop_front() {
                    self.complete(filled);
                }
            }
            Op::GiveBack(which) if !self.taken.is_empty() => {
                let (taken, _) = self
                    .taken
                    .swap_remove(usize::from(which) % self.taken.len());
                // By way of those that are free, or not.
                if which & 0x80 == 0 {
                    self.slots.give_back(taken);
                } else {
                    self.ring.take_back(&mut self.slots, taken);
                }
            }
            Op::Detach(which) if !self.taken.is_empty() => {
                let (taken, from) = self
                    .taken
                    .swap_remove(usize::from(which) % self.taken.len());
                self.kept
                    .push((self.slots.area().detach(taken).unwrap(), from));
            }
            Op::Drop(which) if !self.kept.is_empty() => {
                self.kept.swap_remove(usize::from(which) % self.kept.len());
            }
            Op::GiveBack(_) | Op::Detach(_) | Op::Drop(_) => {}
        }
    }

    /// Everything comes back: every slot must be shown again.
    fn settle(&mut self) -> u16 {
        while let Some(filled) = self.model.posted.pop_front() {
            self.complete(filled);
        }
        for (taken, _) in self.taken.drain(..) {
            self.slots.give_back(taken);
        }
        self.kept.clear();
        self.publish();
        self.model.available()
    }
}

#[derive(Clone, Copy, Debug)]
enum Op {
    Publish,
    Receive(u32, bool),
    Bundle(u32),
    Complete,
    GiveBack(u8),
    Detach(u8),
    Drop(u8),
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        2 => Just(Op::Publish),
        3 => (1..=SLOT, any::<bool>()).prop_map(|(want, keep)| Op::Receive(want, keep)),
        2 => (1..=4 * SLOT).prop_map(Op::Bundle),
        3 => Just(Op::Complete),
        2 => any::<u8>().prop_map(Op::GiveBack),
        1 => any::<u8>().prop_map(Op::Detach),
        1 => any::<u8>().prop_map(Op::Drop),
    ]
}

proptest! {
    /// Whatever the kernel fills while pieces are read and kept: each holds the bytes that were received, in their
    /// order, until it comes back; and no slot is lost.
    #[test]
    fn pieces_hold_what_was_received(
        count in 1_u32..7,
        is_incremental: bool,
        ops in prop::collection::vec(op(), 0..200),
    ) {
        let mut bench = Bench::new(count, is_incremental);
        for op in ops {
            bench.run(op);
            prop_assert_eq!(bench.wrong(), 0, "after {:?}", op);
        }
        prop_assert_eq!(bench.misfits, 0);
        prop_assert_eq!(u32::from(bench.settle()), count);
    }

    /// Whatever else it may say: nothing is claimed that was not shown, and nothing twice.
    #[test]
    fn a_confused_kernel_takes_nothing_twice(
        is_incremental: bool,
        script in prop::collection::vec((0_u16..6, 0..5 * SLOT, any::<bool>(), any::<bool>()), 0..60),
    ) {
        let mut bench = Bench::new(4, is_incremental);
        bench.publish();
        for (buffer, len, has_more, is_bundle) in script {
            bench.complete(Filled { buffer, len, has_more, is_bundle });
            let bytes: u32 = bench.taken.iter().map(|(taken, _)| taken.len()).sum();
            prop_assert!(bytes <= 4 * SLOT);
        }
        bench.settle();
        prop_assert_eq!(bench.slots.free() + bench.ring.order.len(), 4, "and none is lost");
    }
}

#[test]
fn the_kernel_sees_nothing_before_it_is_published() {
    let mut bench = Bench::new(3, false);
    assert!(bench.ring.show_free(&mut bench.slots));
    assert_eq!(bench.model.available(), 0);
    bench.ring.publish();
    assert_eq!(bench.model.available(), 3);
    assert!(
        !bench.ring.show_free(&mut bench.slots),
        "there are no others"
    );
}

#[test]
fn what_comes_back_is_shown_at_once_and_seen_when_it_is_published() {
    let mut bench = Bench::new(2, false);
    bench.publish();
    bench.model.receive(1, false);
    bench.run(Op::Complete);
    bench.run(Op::GiveBack(0x80));
    assert_eq!((bench.slots.free(), bench.ring.shown()), (0, 2));
    assert_eq!(bench.model.available(), 1);
    assert!(
        bench.ring.show_free(&mut bench.slots),
        "one was shown since"
    );
    bench.ring.publish();
    assert_eq!(bench.model.available(), 2);
}

#[test]
fn what_comes_back_waits_where_the_ring_has_no_room() {
    let mut bench = Bench::new(2, false);
    bench.publish();
    bench.model.receive(1, false);
    bench.model.receive(1, false);
    // The second is told before the first, at whose place the next slot is to be shown.
    bench.model.posted.swap(0, 1);
    bench.run(Op::Complete);
    bench.run(Op::GiveBack(0x80));
    assert_eq!((bench.slots.free(), bench.ring.shown()), (1, 1));
    assert_eq!(bench.settle(), 2);
}

#[test]
fn an_entry_does_not_touch_the_tail() {
    let mut bench = Bench::new(4, false);
    bench.publish();
    for _ in 0..4 {
        bench.model.receive(1, false);
    }
    while let Some(filled) = bench.model.posted.pop_front() {
        bench.complete(filled);
    }
    bench
        .taken
        .drain(..)
        .for_each(|(taken, _)| bench.slots.give_back(taken));
    bench.ring.show_free(&mut bench.slots);
    assert_eq!(
        bench.model.tail(),
        4,
        "entries are written anew, the tail is not"
    );
}

#[test]
fn slots_of_another_area_are_not_its_own() {
    let (mut bench, mut other) = (Bench::new(2, false), Bench::new(2, false));
    assert!(!bench.ring.show_free(&mut other.slots));
    bench.publish();
    other.publish();
    other.model.receive(1, false);
    other.run(Op::Complete);
    let (taken, _) = other.taken.pop().unwrap();
    bench.ring.take_back(&mut other.slots, taken);
    assert_eq!((bench.ring.shown(), other.slots.free()), (2, 1));
    let filled = Filled {
        buffer: 0,
        len: 1,
        has_more: false,
        is_bundle: false,
    };
    // SAFETY: nothing is claimed, which is what is tested.
    assert!(!unsafe { bench.ring.take(&mut other.slots, filled, |_| ()) });
}

/// What goes wrong in a few rounds of everything: wrong bytes in what is read, and completions that fit nothing.
fn what_goes_wrong(is_incremental: bool) -> usize {
    let mut bench = Bench::new(4, is_incremental);
    let mut wrong = 0;
    for round in 0..40_u8 {
        let ops = [
            Op::Publish,
            Op::Receive(20, true),
            Op::Complete,
            Op::Detach(round),
            Op::Publish,
            Op::Receive(30, true),
            Op::Complete,
            Op::GiveBack(round),
            Op::Publish,
            Op::Bundle(3 * SLOT),
            Op::Bundle(SLOT),
            Op::Complete,
            Op::Complete,
            Op::GiveBack(round),
            Op::Publish,
            Op::Receive(SLOT, false),
            Op::Receive(SLOT, false),
            Op::Complete,
            Op::Complete,
            Op::GiveBack(0),
            Op::GiveBack(0),
            Op::GiveBack(0),
            Op::GiveBack(0),
            Op::Drop(round),
        ];
        for op in ops {
            bench.run(op);
            wrong += bench.wrong();
        }
    }
    wrong + bench.misfits
}

#[rstest::rstest]
#[case::lend_what_is_read(Defect::LendWhatIsRead, false)]
#[case::release_at_first_part(Defect::ReleaseAtFirstPart, true)]
#[case::bundle_by_number(Defect::BundleByNumber, false)]
fn a_defect_is_noticed(#[case] bug: Defect, #[case] is_incremental: bool) {
    assert_eq!(defect::with(None, || what_goes_wrong(is_incremental)), 0);
    let buggy = defect::with(Some(bug), || what_goes_wrong(is_incremental));
    assert!(buggy > 0, "{bug:?} was not noticed");
}
