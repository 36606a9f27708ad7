//! Receives against a scripted kernel: requests that end early, buffers it cannot have used, and the way out.

use std::os::unix::net::{UnixDatagram, UnixStream};
use std::time::Duration;

use nix::sys::eventfd::{EfdFlags, EventFd};
use rstest::rstest;

use super::*;
use crate::sys::defect::{self, Defect};
use crate::sys::memory::Shape;
use crate::sys::uring::engine::{Giving, Outcome, Strays, Wait};
use crate::sys::uring::fake::Fake;
use crate::sys::uring::rx::Piece;

mod ending;
mod idle;
mod leaving;
mod plain;

const LEN: u32 = 100;

struct Bench {
    engine: Engine<Fake>,
    handle: GroupHandle,
    socket: Key,
    /// The chunk that was told last.
    lent: Option<Claim>,
}

const SINGLE: Giving = Giving::Ring {
    is_incremental: false,
    is_bundling: false,
};
const BUNDLES: Giving = Giving::Ring {
    is_incremental: false,
    is_bundling: true,
};
const INCREMENTAL: Giving = Giving::Ring {
    is_incremental: true,
    is_bundling: false,
};

/// A receive from a stream, armed, into so many slots: request 0.
fn bench(slots: u32, giving: Giving) -> (Bench, Key) {
    let mut engine = Engine::new(Fake::new(), 8, Duration::from_millis(20));
    let shape = Shape::new(slots, LEN).unwrap();
    let handle = engine.group(shape, giving).unwrap().unwrap();
    let socket = engine.add(UnixStream::pair().unwrap().0.into()).unwrap();
    let mut bench = Bench {
        engine,
        handle,
        socket,
        lent: None,
    };
    let key = bench.engine.receive(socket, &bench.handle).unwrap();
    bench.engine.enter(None).unwrap();
    assert_eq!(bench.pushed(), 1);
    (bench, key)
}

#[derive(Debug, PartialEq)]
enum Seen {
    Chunk(Key, usize),
    End(Key, End),
}

impl Bench {
    fn kernel(&mut self) -> &mut Fake {
        self.engine.kernel_mut()
    }

