//! The engine against a scripted kernel: late, repeated and unknown completions, failing calls, and the way out.

use std::net::UdpSocket;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::panic::{AssertUnwindSafe, catch_unwind};

use rstest::rstest;
use socket2::{Domain, Socket as Socket2, Type};

use super::super::fake::Fake;
use super::super::kernel::Completion;
use super::super::live::BUFFERS;
use super::*;
use crate::sys::defect;
use crate::sys::memory::{Pool, Shape, leaked_bytes};
use crate::sys::uring::leaked_descriptors::leaked_descriptors;

const COPIED: i32 = i32::MIN;

mod accept;
mod cancelling;
mod connect;
mod leaving;
mod message_order;
mod plain;
mod sending;
mod stream;
mod within;

struct Bench {
    engine: Engine<Fake>,
    pool: Pool,
    socket: Key,
}

/// A socket whose messages may overtake each other.
fn datagrams() -> OwnedFd {
    UdpSocket::bind("127.0.0.1:0").unwrap().into()
}

/// With a datagram socket, whose sends do not wait for each other.
fn bench(in_flight: u32) -> Bench {
    bench_of(datagrams(), in_flight, 4)
}

fn bench_of(socket: OwnedFd, in_flight: u32, slots: u32) -> Bench {
    let mut engine = Engine::new(Fake::new(), in_flight, Duration::from_millis(20));
    let shape = Shape::new(slots, 100).unwrap();
    let pool = engine.pool(shape).unwrap().unwrap();
    let socket = engine.add(socket).unwrap();
    Bench {
        engine,
        pool,
        socket,
    }
}

impl Bench {
    fn send(&mut self) -> Key {
        let slot = self.pool.take().unwrap();
        self.engine
            .send(self.socket, slot, Wish::ZeroCopy)
            .map_err(|_| ())
            .unwrap()
    }

    fn kernel(&mut self) -> &mut Fake {
        self.engine.kernel_mut()
    }

    fn sent(&mut self) -> (Key, Result<u32, i32>) {
        match self.engine.next() {
            Some(Outcome::Sent { key, result }) => (key, result),
            Some(_) => panic!("something else"),
            None => panic!("nothing"),
        }
    }

    fn released(&mut self) -> (Key, u32, Usage) {
        match self.engine.next() {
            Some(Outcome::Released { key, released }) => (key, released.bytes, released.usage),
            Some(_) => panic!("something else"),
            None => panic!("nothing"),
        }
    }

    fn free_slots(&self) -> usize {
        let held: Vec<_> = std::iter::from_fn(|| self.pool.take()).collect();
        held.len()
    }
}

#[test]
fn the_slot_comes_back_with_the_notification_and_not_before() {
    let mut bench = bench(4);
    let key = bench.send();
    bench.kernel().result(0, 100, true);
    assert_eq!(bench.sent(), (key, Ok(100)));
    assert!(bench.engine.next().is_none());
    assert_eq!(bench.free_slots(), 3);
    bench.kernel().notify(0, 0);
    assert_eq!(bench.released(), (key, 100, Usage::ZeroCopied));
    assert_eq!(bench.free_slots(), 4);
}

#[test]
fn notifications_may_come_in_any_order() {
    let mut bench = bench(4);
    let (first, second) = (bench.send(), bench.send());
    bench.kernel().result(0, 100, true);
    bench.kernel().result(1, 100, true);
    bench.kernel().notify(1, COPIED);
    bench.kernel().notify(0, 0);
    assert_eq!(bench.sent().0, first);
    assert_eq!(bench.sent().0, second);
    assert_eq!(bench.released(), (second, 100, Usage::Copied));
    assert_eq!(bench.released(), (first, 100, Usage::ZeroCopied));
}

#[test]
fn late_repeated_and_unknown_completions_are_counted_and_change_nothing() {
    let mut bench = bench(4);
    bench.send();
    bench.kernel().notify(0, 0);
    bench.kernel().result(0, 100, true);
    bench.kernel().result(0, 100, true);
    bench.kernel().notify(0, 0);
    bench.kernel().notify(0, 0);
    let unknown = Completion {
        user_data: u64::MAX - 1,
        result: 1,
        ..Completion::default()
    };
    bench.kernel().posted.push_back(unknown);
    // A key of this table's form for a place that was never used.
    bench.kernel().posted.push_back(Completion {
        user_data: 3,
        ..unknown
    });
    assert_eq!(bench.sent().1, Ok(100));
    bench.released();
    assert!(bench.engine.next().is_none());
    assert_eq!(
        bench.engine.strays(),
        Strays {
            late: 1,
            duplicate: 2,
            unknown: 2
        }
    );
    assert_eq!(bench.free_slots(), 4);
}

