use std::ptr;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use proptest::prelude::*;
use rstest::rstest;

use super::super::abi::{Control, Offsets, QueryEvents, QueryOperations, QueryQueues, RefillEntry};
use super::super::provider::Registration;
use super::*;
use crate::sys::defect;

const PAGES: u32 = 4;
const PAGE: u32 = 4096;

/// What the kernel does with a queue, as far as it takes pages and gives them away.
struct Model {
    /// Of each page, the fragments that were told and not given back (`user_refs`).
    references: Vec<u32>,
    ring: u64,
    entries: u32,
    head: u32,
    /// What was given back that was not out.
    wrong: u32,
    /// Whether it knows how to flush; otherwise it takes pages when it needs some.
    can_flush: bool,
    flushes: u32,
}

const HEAD: u64 = 0;
const TAIL: u64 = 4;
const ENTRIES: u64 = 64;

impl Model {
    fn new() -> Self {
        Self {
            references: vec![0; PAGES as usize],
            ring: 0,
            entries: 0,
            head: 0,
            wrong: 0,
            can_flush: true,
            flushes: 0,
        }
    }

    fn word(&self, at: u64) -> &AtomicU32 {
        let address = usize::try_from(self.ring + at).unwrap();
        // SAFETY: the place is in the refill ring, which the pages own and which is reached by atomics alone. They live
        // longer than any use of this model.
        unsafe { AtomicU32::from_ptr(ptr::with_exposed_provenance_mut(address)) }
    }

    fn long(&self, at: u64) -> &AtomicU64 {
        let address = usize::try_from(self.ring + at).unwrap();
        // SAFETY: as in `word`.
        unsafe { AtomicU64::from_ptr(ptr::with_exposed_provenance_mut(address)) }
    }

    /// Takes what lies in the refill ring.
    fn take_back(&mut self) {
        let tail = self.word(TAIL).load(Ordering::Acquire);
        assert!(
            tail.wrapping_sub(self.head) <= self.entries,
            "the ring was overrun"
        );
        while self.head != tail {
            let size = u64::try_from(size_of::<RefillEntry>()).unwrap();
            let at = ENTRIES + u64::from(self.head & (self.entries - 1)) * size;
            let page = self.long(at).load(Ordering::Relaxed) / u64::from(PAGE);
            let references = &mut self.references[usize::try_from(page).unwrap()];
            match references.checked_sub(1) {
                Some(left) => *references = left,
                None => self.wrong += 1,
            }
            self.head = self.head.wrapping_add(1);
        }
        self.word(HEAD).store(self.head, Ordering::Release);
    }

    /// Receives into a page, of which it must be free unless it is a device, which puts several packets into one.
    fn receive(&mut self, page: u32, start: u32) -> u64 {
        self.references[page as usize] += 1;
        u64::from(page * PAGE + start)
    }

    fn is_free(&self, page: u32) -> bool {
        self.references[page as usize] == 0
    }
}

// SAFETY: it writes no memory but the head of the refill ring.
unsafe impl Provider for Model {
    unsafe fn register_queue(&mut self, registration: &mut Registration) -> io::Result<()> {
        self.ring = registration.region.address;
        self.entries = registration.queue.entries;
        registration.queue.page_len = PAGE;
        registration.queue.offsets = Offsets {
            head: u32::try_from(HEAD).unwrap(),
            tail: u32::try_from(TAIL).unwrap(),
            entries: u32::try_from(ENTRIES).unwrap(),
            ..Offsets::default()
        };
        Ok(())
    }

    fn control(&mut self, _: &mut Control) -> io::Result<()> {
        self.flushes += 1;
        self.take_back();
        Ok(())
    }

    fn operations(&mut self) -> io::Result<QueryOperations> {
        Ok(QueryOperations {
            registers: 38,
            ..QueryOperations::default()
        })
    }

    fn queues(&mut self) -> io::Result<QueryQueues> {
        Ok(QueryQueues {
            controls: self.can_flush.into(),
            ..QueryQueues::default()
        })
    }

