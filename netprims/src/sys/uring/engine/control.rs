use super::{Engine, Flight, NotQueued, Outcome};
use crate::sys::uring::kernel::{Completion, Kernel, Operation, Request, Target};
use crate::sys::uring::slab::Key;

/// A request that moves no bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Control {
    Shutdown,
}

impl<K: Kernel> Engine<K> {
    /// Queues a shutdown(2).
    pub(crate) fn shutdown(&mut self, socket: Key, how: i32) -> Result<Key, NotQueued> {
        self.control(socket, Control::Shutdown, Operation::Shutdown { how })
    }

    /// Asks the kernel to give up a request in flight, which then ends as if it had failed with `ECANCELED`, unless it was
    /// quicker. What the asking itself comes to is not told.
    pub(crate) fn cancel(&mut self, key: Key) -> Result<(), NotQueued> {
        self.flights.find(key).ok_or(NotQueued::UnknownRequest)?;
        if self.give_up_accept(key) {
            return Ok(());
        }
        let request = Request {
            user_data: Key::OF_NOBODY,
            target: Target::Ring,
            operation: Operation::Cancel {
                user_data: key.to_bits(),
            },
        };
        // SAFETY: the operation uses no memory and names no descriptor.
        unsafe { self.queue(&request) }
    }

    /// Queues a request that uses no memory.
    fn control(
        &mut self,
        socket: Key,
        control: Control,
        operation: Operation,
    ) -> Result<Key, NotQueued> {
        let target = self
            .sockets
            .find(socket)
            .ok_or(NotQueued::UnknownSocket)?
            .target();
        let key = self
            .flights
            .insert(Flight::Control(control))
            .map_err(|_| NotQueued::Full)?;
        let request = Request {
            user_data: key.to_bits(),
            target,
            operation,
        };
        // SAFETY: the operation uses no memory. The descriptor is in `sockets`, which closes none that a queued request
        // names.
        let queued = unsafe { self.queue(&request) };
        if queued.is_err() {
            self.flights.remove(key);
        }
        queued.map(|()| key)
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
            Control::Shutdown if completion.more || completion.notification => {
                self.strays.duplicate += 1;
                None
            }
            Control::Shutdown => {
                self.flights.remove(key);
                Some(Outcome::ShutDown { key, result })
            }
        }
    }
}
