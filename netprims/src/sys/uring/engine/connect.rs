use std::time::Duration;

use socket2::SockAddr;

use super::limit::{Limit, timespec};
use super::{Engine, Flight, NotQueued, Outcome};
use crate::sys::uring::kernel::{Completion, Kernel, Operation, Request, Target};
use crate::sys::uring::slab::Key;

/// A connect. It leaves the table with its last completion and its limit's.
pub(super) struct Connect {
    result: Option<Result<(), i32>>,
    limit: Limit,
}

impl<K: Kernel> Engine<K> {
    /// Queues a connect(2), to be given up after a time.
    pub(crate) fn connect(
        &mut self,
        socket: Key,
        address: SockAddr,
        within: Option<Duration>,
    ) -> Result<Key, NotQueued> {
        let target = self
            .sockets
            .find(socket)
            .ok_or(NotQueued::UnknownSocket)?
            .target();
        let limit = within.map_or(Limit::Without, |_| Limit::Running);
        let flight = Flight::Connect(Connect {
            result: None,
            limit,
        });
        let key = self.flights.insert(flight).map_err(|_| NotQueued::Full)?;
        let queued = self.push_connect(key, target, address, within);
        if queued.is_err() {
            self.flights.remove(key);
        }
        queued.map(|()| key)
    }

    fn push_connect(
        &mut self,
        key: Key,
        target: Target,
        address: SockAddr,
        within: Option<Duration>,
    ) -> Result<(), NotQueued> {
        let len = address.len();
        let place = self.addresses.put(key, address.as_storage());
        let address = place.ok_or(NotQueued::UnknownRequest)?;
        let request = Request {
            user_data: key.to_bits(),
            target,
            operation: Operation::Connect { address, len },
        };
        let Some(within) = within else {
            // SAFETY: the address lies in the flight's place of `addresses`, which is freed when nothing is in the kernel
            // and leaked otherwise; it is written when the next flight gets the place, after this one's last completion.
            // The descriptor is in `sockets`, which closes none that a queued request names.
            return unsafe { self.queue(&request) };
        };
        let place = self.times.put(key, timespec(within));
        let limit = Request {
            user_data: key.to_limit_bits(),
            target: Target::Ring,
            operation: Operation::Limit {
                after: place.ok_or(NotQueued::UnknownRequest)?,
            },
        };
        // SAFETY: as above, for the address and for the time; the flight stays until both have had their last completion.
        unsafe { self.queue_both(&request, &limit) }
    }

    pub(super) fn connect_completed(
        &mut self,
        key: Key,
        completion: &Completion,
    ) -> Option<Outcome> {
        let connect = self.connect_mut(key)?;
        if connect.result.is_some() || completion.more || completion.notification {
            self.strays.duplicate += 1;
            return None;
        }
        connect.result = Some(match completion.result {
            0.. => Ok(()),
            result => Err(result.saturating_neg()),
        });
        self.connected(key)
    }

    pub(super) fn connect_limit_completed(
        &mut self,
        key: Key,
        completion: &Completion,
    ) -> Option<Outcome> {
        let connect = self.connect_mut(key)?;
        match connect.limit.after(completion.result) {
            Some(limit) if !completion.more && !completion.notification => connect.limit = limit,
            _ => {
                self.strays.duplicate += 1;
                return None;
            }
        }
        self.connected(key)
    }

    /// Tells the result once nothing more is to come.
    fn connected(&mut self, key: Key) -> Option<Outcome> {
        let connect = self.connect_mut(key)?;
        let limit = connect.limit;
        let result = connect.result.filter(|_| !limit.is_running())?;
        self.flights.remove(key);
        let result = limit.judge(result);
        Some(Outcome::Connected { key, result })
    }

    fn connect_mut(&mut self, key: Key) -> Option<&mut Connect> {
        match self.flights.find_mut(key) {
            Ok(Flight::Connect(connect)) => Some(connect),
            _ => None,
        }
    }
}
