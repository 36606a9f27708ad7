//! Zero-copy receives against a scripted kernel: what it says that cannot be, what it runs out of, and the way out.

use std::os::unix::net::UnixStream;
use std::rc::Rc;
use std::time::Duration;

use nix::sys::eventfd::{EfdFlags, EventFd};
use rstest::rstest;

use super::*;
use crate::sys::defect;
use crate::sys::memory::leaked_bytes;
use crate::sys::uring::engine::{Claim, Giving, Outcome, Strays};
use crate::sys::uring::fake::Fake;
use crate::sys::uring::kernel::{Operation, Request};
use crate::sys::uring::rx::Piece;

const PAGE: u32 = 4096;
const GIVING: Giving = Giving::Ring {
    is_incremental: false,
    is_bundling: true,
};

struct Bench {
    engine: Engine<Fake>,
    handle: GroupHandle,
    socket: Key,
    /// The chunk that was told last.
    lent: Option<Claim>,
}

#[derive(Debug, PartialEq)]
enum Seen {
    Chunk(Key, usize),
    End(Key, End),
}

fn shape(pages: u32) -> Shape {
    Shape::new(pages, PAGE).unwrap()
}

/// A receive from a stream into so many pages, armed: request 0.
fn bench(pages: u32) -> (Bench, Key) {
    bench_on(Fake::new(), pages)
}

fn bench_on(kernel: Fake, pages: u32) -> (Bench, Key) {
    let mut engine = Engine::new(kernel, 8, Duration::from_millis(20));
    let mut handle = engine.group(shape(pages), GIVING).unwrap().unwrap();
    engine
        .add_queue(&mut handle, Source::NoDevice, shape(pages))
        .unwrap();
    let socket = engine.add(UnixStream::pair().unwrap().0.into()).unwrap();
    let key = engine.receive(socket, &handle).unwrap();
    let mut bench = Bench {
        engine,
        handle,
        socket,
        lent: None,
    };
    bench.enter();
    assert_eq!(bench.pushed(), 1);
    (bench, key)
}

impl Bench {
    fn kernel(&mut self) -> &mut Fake {
        self.engine.kernel_mut()
    }

    fn pushed(&mut self) -> usize {
        self.kernel().pushed.len()
    }

    fn operation(&mut self, nth: usize) -> Operation {
        self.kernel().pushed[nth].operation
    }

    fn enter(&mut self) {
        self.engine.enter(None).unwrap();
    }

    fn next(&mut self) -> Option<Seen> {
        if let Some(claim) = self.lent.take() {
            self.engine.give_back(claim);
        }
        match self.engine.next()? {
            Outcome::Received { key, claim } => {
                let areas = self.engine.areas();
                let bytes = areas.lend(self.lent.insert(claim)).bytes().len();
                Some(Seen::Chunk(key, bytes))
            }
            Outcome::ReceiveEnded { key, end } => Some(Seen::End(key, end)),
            _ => panic!("something else"),
        }
    }

    /// The chunk that was told last, kept.
    fn detach(&mut self) -> Option<Piece> {
        self.engine.areas().lend(self.lent.as_mut()?).detach()
    }

    fn all(&mut self) -> Vec<Seen> {
        std::iter::from_fn(|| self.next()).collect()
    }

    /// How many pages were given back.
    fn given(&mut self) -> u32 {
        let group = self.engine.groups[0].as_ref().unwrap();
        group.queue.as_ref().unwrap().pages.given()
    }

    fn flushes(&mut self) -> usize {
        self.kernel().receive.controlled.len()
    }
}