/// What a notification of the send before does to the send in its place: what came of it, and the late completions.
fn a_late_notification() -> (bool, u64) {
    let mut bench = bench(1);
    bench.send();
    bench.kernel().result(0, 100, true);
    bench.kernel().notify(0, 0);
    assert_eq!(bench.sent().1, Ok(100));
    bench.released();
    bench.send();
    bench.kernel().result(1, 100, true);
    assert_eq!(bench.sent().1, Ok(100));
    bench.kernel().notify(0, 0);
    let told = bench.engine.next();
    (told.is_some(), bench.engine.strays().late)
}

#[test]
fn a_late_notification_does_not_release_the_next_send_in_its_place() {
    assert_eq!(a_late_notification(), (false, 1));
    let buggy = defect::with(Some(Defect::TrustAStaleId), a_late_notification);
    assert_eq!(buggy, (true, 0), "the defect is not noticed");
}

#[test]
fn a_socket_that_refuses_zero_copy_is_sent_to_plainly_from_then_on() {
    let mut bench = bench(4);
    let key = bench.send();
    bench.kernel().result(0, -libc::EOPNOTSUPP, true);
    assert!(
        bench.engine.next().is_none(),
        "it is sent again, nothing to tell yet"
    );
    assert!(!bench.kernel().is_zero_copy(1));
    bench.kernel().result(1, 100, false);
    assert_eq!(bench.sent(), (key, Ok(100)));
    assert!(
        bench.engine.next().is_none(),
        "the notification of the refused send is still to come"
    );
    bench.kernel().notify(0, COPIED);
    assert_eq!(bench.released(), (key, 100, Usage::Copied));
    bench.send();
    assert!(!bench.kernel().is_zero_copy(2));
    assert!(bench.engine.socket_state(bench.socket).unwrap().plain_only);
    bench.kernel().result(2, 100, false);
    assert_eq!(bench.sent().1, Ok(100));
    bench.released();
}

#[test]
fn what_is_sent_after_a_refusal_does_not_overtake_what_was_refused() {
    let mut bench = bench(4);
    let (first, second) = (bench.send(), bench.send());
    bench.kernel().result(0, -libc::EOPNOTSUPP, true);
    bench.kernel().result(1, -libc::EOPNOTSUPP, true);
    assert!(bench.engine.next().is_none());
    // Neither notification has come.
    let third = bench.send();
    let order: Vec<_> = (2..bench.kernel().pushed.len())
        .map(|nth| {
            let kernel = bench.kernel();
            (kernel.pushed[nth].user_data, kernel.is_zero_copy(nth))
        })
        .collect();
    let want = [first, second, third].map(|key| (key.to_bits(), false));
    assert_eq!(order, want);
}

#[test]
fn a_refused_send_is_held_while_the_kernel_takes_no_requests() {
    let mut bench = bench(4);
    let key = bench.send();
    bench.kernel().queued = 0;
    bench.kernel().room = 0;
    let busy = || Err(io::Error::from_raw_os_error(libc::EBUSY));
    bench.kernel().enter_results.extend([busy(), busy()]);
    bench.kernel().result(0, -libc::EOPNOTSUPP, true);
    bench.kernel().notify(0, COPIED);
    assert!(bench.engine.next().is_none(), "held: nothing to tell");
    // What is sent now would overtake it.
    let slot = bench.pool.take().unwrap();
    let Err((_, NotQueued::Enter(error))) = bench.engine.send(bench.socket, slot, Wish::ZeroCopy)
    else {
        panic!("sent")
    };
    assert_eq!(error.raw_os_error(), Some(libc::EBUSY));
    bench.kernel().room = 4;
    bench.engine.enter(None).unwrap();
    bench.kernel().result(1, 100, false);
    assert_eq!(bench.sent(), (key, Ok(100)));
    assert_eq!(bench.released(), (key, 100, Usage::Copied));
    assert_eq!(bench.free_slots(), 4);
}

#[test]
fn a_refused_send_that_cannot_be_queued_fails_with_the_reason() {
    let mut bench = bench(4);
    let key = bench.send();
    bench.kernel().queued = 0;
    bench.kernel().room = 0;
    let error = io::Error::from_raw_os_error(libc::EEXIST);
    bench.kernel().enter_results.push_back(Err(error));
    bench.kernel().result(0, -libc::EOPNOTSUPP, true);
    assert_eq!(bench.sent(), (key, Err(libc::EEXIST)));
    assert!(bench.engine.next().is_none(), "its notification is to come");
    assert_eq!(bench.free_slots(), 3);
    bench.kernel().notify(0, COPIED);
    assert_eq!(bench.released(), (key, 0, Usage::NotSent));
    assert_eq!(bench.free_slots(), 4);
}

#[test]
fn a_socket_removed_before_it_could_be_sent_to_plainly_cancels_the_send() {
    let mut bench = bench(4);
    let key = bench.send();
    bench.kernel().result(0, -libc::EOPNOTSUPP, true);
    assert!(bench.engine.remove(bench.socket).unwrap().is_some());
    assert_eq!(bench.sent(), (key, Err(libc::ECANCELED)));
    bench.kernel().notify(0, COPIED);
    assert_eq!(bench.released(), (key, 0, Usage::NotSent));
}