    fn pushed(&mut self) -> usize {
        self.kernel().pushed.len()
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

    fn enter(&mut self) {
        self.engine.enter(None).unwrap();
    }

    fn duplicates(&self) -> u64 {
        let strays = self.engine.strays();
        assert_eq!((strays.late, strays.unknown), (0, 0));
        strays.duplicate
    }

    /// Slots that are neither free nor shown: those that are lost, once everything was told.
    fn lost(&mut self) -> usize {
        self.enter();
        let (_, group) = self.engine.group_of(&self.handle).unwrap();
        let total = usize::try_from(group.slots.area().slots()).unwrap();
        let shown = group.ring.as_ref().map_or(0, |ring| ring.shown());
        total - shown - group.slots.free()
    }
}

/// What comes of a request that is over: what is told, and whether it is made anew.
#[rstest]
#[case::data(7, Some(0), vec![7], None, true)]
#[case::interrupted(-libc::EINTR, None, vec![], None, true)]
#[case::closed(0, None, vec![], Some(End::Closed), false)]
#[case::closed_with_a_buffer(0, Some(0), vec![], Some(End::Closed), false)]
#[case::reset(-libc::ECONNRESET, None, vec![], Some(End::Failed(libc::ECONNRESET)), false)]
#[case::reset_with_a_buffer(-libc::ECONNRESET, Some(0), vec![], Some(End::Failed(libc::ECONNRESET)), false)]
#[case::no_memory(-libc::ENOMEM, None, vec![], Some(End::Failed(libc::ENOMEM)), false)]
#[case::cancelled(-libc::ECANCELED, None, vec![], Some(End::Cancelled), false)]
#[case::unknown_to_the_kernel(-libc::EINVAL, None, vec![], Some(End::Failed(libc::EINVAL)), false)]
#[case::data_without_a_buffer(7, None, vec![], Some(End::Failed(libc::EPROTO)), false)]
#[case::no_such_buffer(7, Some(9), vec![], Some(End::Failed(libc::EPROTO)), false)]
#[case::longer_than_a_slot(101, Some(0), vec![], Some(End::Failed(libc::EPROTO)), false)]
#[case::least_result(i32::MIN, None, vec![], Some(End::Failed(i32::MAX)), false)]
fn a_request_that_is_over(
    #[case] result: i32,
    #[case] buffer: Option<u16>,
    #[case] chunks: Vec<usize>,
    #[case] end: Option<End>,
    #[case] goes_on: bool,
) {
    let (mut bench, key) = bench(4, SINGLE);
    let user_data = key.to_bits();
    bench.kernel().posted.push_back(Completion {
        user_data,
        result,
        buffer,
        ..Completion::default()
    });
    let mut want: Vec<_> = chunks
        .into_iter()
        .map(|len| Seen::Chunk(key, len))
        .collect();
    want.extend(end.map(|end| Seen::End(key, end)));
    assert_eq!(bench.all(), want);
    bench.enter();
    assert_eq!(bench.pushed(), if goes_on { 2 } else { 1 });
    assert_eq!(bench.engine.in_flight(), u32::from(goes_on));
    let is_misfit = end == Some(End::Failed(libc::EPROTO));
    assert_eq!(bench.duplicates(), u64::from(is_misfit));
    assert_eq!(bench.lost(), 0);
    let rearmed = bench.handle.counters().rearmed.count();
    assert_eq!(rearmed, u64::from(goes_on));
}

#[test]
fn a_request_that_goes_on_tells_chunk_after_chunk() {
    let (mut bench, key) = bench(4, SINGLE);
    for round in 0..20_u16 {
        bench
            .kernel()
            .fill(0, 10 + i32::from(round), round % 4, true);
        assert_eq!(
            bench.next(),
            Some(Seen::Chunk(key, 10 + usize::from(round)))
        );
        assert_eq!(bench.next(), None);
        bench.enter();
    }
    assert_eq!(
        (bench.pushed(), bench.duplicates(), bench.lost()),
        (1, 0, 0)
    );
    let counters = bench.handle.counters();
    assert_eq!((counters.chunks.count(), counters.rearmed.count()), (20, 0));
}

#[test]
fn a_bundle_is_told_slot_by_slot_in_the_order_shown() {
    let (mut bench, key) = bench(4, BUNDLES);
    bench.kernel().fill(0, 250, 1, true);
    assert_eq!(bench.next(), Some(Seen::Chunk(key, 100)));
    let kept = bench.detach().unwrap();
    assert_eq!(bench.next(), Some(Seen::Chunk(key, 100)));
    bench.kernel().fill(0, 1, 0, true);
    assert_eq!(bench.all(), [Seen::Chunk(key, 50), Seen::Chunk(key, 1)]);
    assert_eq!(bench.lost(), 1, "what is kept is missing");
    drop(kept);
    assert_eq!(bench.lost(), 0);
}

#[test]
fn a_bundle_of_nothing_leaves_the_buffer_to_the_kernel() {
    let (mut bench, key) = bench(4, BUNDLES);
    bench.kernel().fill(0, 0, 0, false);
    assert_eq!(bench.all(), [Seen::End(key, End::Closed)]);
    assert_eq!((bench.duplicates(), bench.lost()), (0, 0));
}

#[test]
fn a_socket_that_refuses_bundles_does_without() {
    let (mut bench, _) = bench(4, BUNDLES);
    bench.kernel().result(0, -libc::EINVAL, false);
    assert_eq!(bench.all(), []);
    bench.enter();
    let again = bench.kernel().pushed[1].operation;
    assert!(
        matches!(
            again,
            Operation::ReceiveMultishot {
                is_bundle: false,
                ..
            }
        ),
        "{again:?}"
    );
    let counters = bench.handle.counters();
    assert_eq!(
        (counters.stepped_down.count(), counters.rearmed.count()),
        (1, 0)
    );
}

#[test]
fn a_slot_that_is_filled_bit_by_bit_is_shown_again_when_it_is_full() {
    let (mut bench, key) = bench(1, INCREMENTAL);
    let mut fill = |result, buffer_more| {
        let user_data = key.to_bits();
        bench.kernel().posted.push_back(Completion {
            user_data,
            result,
            more: true,
            buffer: Some(0),
            buffer_more,
            ..Completion::default()
        });
        assert_eq!(bench.all().len(), 1);
        bench.enter();
        bench.engine.groups[0]
            .as_ref()
            .unwrap()
            .ring
            .as_ref()
            .unwrap()
            .tail()
    };
    assert_eq!(fill(40, true), 1);
    assert_eq!(fill(40, true), 1);
    assert_eq!(fill(20, false), 2, "shown again");
}

#[test]
fn a_starved_receive_waits_for_a_slot() {
    let (mut bench, key) = bench(1, SINGLE);
    bench.kernel().fill(0, 10, 0, true);
    assert_eq!(bench.next(), Some(Seen::Chunk(key, 10)));
    let kept = bench.detach().unwrap();
    bench.kernel().result(0, -libc::ENOBUFS, false);
    assert_eq!(bench.all(), []);
    bench.enter();
    assert_eq!(bench.pushed(), 1, "there is nothing to receive into");
    assert!(bench.engine.is_starved());
    drop(kept);
    bench.enter();
    assert_eq!(bench.pushed(), 2);
    assert!(!bench.engine.is_starved());
    let counters = bench.handle.counters();
    assert_eq!((counters.starved.count(), counters.rearmed.count()), (1, 1));
}

/// Whether the bell was rung since the last time.
fn is_rung(bench: &Bench) -> bool {
    let eventfd = bench.engine.bell().eventfd().unwrap();
    nix::unistd::read(eventfd, &mut [0; 8]).is_ok()
}

#[rstest]
fn a_slot_that_comes_back_rings_when_a_receive_waits_for_one(
    #[values(SINGLE, Giving::OneByOne)] giving: Giving,
) {
    let (mut bench, _) = bench(1, giving);
    let eventfd = EventFd::from_flags(EfdFlags::EFD_NONBLOCK).unwrap();
    bench.engine.bell().hang(eventfd.into());
    let mut nth = 0;
    let mut starve = |bench: &mut Bench| {
        match giving {
            Giving::OneByOne => bench.kernel().result(nth, 10, false),
            _ => {
                bench.kernel().fill(nth, 10, 0, true);
                bench.kernel().result(nth, -libc::ENOBUFS, false);
            }
        }
        assert!(matches!(bench.next(), Some(Seen::Chunk(..))));
        let kept = bench.detach().unwrap();
        assert_eq!(bench.all(), []);
        bench.enter();
        nth += 1;
        kept
    };
    let kept = starve(&mut bench);
    assert!(bench.engine.listen(), "it can be waited for");
    assert!(!is_rung(&bench));
    std::thread::spawn(|| drop(kept)).join().unwrap();
    assert!(is_rung(&bench));
    bench.enter();
    let kept = starve(&mut bench);
    drop(kept);
    assert!(!is_rung(&bench), "nobody waits");
    assert!(!bench.engine.listen(), "it came back before");
    bench.enter();
    assert!(bench.engine.listen());
    assert_eq!(bench.pushed(), 3);
}

#[test]
fn a_receive_that_starved_before_slots_came_back_tries_at_once() {
    let (mut bench, key) = bench(1, SINGLE);
    bench.kernel().fill(0, 10, 0, true);
    assert_eq!(bench.all(), [Seen::Chunk(key, 10)]);
    // Shown again, while the kernel's answer is on its way.
    bench.enter();
    bench.kernel().result(0, -libc::ENOBUFS, false);
    assert_eq!(bench.all(), []);
    bench.enter();
    assert_eq!(bench.pushed(), 2);
    // And not over and over: nothing was shown since.
    bench.kernel().result(1, -libc::ENOBUFS, false);
    assert_eq!(bench.all(), [Seen::End(key, End::Failed(libc::ENOBUFS))]);
}

/// The kernel has a slot, so it is the socket that had no room.
#[rstest]
#[case::netlink(libc::AF_NETLINK, libc::SOCK_RAW, 1)]
#[case::another(libc::AF_UNIX, libc::SOCK_DGRAM, 2)]
fn a_sockets_own_shortage_ends_its_receive(
    #[case] domain: i32,
    #[case] kind: i32,
    #[case] answers: usize,
) {
    let (mut bench, first) = bench(2, SINGLE);
    let socket = socket2::Socket::new(domain.into(), kind.into(), None).unwrap();
    let socket = bench.engine.add(socket.into()).unwrap();
    let key = bench.engine.receive(socket, &bench.handle).unwrap();
    for nth in 1..=answers {
        assert_eq!(bench.all(), []);
        bench.enter();
        assert_eq!(bench.pushed(), nth + 1);
        bench.kernel().result(nth, -libc::ENOBUFS, false);
    }
    let ended = Seen::End(key, End::Failed(libc::ENOBUFS));
    assert_eq!(bench.all(), [ended]);
    // Who has no slot waits all the same.
    bench.kernel().fill(0, 10, 0, true);
    bench.kernel().fill(0, 10, 1, true);
    assert_eq!(bench.next(), Some(Seen::Chunk(first, 10)));
    let kept = bench.detach().unwrap();
    assert_eq!(bench.next(), Some(Seen::Chunk(first, 10)));
    let also_kept = bench.detach().unwrap();
    bench.kernel().result(0, -libc::ENOBUFS, false);
    assert_eq!(bench.all(), []);
    bench.enter();
    assert_eq!(bench.pushed(), answers + 1);
    assert!(bench.engine.is_starved());
    drop((kept, also_kept));
    bench.enter();
    assert_eq!(bench.pushed(), answers + 2);
}

/// All slots were taken, and came back since, of which the kernel has not been told: the shortage was theirs, and nothing
/// was overrun.
#[test]
fn a_socket_that_tells_overruns_waits_for_slots_that_came_back_meanwhile() {
    let (mut bench, _) = bench(2, SINGLE);
    let netlink = socket2::Socket::new(libc::AF_NETLINK.into(), libc::SOCK_RAW.into(), None);
    let socket = bench.engine.add(netlink.unwrap().into()).unwrap();
    let key = bench.engine.receive(socket, &bench.handle).unwrap();
    bench.enter();
    assert_eq!(bench.pushed(), 2);
    bench.kernel().fill(1, 10, 0, true);
    bench.kernel().fill(1, 10, 1, true);
    bench.kernel().result(1, -libc::ENOBUFS, false);
    let chunk = || Seen::Chunk(key, 10);
    assert_eq!(bench.all(), [chunk(), chunk()]);
    bench.enter();
    assert_eq!(bench.pushed(), 3, "it goes on");
}

/// What a kernel says that has lost its way, and where it said it.
#[rstest]
#[case::a_buffer_twice(1)]
#[case::no_such_buffer(9)]
fn a_buffer_that_cannot_be_breaks_the_receive(#[case] buffer: u16) {
    let (mut bench, key) = bench(4, SINGLE);
    bench.kernel().fill(0, 10, 1, true);
    bench.kernel().fill(0, 10, buffer, true);
    // Bytes are missing before these.
    bench.kernel().fill(0, 10, 2, true);
    assert_eq!(bench.all(), [Seen::Chunk(key, 10)]);
    let cancel = bench.kernel().pushed.last().unwrap().operation;
    assert!(matches!(cancel, Operation::Cancel { .. }), "{cancel:?}");
    assert_eq!(bench.pushed(), 2, "asked once");
    bench.kernel().result(0, -libc::ECANCELED, false);
    let end = End::Failed(libc::EPROTO);
    assert_eq!(bench.all(), [Seen::End(key, end)]);
    assert_eq!((bench.duplicates(), bench.lost()), (1, 0));
}

#[test]
fn what_comes_late_or_unasked_is_counted_and_takes_nothing() {
    let (mut bench, key) = bench(4, SINGLE);
    bench.kernel().notify(0, 0);
    assert_eq!((bench.all(), bench.duplicates()), (vec![], 1));
    bench.kernel().result(0, 0, false);
    bench.kernel().fill(0, 10, 0, true);
    bench.kernel().result(0, 0, false);
    assert_eq!(bench.next(), Some(Seen::End(key, End::Closed)));
    assert_eq!(bench.all(), []);
    let late = 2;
    let strays = bench.engine.strays();
    assert_eq!(
        strays,
        Strays {
            late,
            duplicate: 1,
            unknown: 0
        }
    );
    assert_eq!(bench.lost(), 0);
}

#[test]
fn an_empty_datagram_is_an_empty_chunk() {
    for giving in [SINGLE, BUNDLES, Giving::OneByOne] {
        let (mut bench, _) = bench(2, giving);
        let near = UnixDatagram::pair().unwrap().0;
        let socket = bench.engine.add(near.into()).unwrap();
        let key = bench.engine.receive(socket, &bench.handle).unwrap();
        bench.enter();
        bench.kernel().result(1, 0, false);
        assert_eq!(bench.next(), Some(Seen::Chunk(key, 0)));
        assert!(bench.detach().is_none());
        bench.enter();
        assert_eq!(bench.pushed(), 3, "it goes on");
        let is_bundle = |operation| {
            matches!(
                operation,
                Operation::ReceiveMultishot {
                    is_bundle: true,
                    ..
                }
            )
        };
        assert!(!is_bundle(bench.kernel().pushed[1].operation));
    }
}

#[test]
fn a_queue_that_is_full_delays_a_receive() {
    let (mut bench, key) = bench(2, SINGLE);
    bench.kernel().fill(0, 10, 0, false);
    assert_eq!(bench.all(), [Seen::Chunk(key, 10)]);
    bench.kernel().room = 0;
    let error = bench.engine.enter(None).unwrap_err();
    assert_eq!(error.raw_os_error(), Some(libc::EBUSY));
    bench.kernel().room = 1;
    bench.enter();
    assert_eq!(bench.pushed(), 2);
}

#[test]
fn another_engines_pool_is_refused() {
    let (mut bench, _) = bench(2, SINGLE);
    let mut other = Engine::new(Fake::new(), 8, Duration::from_millis(20));
    let handle = other.group(Shape::new(2, LEN).unwrap(), SINGLE);
    let handle = handle.unwrap().unwrap();
    let socket = bench
        .engine
        .add(UnixStream::pair().unwrap().0.into())
        .unwrap();
    let refused = bench.engine.receive(socket, &handle);
    assert!(matches!(refused, Err(NotQueued::ForeignPool)));
    let refused = bench.engine.receive(bench.socket, &bench.handle);
    assert!(matches!(refused, Err(NotQueued::Receiving)));
}

#[test]
fn a_slot_that_is_free_without_an_event_is_work() {
    let (mut bench, _) = bench(1, Giving::OneByOne);
    let far = bench
        .engine
        .add(UnixStream::pair().unwrap().0.into())
        .unwrap();
    bench.engine.receive(far, &bench.handle).unwrap();
    bench.enter();
    assert!(
        bench.engine.listen(),
        "one has the only slot, the other waits"
    );
    bench.kernel().result(0, -libc::EINTR, false);
    assert_eq!(bench.all(), []);
    assert!(!bench.engine.listen());
    bench.enter();
    assert_eq!(bench.pushed(), 2);
}