#[test]
fn bytes_are_told_and_their_pages_go_back() {
    let (mut bench, key) = bench(4);
    assert!(matches!(
        bench.operation(0),
        Operation::ReceiveZeroCopy { queue: 7 }
    ));
    bench.kernel().fragment(0, 100, 0);
    bench.kernel().fragment(0, 4096, 2 * 4096);
    assert_eq!(bench.all(), [Seen::Chunk(key, 100), Seen::Chunk(key, 4096)]);
    assert_eq!((bench.given(), bench.flushes()), (0, 0));
    bench.enter();
    assert_eq!((bench.given(), bench.flushes()), (2, 1));
    let counters = bench.handle.counters();
    let counts = (
        counters.chunks.count(),
        counters.bytes.count(),
        counters.flushed.count(),
    );
    assert_eq!(counts, (2, 4196, 1));
    bench.kernel().result(0, 0, false);
    assert_eq!(bench.all(), [Seen::End(key, End::Closed)]);
    assert_eq!(bench.engine.strays(), Strays::default());
}

#[test]
fn a_page_that_is_kept_goes_back_when_it_is_dropped() {
    let (mut bench, _) = bench(4);
    bench.kernel().fragment(0, 10, 4096);
    assert!(bench.next().is_some());
    let kept = bench.detach().unwrap();
    assert!(bench.next().is_none());
    bench.enter();
    assert_eq!((bench.given(), bench.handle.outstanding()), (0, 1));
    std::thread::spawn(move || drop(kept)).join().unwrap();
    bench.enter();
    assert_eq!((bench.given(), bench.handle.outstanding()), (1, 0));
}

#[rstest]
#[case::behind_the_area(1, 4 * 4096)]
#[case::in_another_area(1, 1 << 48)]
#[case::in_two_pages(4096, 1)]
#[case::of_no_bytes(0, 0)]
#[case::an_error_that_is_not_the_end(-5, 0)]
fn forged_places_are_not_believed_and_end_the_receive(#[case] result: i32, #[case] extra: u64) {
    let (mut bench, key) = bench(4);
    bench.kernel().fragment(0, result, extra);
    bench.kernel().fragment(0, 10, 0);
    assert_eq!(bench.all(), [], "bytes were lost: none is told behind them");
    assert!(matches!(bench.operation(1), Operation::Cancel { .. }));
    bench.kernel().result(0, -libc::ECANCELED, false);
    assert_eq!(bench.all(), [Seen::End(key, End::Failed(libc::EPROTO))]);
    assert_eq!(bench.engine.strays().duplicate, 1);
}

#[test]
fn a_provided_buffer_is_none_of_a_queues() {
    let (mut bench, key) = bench(4);
    bench.kernel().fill(0, 10, 0, true);
    bench.kernel().result(0, -libc::ECANCELED, false);
    assert_eq!(bench.all(), [Seen::End(key, End::Failed(libc::EPROTO))]);
}

#[test]
fn without_a_free_page_a_receive_waits_until_one_comes_back() {
    let (mut bench, key) = bench(1);
    bench.kernel().fragment(0, 10, 0);
    assert!(bench.next().is_some());
    let kept = bench.detach().unwrap();
    bench.kernel().result(0, -libc::ENOMEM, false);
    for _ in 0..3 {
        assert_eq!(bench.all(), []);
        bench.enter();
    }
    assert!(bench.engine.is_starved());
    assert_eq!((bench.pushed(), bench.flushes()), (1, 0));
    drop(kept);
    bench.enter();
    assert_eq!(bench.pushed(), 2);
    assert!(bench.flushes() > 0);
    assert!(!bench.engine.is_starved());
    bench.kernel().fragment(1, 10, 0);
    assert_eq!(bench.all(), [Seen::Chunk(key, 10)]);
    let counters = bench.handle.counters();
    assert_eq!((counters.starved.count(), counters.rearmed.count()), (1, 1));
}