    fn events(&mut self) -> io::Result<QueryEvents> {
        Ok(QueryEvents::default())
    }
}

fn pages(model: &mut Model) -> Pages {
    let shape = Shape::new(PAGES, PAGE).unwrap();
    Pages::register(model, Source::NoDevice, shape).unwrap()
}

fn take(pages: &mut Pages, len: i32, offset: u64) -> Brought {
    // SAFETY: the model received into what it says.
    unsafe { pages.take(len, true, offset) }
}

fn bytes(brought: Brought) -> Taken {
    match brought {
        Brought::Bytes(taken) => taken,
        other => panic!("{other:?}"),
    }
}

#[rstest]
#[case::rounded_up(5, 1000, 2)]
#[case::exact(2, 4096, 2)]
#[case::large_slots(1, 65_536, 16)]
fn a_pool_has_as_many_pages_as_its_slots_have_bytes(
    #[case] slots: u32,
    #[case] slot_len: u32,
    #[case] want: u32,
) {
    let shape = Shape::new(slots, slot_len).unwrap();
    let pages = Pages::register(&mut Model::new(), Source::NoDevice, shape).unwrap();
    assert_eq!(
        (pages.area().slots(), pages.area().slot_len()),
        (want, PAGE)
    );
}

#[test]
fn a_page_with_two_fragments_goes_back_twice() {
    let mut model = Model::new();
    let mut pages = pages(&mut model);
    let offsets = [model.receive(2, 0), model.receive(2, 100)];
    let [first, second] = offsets.map(|offset| bytes(take(&mut pages, 100, offset)));
    pages.give_back(first);
    pages.offer(&mut model);
    model.take_back();
    assert!(!model.is_free(2));
    let kept = pages.area().detach(second).unwrap();
    pages.offer(&mut model);
    model.take_back();
    assert!(!model.is_free(2));
    std::thread::spawn(move || drop(kept)).join().unwrap();
    assert!(pages.offer(&mut model));
    model.take_back();
    assert!(model.is_free(2));
    assert_eq!((model.wrong, pages.given()), (0, 2));
}

#[test]
fn bytes_that_are_not_in_the_area_are_a_misfit_and_take_nothing() {
    let mut model = Model::new();
    let mut pages = pages(&mut model);
    for (len, offset) in [(1, 4 * 4096), (4097, 0), (2, 4095), (1, 1 << 48)] {
        assert!(matches!(take(&mut pages, len, offset), Brought::Misfit));
    }
    assert!(!pages.offer(&mut model));
    assert_eq!(pages.given(), 0);
}

#[test]
fn a_starved_receive_is_worth_a_flush_of_a_single_page() {
    let mut model = Model::new();
    let mut pages = pages(&mut model);
    let offset = model.receive(0, 0);
    let taken = bytes(take(&mut pages, 1, offset));
    pages.give_back(taken);
    pages.offer(&mut model);
    assert_eq!(model.flushes, 0, "one of four can wait");
    // SAFETY: the model says so.
    let starved = unsafe { pages.take(-libc::ENOMEM, false, 0) };
    assert!(matches!(starved, Brought::Nothing));
    assert!(pages.offer(&mut model), "the page is free now");
    assert_eq!((model.flushes, model.is_free(0)), (1, true));
    assert!(!pages.offer(&mut model), "and nothing else is");
}

#[test]
fn a_kernel_that_cannot_be_told_is_tried_again_now_and_then() {
    let mut model = Model::new();
    model.can_flush = false;
    let mut pages = pages(&mut model);
    let (start, mut tries) = (Instant::now(), 0);
    for _ in 0..10_000 {
        // SAFETY: the model says so.
        unsafe { pages.take(-libc::ENOMEM, false, 0) };
        tries += u128::from(pages.offer(&mut model));
    }
    let pauses = start.elapsed().as_micros() / PAUSE.as_micros();
    assert!((1..=1 + pauses).contains(&tries), "{tries} of 10000");
    assert_eq!(model.flushes, 0);
}

