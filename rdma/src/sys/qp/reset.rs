//! Starting again.

use std::mem;

use super::super::bufs::Bufs;
use super::super::cq::Room;
#[cfg(test)]
use super::super::defect::{Defect, seeded};
use super::super::errno::Errno;
use super::super::modify::Modify;
use super::super::room::NoRoom;
use super::super::tag::TagLease;
use super::super::wr_id::Queue;
use super::{Health, QpHandle};

/// Why a queue pair was not reset. It is as it was.
#[derive(Debug)]
pub(crate) enum ResetError {
    /// Its accounts are not to be trusted, so nothing of it may be handed back.
    Poisoned,
    /// What it may have in the CQ of this queue needs room beside what it will have.
    NoRoom(Queue, NoRoom),
    NoTag,
    Errno(Errno),
}

impl QpHandle {
    /// Takes the queue pair to its first state; everything in flight comes back, without completions.
    ///
    /// Completions that are in a CQ by then stay there, so from here on it is another queue pair to
    /// them: with another tag, and room of its own.
    pub(crate) fn reset(&mut self) -> Result<Vec<(Queue, Bufs, u64)>, ResetError> {
        if self.health == Health::Poisoned {
            return Err(ResetError::Poisoned);
        }
        let Some(rooms) = &mut self.rooms else {
            // Not reached: it is `None` only while the queue pair ends.
            return Err(ResetError::Poisoned);
        };
        let [send, recv] = &*rooms;
        let again = |room: &Room, queue| {
            room.again()
                .map_err(|no_room| ResetError::NoRoom(queue, no_room))
        };
        let fresh = [again(send, Queue::Send)?, again(recv, Queue::Recv)?];
        let lease = TagLease::take().ok_or(ResetError::NoTag)?;
        #[cfg(test)]
        if seeded(Defect::HandBackBeforeReset) {
            self.flight.forget_all();
        }
        let (mut attr, mask) = Modify::Reset.attr();
        let verbs = self.pd.context().verbs();
        // SAFETY: the QP exists (invariant: `rooms` is `Some`).
        unsafe { verbs.modify_qp(self.raw, &mut attr, mask) }.map_err(ResetError::Errno)?;
        // The device is done with the memory (promise 5 of `Verbs`).
        for room in mem::replace(rooms, fresh) {
            room.retire(&self.lease);
        }
        self.tag = lease.tag();
        self.lease = lease;
        self.health = Health::Good;
        self.destinations.fill(None);
        Ok(self.flight.take_all())
    }
}
