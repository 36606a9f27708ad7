use std::io;
use std::os::fd::{AsRawFd, OwnedFd};

use socket2::SockRef;

use super::{Engine, NotQueued, TAKING};
#[cfg(test)]
use crate::sys::defect::{Defect, seeded};
use crate::sys::uring::kernel::{Kernel, Target};
use crate::sys::uring::slab::Key;

/// A descriptor the engine owns.
pub(super) struct Socket {
    fd: OwnedFd,
    /// Its place in the table of registered files.
    place: Option<u32>,
    /// It refused a zero-copy send.
    pub(super) plain_only: bool,
    /// What is received from it. One at a time: of two, nobody could tell which bytes come first.
    pub(super) receive: Option<Key>,
}

impl<K: Kernel> Engine<K> {
    /// Takes a socket; gives it back if no number is left for it.
    pub(crate) fn add(&mut self, fd: OwnedFd) -> Result<Key, OwnedFd> {
        let place = self.register_file(&fd);
        let socket = Socket {
            fd,
            place,
            plain_only: false,
            receive: None,
        };
        self.sockets.insert_growing(socket).map_err(|socket| {
            if let Some(place) = socket.place {
                self.unregister_file(place);
            }
            socket.fd
        })
    }

    /// Gives a socket back. What is held and queued is handed to the kernel first, because it needs the socket, and a
    /// queued request names the descriptor by its number. What is received from it is cancelled: a request that goes on
    /// would keep the connection open.
    pub(crate) fn remove(&mut self, socket: Key) -> io::Result<Option<OwnedFd>> {
        self.queue_held()?;
        self.arm_again()?;
        let receive = self.sockets.find(socket).and_then(|socket| socket.receive);
        match receive.map(|receive| self.cancel_receive(receive)) {
            Some(Err(NotQueued::Enter(error))) => return Err(error),
            Some(Err(NotQueued::Full)) => return Err(io::Error::from_raw_os_error(libc::EBUSY)),
            _ => {}
        }
        let is_queued = |queued: usize| queued > 0;
        #[cfg(test)]
        let is_queued = |queued| is_queued(queued) && !seeded(Defect::CloseWhatIsQueued);
        if is_queued(self.kernel.queued()) {
            self.kernel.hand_over(TAKING)?;
        }
        if is_queued(self.kernel.queued()) {
            return Err(io::Error::from_raw_os_error(libc::EBUSY));
        }
        let Some(socket) = self.sockets.remove(socket) else {
            return Ok(None);
        };
        if let Some(place) = socket.place {
            self.unregister_file(place);
        }
        Ok(Some(socket.fd))
    }

    /// Whether a socket is in the table of registered files.
    pub(crate) fn is_registered(&self, socket: Key) -> Option<bool> {
        self.sockets
            .find(socket)
            .map(|socket| socket.place.is_some())
    }

    /// Whether a socket refused a zero-copy send, so that its sends are plain.
    pub(crate) fn is_plain_only(&self, socket: Key) -> Option<bool> {
        self.sockets.find(socket).map(|socket| socket.plain_only)
    }
}

impl Socket {
    /// How a request names it. A request that does so must be taken by the kernel before the socket leaves the table,
    /// which `remove` sees to; dropping the engine hands over or discards the queue, with the ring, before it closes any.
    pub(super) fn target(&self) -> Target {
        match self.place {
            Some(place) => Target::Registered(place),
            None => Target::Descriptor(self.fd.as_raw_fd()),
        }
    }

    /// `SOCK_STREAM` and the like. What is no socket says so when it is received from.
    pub(super) fn kind(&self) -> i32 {
        let kind = SockRef::from(&self.fd).r#type();
        kind.map_or(libc::SOCK_STREAM, i32::from)
    }

    /// Keeps the close from waiting until the peer has taken everything. A linger of zero is the wish to reset the
    /// connection, which waits for nothing.
    pub(super) fn do_not_linger(&self) {
        let socket = SockRef::from(&self.fd);
        if matches!(socket.linger(), Ok(Some(time)) if !time.is_zero()) {
            // What is no socket does not linger.
            let _ = socket.set_linger(None);
        }
    }
}
