//! The matrix of receives, and a defect that it must notice.

use std::os::fd::{FromRawFd, OwnedFd};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::time::Duration;

use rstest::rstest;

use super::cell::{Going, Part};
use super::made::Made;
use super::play;
use super::receiving::{Peer, Receiver, Receiving, SLOT, SLOTS, Way};
use crate::ring::Wait;
use crate::sys::defect::{self, Defect};

/// Whatever goes away in whatever order: nothing blocks, what is kept stays as it was received, and once the ring has
/// gone nothing is written, whatever the peer sends.
#[rstest]
fn a_receive_goes_away_in_any_order_at_any_moment(
    #[values(Made::Usual, Made::WithThread, Made::WithFiles)] made: Made,
    #[values(
        Way::Plain,
        Way::Multishot,
        Way::UntilIdle,
        Way::Bundles,
        Way::Incremental,
        Way::PlainMessages,
        Way::Messages
    )]
    way: Way,
    #[values(Peer::Silent, Peer::Floods, Peer::Closes, Peer::Resets)] peer: Peer,
) {
    play_all(made, way, peer);
}

/// The same, from a queue that is registered with the memory. A ring with a thread has none.
#[rstest]
fn a_zero_copy_receive_goes_away_in_any_order_at_any_moment(
    #[values(Made::Usual, Made::WithFiles)] made: Made,
    #[values(Peer::Silent, Peer::Floods, Peer::Closes, Peer::Resets)] peer: Peer,
) {
    play_all(made, Way::ZeroCopy, peer);
}

/// On a kernel without the way, [`Receiver::new`] asserts that it says so.
fn play_all(made: Made, way: Way, peer: Peer) {
    let cells = Receiving::all(made, way, peer).filter(|cell| cell.reason_not_run().is_none());
    play(1, cells, |cell| {
        if let Some(receiver) = Receiver::new(cell.made, cell.way) {
            receiver.play(&cell).go(&cell);
        }
    });
}

impl Receiver {
    fn go(mut self, cell: &Receiving) {
        let mut stays = false;
        match cell.going {
            Going::Forgotten(part) => stays = self.forget(part),
            Going::Unwound => self.unwind(),
            _ => {}
        }
        for part in cell.going.dropped() {
            self.let_go(part);
            self.check(part == Part::Ring);
        }
        let mapped = if stays { self.watched.bytes() } else { 0 };
        assert_eq!(self.watched.mapped(), mapped);
        self.send(SLOT as usize);
        self.watched.assert_unspoiled();
        drop(self.forgotten);
        self.watched.unmap_what_stays();
    }

    fn check(&mut self, is_ring_gone_now: bool) {
        assert!(self.is_kept_whole());
        if is_ring_gone_now {
            self.overwrite_what_is_not_kept();
        }
        self.send(SLOT as usize);
        assert!(self.is_kept_whole());
        self.watched.assert_unspoiled();
    }

    /// Whether the memory stays because of it.
    fn forget(&mut self, part: Part) -> bool {
        match part {
            Part::Ring => {
                let mut ring = self.ring.take().unwrap();
                let fd = ring.number();
                std::mem::forget(ring);
                // SAFETY: the descriptor is open, and its owner is forgotten: nobody else closes it.
                self.forgotten = Some(unsafe { OwnedFd::from_raw_fd(fd) });
            }
            Part::Pool => std::mem::forget(self.pool.take()),
            Part::Socket => std::mem::forget(self.taken.take()),
            Part::Buffer => std::mem::forget(self.kept.take()),
        }
        part != Part::Socket
    }

    fn unwind(&mut self) {
        let parts = (self.ring.take(), self.pool.take(), self.taken.take());
        let silent = || resume_unwind(Box::new("the user's handler"));
        let unwound = catch_unwind(AssertUnwindSafe(|| {
            let (ring, _pool, _taken) = parts;
            let _ = ring.unwrap().poll(Wait::No, |_| silent());
            silent()
        }));
        assert!(unwound.is_err());
        self.check(true);
        self.let_go(Part::Buffer);
    }

    fn let_go(&mut self, part: Part) {
        match part {
            Part::Ring => drop(self.ring.take()),
            Part::Pool => drop(self.pool.take()),
            Part::Socket => drop(self.taken.take()),
            Part::Buffer => drop(self.kept.take()),
        }
    }
}

/// Whether what is kept stays whole while more is received than there is room for.
fn what_is_kept_stays(way: Way) -> Option<bool> {
    let made = Made::Usual;
    let mut receiver = Receiver::new(made, way)?;
    let cell = Receiving {
        made,
        way,
        peer: Peer::Silent,
        moment: super::cell::Moment::Told,
        going: Going::Left([Part::Ring, Part::Pool, Part::Buffer]),
    };
    receiver = receiver.play(&cell);
    let mut is_whole = true;
    for _ in 0..32 {
        // As much at once as all slots take: a kernel that takes the page that came back last would use that one alone.
        receiver.send((SLOTS * SLOT) as usize);
        let wait = Wait::AtMost(Duration::from_millis(2));
        let _ = receiver.ring.as_mut().unwrap().poll(wait, |_| ());
        is_whole &= receiver.is_kept_whole();
    }
    Some(is_whole)
}

#[rstest]
fn what_is_kept_is_not_received_into(
    #[values(
        Way::Plain,
        Way::Multishot,
        Way::Bundles,
        Way::PlainMessages,
        Way::Messages
    )]
    way: Way,
) {
    let stays = |bug| defect::with(bug, || what_is_kept_stays(way));
    assert_eq!(stays(None), Some(true));
    let bug = Some(Defect::LendWhatIsRead);
    assert_eq!(stays(bug), Some(false), "the defect was not noticed");
}

/// On a kernel without queues that have no device there is nothing to keep, as [`Receiver::new`] asserts.
#[test]
fn a_page_that_is_kept_is_not_received_into() {
    let stays = |bug| defect::with(bug, || what_is_kept_stays(Way::ZeroCopy));
    let Some(is_whole) = stays(None) else { return };
    assert!(is_whole);
    let bug = Some(Defect::RefillWhatIsRead);
    assert_eq!(stays(bug), Some(false), "the defect was not noticed");
}