#[rstest]
#[case::a_kernel_that_can_be_told(3, 0)]
#[case::a_kernel_that_says_nothing(0, 1)]
fn a_page_that_comes_back_rings(#[case] controls: u32, #[case] timeouts: usize) {
    let mut kernel = Fake::new();
    kernel.receive.queues.as_mut().unwrap().controls = controls;
    let (mut bench, _) = bench_on(kernel, 1);
    let eventfd = EventFd::from_flags(EfdFlags::EFD_NONBLOCK).unwrap();
    bench.engine.bell().hang(eventfd.into());
    bench.kernel().fragment(0, 10, 0);
    assert!(bench.next().is_some());
    let kept = bench.detach().unwrap();
    bench.kernel().result(0, -libc::ENOMEM, false);
    assert_eq!(bench.all(), []);
    bench.enter();
    // One that says nothing is asked at once.
    for nth in 1..bench.pushed() {
        bench.kernel().result(nth, -libc::ENOMEM, false);
        assert_eq!(bench.all(), []);
    }
    // Looking twice does not ask twice.
    assert!(bench.engine.is_starved() && bench.engine.listen() && bench.engine.listen());
    let is_timeout = |request: &Request| matches!(request.operation, Operation::Timeout { .. });
    let asked = bench.kernel().pushed.iter().filter(|it| is_timeout(it));
    assert_eq!(asked.count(), timeouts);
    drop(kept);
    let bell = bench.engine.bell().eventfd().unwrap();
    assert_eq!(nix::unistd::read(bell, &mut [0; 8]), Ok(8));
}

#[test]
fn what_lies_in_the_refill_ring_is_flushed_for_a_starved_receive() {
    let (mut bench, _) = bench(8);
    bench.kernel().fragment(0, 10, 0);
    bench.all();
    bench.enter();
    assert_eq!(
        (bench.given(), bench.flushes()),
        (1, 0),
        "one of eight can wait"
    );
    bench.kernel().result(0, -libc::ENOMEM, false);
    bench.all();
    bench.enter();
    assert_eq!((bench.flushes(), bench.pushed()), (1, 2));
}

#[test]
fn a_full_completion_queue_ends_no_receive() {
    let (mut bench, key) = bench(4);
    bench.kernel().fragment(0, 10, 0);
    bench.kernel().result(0, -libc::ENOSPC, false);
    assert_eq!(bench.all(), [Seen::Chunk(key, 10)]);
    bench.enter();
    assert_eq!(bench.pushed(), 2);
    assert_eq!(bench.handle.counters().rearmed.count(), 1);
    assert!(!bench.engine.is_starved());
}

#[test]
fn a_socket_that_refuses_goes_on_with_the_next_rung() {
    let (mut bench, key) = bench(4);
    bench.kernel().result(0, -libc::EPROTONOSUPPORT, false);
    assert_eq!(bench.all(), []);
    bench.enter();
    let next = bench.operation(1);
    assert!(matches!(
        next,
        Operation::ReceiveMultishot {
            group: 0,
            is_bundle: true,
            ..
        }
    ));
    bench.kernel().fill(1, 20, 0, true);
    assert_eq!(bench.all(), [Seen::Chunk(key, 20)]);
    let counters = bench.handle.counters();
    assert_eq!(
        (counters.stepped_down.count(), counters.rearmed.count()),
        (1, 0)
    );
    assert_eq!(counters.copied.count(), 20);
}

#[rstest]
#[case(libc::ECONNRESET)]
#[case(libc::ENOTCONN)]
#[case(libc::EINVAL)]
fn another_error_ends_the_receive(#[case] errno: i32) {
    let (mut bench, key) = bench(4);
    bench.kernel().result(0, -errno, false);
    assert_eq!(bench.all(), [Seen::End(key, End::Failed(errno))]);
}

#[test]
fn a_starved_receive_can_be_cancelled() {
    let (mut bench, key) = bench(1);
    bench.kernel().fragment(0, 10, 0);
    assert!(bench.next().is_some());
    let kept = bench.detach().unwrap();
    bench.kernel().result(0, -libc::ENOMEM, false);
    assert_eq!(bench.all(), []);
    bench.engine.cancel(key).unwrap();
    assert_eq!(bench.all(), [Seen::End(key, End::Cancelled)]);
    assert!(!bench.engine.is_starved());
    drop(kept);
    bench.enter();
    assert_eq!(bench.pushed(), 1);
}