#[test]
fn only_what_nobody_reads_serves_again() {
    let mut model = Model::new();
    let mut pages = pages(&mut model);
    let shape = Shape::new(PAGES, PAGE).unwrap();
    let other = Source::Device {
        interface: 1,
        queue: 0,
    };
    assert!(pages.would_serve(Source::NoDevice, shape));
    assert!(!pages.would_serve(other, shape));
    assert!(!pages.would_serve(Source::NoDevice, Shape::new(PAGES + 1, PAGE).unwrap()));
    let offset = model.receive(1, 0);
    let taken = bytes(take(&mut pages, 1, offset));
    let kept = pages.area().detach(taken);
    assert!(!pages.would_serve(Source::NoDevice, shape));
    drop(kept);
    assert!(pages.would_serve(Source::NoDevice, shape));
}

#[derive(Clone, Debug)]
enum Op {
    Receive { page: u32, start: u32 },
    GiveBack(usize),
    Detach(usize),
    Drop(usize),
    Offer,
    Starve,
    TakeBack,
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        4 => (0..PAGES, 0..PAGE).prop_map(|(page, start)| Op::Receive { page, start }),
        3 => any::<usize>().prop_map(Op::GiveBack),
        2 => any::<usize>().prop_map(Op::Detach),
        2 => any::<usize>().prop_map(Op::Drop),
        3 => Just(Op::Offer),
        1 => Just(Op::Starve),
        1 => Just(Op::TakeBack),
    ]
}

/// Runs operations on pages and model. False if the kernel ever had a page that somebody reads, or got one it had.
fn is_sound(is_device: bool, ops: &[Op]) -> bool {
    let mut model = Model::new();
    let mut pages = pages(&mut model);
    let (mut taken, mut kept) = (Vec::new(), Vec::new());
    for op in ops {
        match *op {
            // A device fills a page with packets before it gives it up; copies have a page each.
            Op::Receive { page, start }
                if model.is_free(page) || (is_device && model.references[page as usize] < 3) =>
            {
                let offset = model.receive(page, start);
                taken.push(bytes(take(&mut pages, 1, offset)));
            }
            Op::GiveBack(which) if !taken.is_empty() => {
                pages.give_back(taken.swap_remove(which % taken.len()));
            }
            Op::Detach(which) if !taken.is_empty() => {
                let one = taken.swap_remove(which % taken.len());
                kept.push((one.slot(), pages.area().detach(one).unwrap()));
            }
            Op::Drop(which) if !kept.is_empty() => drop(kept.swap_remove(which % kept.len())),
            Op::Offer => {
                pages.offer(&mut model);
            }
            Op::Starve => {
                // SAFETY: an error tells of no bytes.
                let brought = unsafe { pages.take(-libc::ENOMEM, false, 0) };
                assert!(matches!(brought, Brought::Nothing));
            }
            Op::TakeBack => model.take_back(),
            _ => {}
        }
        let read = taken.iter().map(Taken::slot);
        let mut read = read.chain(kept.iter().map(|(page, _)| *page));
        if model.wrong > 0 || read.any(|page| model.is_free(page)) {
            return false;
        }
    }
    taken.drain(..).for_each(|taken| pages.give_back(taken));
    kept.clear();
    for _ in 0..3 {
        pages.offer(&mut model);
        model.take_back();
    }
    model.wrong == 0 && (0..PAGES).all(|page| model.is_free(page))
}

proptest! {
    /// Whatever is done in whatever order: the kernel has no page that somebody reads, and gets every page back in the
    /// end.
    #[test]
    fn the_kernel_has_no_page_that_is_read(
        is_device: bool,
        ops in prop::collection::vec(op(), 0..300),
    ) {
        prop_assert!(is_sound(is_device, &ops));
    }
}

#[test]
fn a_defect_is_noticed() {
    let ops = [
        Op::Receive { page: 0, start: 0 },
        Op::Offer,
        Op::TakeBack,
        Op::GiveBack(0),
        Op::Offer,
    ];
    assert!(defect::with(None, || is_sound(false, &ops)));
    let bug = Some(Defect::RefillWhatIsRead);
    assert!(!defect::with(bug, || is_sound(false, &ops)));
}
