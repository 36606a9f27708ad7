use std::time::Duration;

use super::limit::timespec;
use super::{Engine, Flight, NotQueued, Outcome, Socket};
use crate::sys::uring::kernel::{Completion, Kernel, Operation, Request, Target};
use crate::sys::uring::slab::Key;

/// A request that moves no bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Control {
    Shutdown,
    Timeout,
}

impl<K: Kernel> Engine<K> {
    /// Queues a shutdown(2).
    pub(crate) fn shutdown(&mut self, socket: Key, how: i32) -> Result<Key, NotQueued> {
        let target = self.target(socket)?;
        let key = self
            .flights
            .insert(Flight::Control(Control::Shutdown))
            .map_err(|_| NotQueued::Full)?;
        let request = Request {
            user_data: key.to_bits(),
            target,
            operation: Operation::Shutdown { how },
        };
        // SAFETY: the operation uses no memory. The descriptor is in `sockets`, which closes none that a queued request
        // names.
        let queued = unsafe { self.queue(&request) };
        if queued.is_err() {
            self.flights.remove(key);
        }
        queued.map(|()| key)
    }

    /// Queues a request that completes after a time.
    pub(crate) fn timeout(&mut self, after: Duration) -> Result<Key, NotQueued> {
        let key = self
            .flights
            .insert(Flight::Control(Control::Timeout))
            .map_err(|_| NotQueued::Full)?;
        let Some(after) = self.times.put(key, timespec(after)) else {
            // Not reached: the table of times is as long as that of flights.
            self.flights.remove(key);
            return Err(NotQueued::Full);
        };
        let request = Request {
            user_data: key.to_bits(),
            target: Target::Ring,
            operation: Operation::Timeout { after },
        };
        // SAFETY: the time lies in the flight's place of `times`, which is freed when nothing is in the kernel and leaked
        // otherwise; it is written when the next flight gets the place, after this one's last completion.
        let queued = unsafe { self.queue(&request) };
        if queued.is_err() {
            self.flights.remove(key);
        }
        queued.map(|()| key)
    }

    /// Asks the kernel to give up all requests about a socket.
    pub(crate) fn cancel_all(&mut self, socket: Key) -> Result<(), NotQueued> {
        // What is not with the kernel yet could not be found by it.
        self.queue_held().map_err(NotQueued::Enter)?;
        let request = Request {
            user_data: Key::OF_NOBODY,
            target: self.target(socket)?,
            operation: Operation::CancelAll,
        };
        // SAFETY: the operation uses no memory. The descriptor is in `sockets`, which closes none that a queued request
        // names.
        unsafe { self.queue(&request) }?;
        self.give_up_accepts_of(socket);
        self.give_up_sends_of(socket);
        // One that waits for its next request is not with the kernel, and must not be queued again.
        let receive = self.sockets.find(socket).and_then(|socket| socket.receive);
        receive.map_or(Ok(()), |receive| self.cancel_receive(receive))
    }

    fn target(&self, socket: Key) -> Result<Target, NotQueued> {
        let socket = self.sockets.find(socket);
        socket.map(Socket::target).ok_or(NotQueued::UnknownSocket)
    }

    /// Asks the kernel to give up a request in flight, which then ends as if it had failed with `ECANCELED`, unless it was
    /// quicker. What the asking itself comes to is not told.
    pub(crate) fn cancel(&mut self, key: Key) -> Result<(), NotQueued> {
        match self.flights.find(key) {
            Some(Flight::Receive(_)) => self.cancel_receive(key),
            Some(Flight::Accept(_)) => self.cancel_accept(key),
            Some(Flight::Plain(_) | Flight::Send(_)) => match self.cancel_send(key) {
                Some(request) => self.queue_cancel(request),
                None => Ok(()),
            },
            Some(Flight::Connect(_) | Flight::Control(_)) => self.queue_cancel(key),
            Some(Flight::Part(_) | Flight::Clock(_)) | None => Err(NotQueued::UnknownRequest),
        }
    }

    /// Queues the request to give up another.
    pub(super) fn queue_cancel(&mut self, key: Key) -> Result<(), NotQueued> {
        let request = Request {
            user_data: key.to_cancel_bits(),
            target: Target::Ring,
            operation: Operation::Cancel {
                user_data: key.to_bits(),
            },
        };
        // SAFETY: the operation uses no memory and names no descriptor.
        unsafe { self.queue(&request) }
    }

    pub(super) fn control_completed(
        &mut self,
        key: Key,
        completion: &Completion,
    ) -> Option<Outcome> {
        let Some(Flight::Control(control)) = self.flights.find(key) else {
            return None;
        };
        let result = match completion.result {
            0.. => Ok(()),
            errno => Err(errno.saturating_neg()),
        };
        match control {
            _ if completion.more || completion.notification => {
                self.strays.duplicate += 1;
                None
            }
            Control::Shutdown => {
                self.flights.remove(key);
                Some(Outcome::ShutDown { key, result })
            }
            Control::Timeout => {
                self.flights.remove(key);
                let result = match result {
                    Err(libc::ETIME) => Ok(()),
                    result => result,
                };
                Some(Outcome::TimedOut { key, result })
            }
        }
    }
}
