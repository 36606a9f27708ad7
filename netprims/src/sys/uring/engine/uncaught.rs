use std::io;

use super::send::send_mut;
use super::{Engine, NotQueued, Outcome};
use crate::sys::uring::kernel::{Completion, Kernel};
use crate::sys::uring::slab::Key;

/// Giving up what the kernel does not find.
///
/// A send that waits for its socket is where the kernel looks when it is asked to give it up. One that it is about to try
/// again is nowhere: a message to a Unix socket whose queue is full is, for as long as the kernel takes the sender's socket
/// for one that can be written to. The asking is answered with `ENOENT` then, as if the send had just ended. If no end has
/// come, the kernel is asked again.
///
/// Source: `io_uring/poll.c` and `io_uring/cancel.c` of Linux, `__io_arm_poll_handler` and `io_try_cancel`.
impl<K: Kernel> Engine<K> {
    /// What the asking to give up a request came to.
    pub(super) fn cancel_completed(
        &mut self,
        key: Key,
        completion: &Completion,
    ) -> Option<Outcome> {
        if completion.result == -libc::ENOENT {
            self.was_not_found(key);
        }
        None
    }

    /// The kernel did not find a send that was to be given up.
    pub(super) fn was_not_found(&mut self, key: Key) {
        if self.is_to_be_caught(key) && !self.uncaught.contains(&key) {
            self.uncaught.push_back(key);
        }
    }

    /// Whether the kernel has a send that it was asked to give up.
    fn is_to_be_caught(&mut self, key: Key) -> bool {
        send_mut(&mut self.flights, key).is_some_and(|send| send.is_to_be_given_up())
    }

    /// Asks for those again that it did not find.
    pub(super) fn ask_again(&mut self) -> io::Result<()> {
        for _ in 0..self.uncaught.len() {
            let Some(key) = self.uncaught.pop_front() else {
                return Ok(());
            };
            if !self.is_to_be_caught(key) {
                continue;
            }
            if let Err(error) = self.queue_cancel(key) {
                self.uncaught.push_front(key);
                return match error {
                    NotQueued::Enter(error) => Err(error),
                    _ => Err(io::Error::from_raw_os_error(libc::EBUSY)),
                };
            }
        }
        Ok(())
    }
}
