use std::num::NonZeroU16;
use std::time::Duration;

use socket2::SockAddr;

use super::{Send, Wish, send_mut};
use crate::sys::memory::Slot;
use crate::sys::uring::engine::{Engine, NotQueued};
use crate::sys::uring::headers::Manner;
use crate::sys::uring::kernel::{Destination, Kernel};
use crate::sys::uring::slab::Key;

impl<K: Kernel> Engine<K> {
    /// Whether what is sent on a socket can have a destination of its own.
    pub(crate) fn check_destination(&self, socket: Key) -> Result<(), NotQueued> {
        let socket = self.sockets.find(socket).ok_or(NotQueued::UnknownSocket)?;
        // The kernel would send to the peer all the same; and a stream's sends may share a request.
        (!socket.has_one_peer)
            .then_some(())
            .ok_or(NotQueued::NoDestination)
    }

    /// Queues a send of a slot's bytes, to an address or cut into datagrams; otherwise like [`send`](Engine::send).
    pub(crate) fn send_directed(
        &mut self,
        socket: Key,
        slot: Slot,
        wish: Wish,
        to: Option<SockAddr>,
        segment: Option<NonZeroU16>,
        within: Option<Duration>,
    ) -> Result<Key, (Slot, NotQueued)> {
        let has_destination = to.is_some();
        let checked = if has_destination {
            self.check_destination(socket)
        } else {
            Ok(())
        };
        let checked = checked.and_then(|()| self.check_message(socket, std::iter::once(&slot)));
        if let Err(error) = checked {
            return Err((slot, error));
        }
        let key = match self.put_in(socket, slot, wish) {
            Ok(key) => key,
            // There is room, as was seen.
            Err(slot) => return Err((slot, NotQueued::Full)),
        };
        self.direct(key, to, segment);
        if let Some(within) = within {
            self.limit(key, within);
        }
        let mut back = None;
        let started = self.start_message(key, socket, |slot| back = Some(slot));
        match (started, back) {
            (Err(error), Some(slot)) => Err((slot, error)),
            _ => Ok(key),
        }
    }

    /// Says where a send goes, and into what it is cut, which the kernel does not have yet.
    pub(crate) fn direct(&mut self, key: Key, to: Option<SockAddr>, segment: Option<NonZeroU16>) {
        let Some(send) = send_mut(&mut self.flights, key) else {
            return;
        };
        send.segment = segment;
        // The kernel answers EFAULT to a message of an empty range in a fixed buffer.
        send.fixed = send.fixed.filter(|_| segment.is_none() || send.len > 0);
        let Some(to) = to else {
            return;
        };
        // An address has at most 128 bytes.
        send.to = u8::try_from(to.len()).unwrap_or(u8::MAX);
        // The key is that of a flight, which has a place.
        self.addresses.put(key, to.as_storage());
    }

    /// How a send goes.
    pub(super) fn manner(&self, key: Key, send: &Send) -> Manner {
        let place = if send.to == 0 {
            None
        } else {
            self.addresses.at(key)
        };
        Manner {
            to: place.map(|address| Destination {
                address,
                len: send.to.into(),
            }),
            segment: send.segment,
        }
    }
}