#[test]
fn a_kernel_without_zero_copy_is_sent_to_plainly() {
    let mut bench = bench(4);
    bench.kernel().zero_copy = false;
    bench.send();
    assert!(!bench.kernel().is_zero_copy(0));
    bench.kernel().result(0, 100, false);
}

#[test]
fn a_full_table_gives_the_slot_back() {
    let mut bench = bench(1);
    bench.send();
    let slot = bench.pool.take().unwrap();
    let Err((slot, NotQueued::Full)) = bench.engine.send(bench.socket, slot, Wish::ZeroCopy) else {
        panic!("sent")
    };
    assert_eq!(slot.bytes().len(), 100);
    bench.kernel().result(0, 100, false);
}

#[test]
fn a_full_queue_is_handed_over_to_make_room() {
    let mut bench = bench(4);
    bench.kernel().room = 1;
    bench.send();
    bench.send();
    assert_eq!(bench.kernel().entered, [None]);
    assert_eq!(bench.kernel().pushed.len(), 2);
    bench.kernel().result(0, 100, false);
    bench.kernel().result(1, 100, false);
}

#[test]
fn a_queue_that_cannot_be_handed_over_gives_the_slot_back() {
    let mut bench = bench(4);
    bench.kernel().room = 0;
    bench
        .kernel()
        .enter_results
        .push_back(Err(io::Error::from_raw_os_error(libc::ENOMEM)));
    let slot = bench.pool.take().unwrap();
    let Err((slot, NotQueued::Enter(error))) =
        bench.engine.send(bench.socket, slot, Wish::ZeroCopy)
    else {
        panic!("sent")
    };
    assert_eq!(error.raw_os_error(), Some(libc::ENOMEM));
    drop(slot);
    assert_eq!((bench.engine.in_flight(), bench.free_slots()), (0, 4));
}

#[test]
fn a_slot_of_another_ring_is_refused() {
    let (mut ours, theirs) = (bench(4), bench(4));
    let slot = theirs.pool.take().unwrap();
    let Err((_, NotQueued::ForeignSlot)) = ours.engine.send(ours.socket, slot, Wish::ZeroCopy)
    else {
        panic!("sent")
    };
}

#[test]
fn a_removed_socket_is_refused() {
    let mut bench = bench(4);
    assert!(bench.engine.remove(bench.socket).unwrap().is_some());
    assert!(bench.engine.remove(bench.socket).unwrap().is_none());
    let slot = bench.pool.take().unwrap();
    let Err((_, NotQueued::UnknownSocket)) = bench.engine.send(bench.socket, slot, Wish::ZeroCopy)
    else {
        panic!("sent")
    };
}

#[test]
fn a_socket_is_not_closed_while_a_queued_request_names_it() {
    let mut bench = bench(4);
    bench.send();
    bench
        .kernel()
        .enter_results
        .push_back(Err(io::Error::from_raw_os_error(libc::EBUSY)));
    assert!(bench.engine.remove(bench.socket).is_err());
    assert!(
        bench.engine.remove(bench.socket).unwrap().is_some(),
        "handed over, then removed"
    );
    assert_eq!(bench.kernel().queued, 0);
    bench.kernel().result(0, 100, false);
}

#[test]
fn fixed_buffers_are_used_again_once_their_pool_is_gone() {
    let mut bench = bench(4);
    let shape = Shape::new(1, 64).unwrap();
    let pools: Vec<_> = (1..BUFFERS)
        .map(|_| bench.engine.pool(shape).unwrap().unwrap())
        .collect();
    assert!(
        bench.engine.pool(shape).unwrap().is_none(),
        "all numbers are taken"
    );
    let slot = pools[5].take().unwrap();
    let home = slot.home();
    drop(pools);
    let other = bench.engine.pool(shape).unwrap().unwrap();
    assert_ne!(
        other.take().unwrap().home(),
        home,
        "a slot keeps its pool's number"
    );
}

#[test]
fn what_dead_pools_have_pinned_is_unpinned_before_more_is() {
    let mut bench = bench(4);
    let shape = Shape::new(1, 4096).unwrap();
    let [first, second] = [(); 2].map(|()| bench.engine.pool(shape).unwrap().unwrap());
    let slot = second.take().unwrap();
    drop((first, second));
    bench.kernel().registered.clear();
    let _third = bench.engine.pool(shape).unwrap().unwrap();
    // The second is in use by its slot.
    let want = [(1, None), (1, Some(4096))];
    assert_eq!(bench.kernel().registered, want);
    drop(slot);
    bench.kernel().registered.clear();
    let _fourth = bench.engine.pool(shape).unwrap().unwrap();
    let want = [(2, None), (2, Some(4096))];
    assert_eq!(bench.kernel().registered, want);
}
