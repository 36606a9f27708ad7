//! Sends with a limit on time: a linked timeout that the kernel cancels the request for.
//!
//! A send is told once its limit has completed too: until then it is open whether `ECANCELED` means that the time was up, and
//! the place of its time is not free.

use std::time::Duration;

use super::{Wish, send_mut};
use crate::sys::memory::Slot;
use crate::sys::uring::engine::limit::{Limit, timespec};
use crate::sys::uring::engine::{Engine, NotQueued, Outcome};
use crate::sys::uring::kernel::{Completion, Kernel, Operation, Request, Target};
use crate::sys::uring::lifecycle::Phase;
use crate::sys::uring::slab::Key;

impl<K: Kernel> Engine<K> {
    /// Like [`send`](Engine::send), to be given up when this time has passed since the kernel was given it.
    pub(crate) fn send_within(
        &mut self,
        socket: Key,
        slot: Slot,
        wish: Wish,
        within: Duration,
    ) -> Result<Key, (Slot, NotQueued)> {
        if let Err(error) = self.check_message(socket, std::iter::once(&slot)) {
            return Err((slot, error));
        }
        let key = match self.put_in(socket, slot, wish) {
            Ok(key) => key,
            // There is room, as was seen.
            Err(slot) => return Err((slot, NotQueued::Full)),
        };
        self.limit(key, within);
        let mut back = None;
        let started = self.start_message(key, socket, |slot| back = Some(slot));
        match (started, back) {
            (Err(error), Some(slot)) => Err((slot, error)),
            _ => Ok(key),
        }
    }

    /// Gives a send that the kernel does not have a limit.
    pub(crate) fn limit(&mut self, key: Key, within: Duration) {
        let place = self.times.put(key, timespec(within));
        if let (Some(_), Some(send)) = (place, send_mut(&mut self.flights, key)) {
            send.limit = Limit::Ahead;
        }
    }

    /// The request that limits a send.
    pub(super) fn limit_of(&self, key: Key) -> Option<Request> {
        let after = self.times.at(key)?;
        Some(Request {
            user_data: key.to_limit_bits(),
            target: Target::Ring,
            operation: Operation::Limit { after },
        })
    }

    pub(super) fn limit_is_queued(&mut self, key: Key) {
        if let Some(send) = send_mut(&mut self.flights, key) {
            send.limit = Limit::Running;
        }
    }

    /// What the completion of a send's limit means for it.
    pub(in crate::sys::uring::engine) fn send_limit_completed(
        &mut self,
        key: Key,
        completion: &Completion,
    ) -> Option<Outcome> {
        let send = send_mut(&mut self.flights, key)?;
        match send.limit.after(completion.result) {
            Some(limit) if !completion.more && !completion.notification => send.limit = limit,
            _ => {
                self.strays.duplicate += 1;
                return None;
            }
        }
        match send.phase {
            Phase::Issued { .. } | Phase::Along { .. } => {
                if completion.result == -libc::ENOENT {
                    self.was_not_found(key);
                }
                None
            }
            Phase::Held { .. } => {
                self.send_again(key);
                None
            }
            Phase::Sent { .. } | Phase::Owed { .. } | Phase::Done { .. } => {
                let result = send.limit.judge(send.end);
                self.has_result(key, result)
            }
        }
    }

    /// Sends plainly what was refused to be sent without copying, unless its time is up. Its limit begins anew.
    pub(super) fn send_again(&mut self, key: Key) {
        let Some(send) = send_mut(&mut self.flights, key) else {
            return;
        };
        let is_known = self.sockets.find(send.socket).is_some();
        let errno = match send.limit {
            // The kernel was asked too late, and would not find what is queued behind the asking.
            _ if self.closing || send.is_cancelled || !is_known => libc::ECANCELED,
            Limit::Over { passed: true } => libc::ETIMEDOUT,
            limit => {
                send.limit = limit.again();
                match self.hold(key) {
                    Ok(()) => return,
                    Err(errno) => errno,
                }
            }
        };
        self.fail(key, errno);
    }
}