#[rstest]
#[case(Unfit::Narrow)]
#[case(Unfit::NotDeferred)]
fn a_ring_that_is_unfit_has_no_queue(#[case] unfit: Unfit) {
    let mut engine = Engine::new(Fake::new(), 8, Duration::ZERO);
    engine.kernel_mut().unfit = Some(unfit);
    let mut handle = engine.group(shape(1), GIVING).unwrap().unwrap();
    let refusal = engine.add_queue(&mut handle, Source::NoDevice, shape(1));
    assert!(matches!(refusal, Err(NoQueue::Unfit(why)) if why == unfit));
    assert_eq!(engine.kernel_mut().receive.registered.len(), 0);
}

#[test]
fn a_pool_without_a_queue_has_the_lower_rungs() {
    let mut engine = Engine::new(Fake::new(), 8, Duration::ZERO);
    engine.kernel_mut().receive.refuses = [libc::EPERM].into();
    let mut handle = engine.group(shape(1), GIVING).unwrap().unwrap();
    let refusal = engine.add_queue(&mut handle, Source::NoDevice, shape(1));
    assert!(matches!(refusal, Err(NoQueue::Refused(_))));
    let socket = engine.add(UnixStream::pair().unwrap().0.into()).unwrap();
    engine.receive(socket, &handle).unwrap();
    engine.enter(None).unwrap();
    let operation = engine.kernel_mut().pushed[0].operation;
    assert!(matches!(operation, Operation::ReceiveMultishot { .. }));
}

#[test]
fn a_queue_whose_pool_is_gone_serves_the_next_one() {
    let (bench, _) = bench(4);
    let Bench {
        mut engine,
        handle,
        socket,
        ..
    } = bench;
    let nth = 0;
    engine.kernel_mut().result(nth, 0, false);
    while engine.next().is_some() {}
    drop(handle);
    let area = |handle: &GroupHandle| handle.area().id();
    let mut again = engine.group(shape(4), GIVING).unwrap().unwrap();
    engine
        .add_queue(&mut again, Source::NoDevice, shape(4))
        .unwrap();
    assert_eq!(
        engine.kernel_mut().receive.registered.len(),
        1,
        "it was registered once"
    );
    let mut other = engine.group(shape(4), GIVING).unwrap().unwrap();
    engine
        .add_queue(&mut other, Source::NoDevice, shape(4))
        .unwrap();
    assert_eq!(
        engine.kernel_mut().receive.registered.len(),
        2,
        "the first is in use"
    );
    assert_ne!(area(&again), area(&other));
    assert!(engine.receive(socket, &again).is_ok());
}

/// Drops a ring whose kernel does not end a receive, while somebody reads a page. Whether it was closed.
fn is_closed_with(bug: Option<Defect>, is_read: bool) -> bool {
    let (mut bench, _) = bench(4);
    let is_open = Rc::new(());
    bench.kernel().is_open = Some(Rc::clone(&is_open));
    bench.kernel().fragment(0, 10, 4096);
    assert!(bench.next().is_some());
    let kept = is_read.then(|| bench.detach().unwrap());
    let before = leaked_bytes();
    defect::with(bug, || drop(bench));
    let is_closed = Rc::strong_count(&is_open) == 1;
    assert!(is_closed || leaked_bytes() - before >= 4 * u64::from(PAGE));
    drop(kept);
    is_closed
}

#[test]
fn a_ring_is_not_closed_under_readers() {
    assert!(!is_closed_with(None, true));
    assert!(
        is_closed_with(None, false),
        "nobody reads what may be written"
    );
    assert!(
        is_closed_with(Some(Defect::CloseUnderReaders), true),
        "the defect was not noticed"
    );
}
