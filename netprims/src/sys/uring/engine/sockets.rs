use std::io;
use std::os::fd::{AsRawFd, OwnedFd};

use socket2::{Domain, SockRef, Type};

use super::{Engine, List, NotQueued, TAKING};
#[cfg(test)]
use crate::sys::defect::{Defect, seeded};
use crate::sys::uring::auto::Auto;
use crate::sys::uring::kernel::{Kernel, Target};
use crate::sys::uring::leaked_descriptors;
use crate::sys::uring::slab::Key;
use crate::sys::uring::totals::Totals;

/// A descriptor the engine owns.
pub(super) struct Socket {
    fd: OwnedFd,
    /// Its place in the table of registered files.
    place: Option<u32>,
    /// It refused a zero-copy send.
    pub(super) plain_only: bool,
    /// It was accepted on.
    pub(super) listens: bool,
    /// What is received from it. One at a time: of two, nobody could tell which bytes come first.
    pub(super) receive: Option<Key>,
    /// Its sends must not interleave.
    pub(super) is_stream: bool,
    /// What is sent goes to its peer, whatever it is addressed to.
    pub(super) has_one_peer: bool,
    /// Its kernel keeps the order of what is sent. A stream is such a socket.
    pub(super) is_ordered: bool,
    /// The one send in order that the kernel has, or is about to have, and whose result is not known.
    pub(super) underway: Option<Key>,
    /// Sends that wait for it.
    pub(super) waiting: List,
    /// The send after which the stream has a hole, until that is told: what is sent before would go behind it.
    pub(super) hole: Option<Key>,
    pub(super) auto: Auto,
    pub(super) totals: Totals,
}

/// What there is to know of a socket's sends.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SocketState {
    pub(crate) totals: Totals,
    pub(crate) plain_only: bool,
    /// See [`Auto::plain_for`].
    pub(crate) plain_for: Option<u32>,
}

impl<K: Kernel> Engine<K> {
    /// Takes a socket; gives it back if no number is left for it.
    pub(crate) fn add(&mut self, fd: OwnedFd) -> Result<Key, OwnedFd> {
        let place = self.register_file(&fd);
        // What is no socket has no type.
        let kind = SockRef::from(&fd).r#type();
        let is_stream = matches!(kind, Ok(Type::STREAM));
        let is_ordered = is_stream || keeps_messages_in_order(&fd);
        let is_unix = matches!(SockRef::from(&fd).domain(), Ok(Domain::UNIX));
        let has_one_peer = is_stream || is_unix && matches!(kind, Ok(Type::SEQPACKET));
        let socket = Socket {
            fd,
            place,
            plain_only: false,
            listens: false,
            receive: None,
            is_stream,
            has_one_peer,
            is_ordered,
            underway: None,
            waiting: List::default(),
            hole: None,
            auto: Auto::default(),
            totals: Totals::default(),
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
    /// would keep the connection open. So are its accepts. What waits for its turn to be sent is given up.
    pub(crate) fn remove(&mut self, socket: Key) -> io::Result<Option<OwnedFd>> {
        self.queue_held()?;
        self.arm_again()?;
        let receive = self.sockets.find(socket).and_then(|socket| socket.receive);
        let receive = receive.map_or(Ok(()), |receive| self.cancel_receive(receive));
        match receive.and_then(|()| self.cancel_accepts_of(socket)) {
            Err(NotQueued::Enter(error)) => return Err(error),
            Err(NotQueued::Full) => return Err(io::Error::from_raw_os_error(libc::EBUSY)),
            _ => {}
        }
        let is_queued = |queued: usize| queued > 0;
        #[cfg(test)]
        let is_queued = |queued| is_queued(queued) && !seeded(Defect::CloseWhatIsQueued);
        if is_queued(self.kernel.queued()) {
            self.kernel.hand_over(TAKING)?;
        }
        #[cfg(test)]
        let is_queued = |queued| is_queued(queued) && !seeded(Defect::TrustTheThread);
        if is_queued(self.kernel.queued()) {
            return Err(io::Error::from_raw_os_error(libc::EBUSY));
        }
        self.give_up_waiting(socket);
        let Some(socket) = self.sockets.remove(socket) else {
            return Ok(None);
        };
        self.gone.add_all(&socket.totals);
        if let Some(place) = socket.place {
            self.unregister_file(place);
        }
        Ok(Some(socket.fd))
    }

    /// Leaves the descriptors open, counted, that requests name which may still be taken: a number that is free may soon be
    /// another file's.
    pub(super) fn forget_what_is_queued(&mut self) {
        if !self.kernel.is_taken_by_others() || self.kernel.queued() == 0 {
            return;
        }
        // The queue does not tell which they are.
        for socket in self.sockets.drain() {
            // A place in the table of registered files holds a reference of its own.
            if socket.place.is_none() {
                leaked_descriptors::count(socket.fd);
            }
        }
    }

    /// Whether a socket is in the table of registered files.
    pub(crate) fn is_registered(&self, socket: Key) -> Option<bool> {
        self.sockets
            .find(socket)
            .map(|socket| socket.place.is_some())
    }

    /// What there is to know of a socket's sends.
    pub(crate) fn socket_state(&self, socket: Key) -> Option<SocketState> {
        let socket = self.sockets.find(socket)?;
        Some(SocketState {
            totals: socket.totals,
            plain_only: socket.plain_only,
            plain_for: socket.auto.plain_for(),
        })
    }
}

/// Whether messages arrive in the order they were sent, and none gets lost on the way.
fn keeps_messages_in_order(fd: &OwnedFd) -> bool {
    let socket = SockRef::from(fd);
    match socket.r#type() {
        Ok(Type::SEQPACKET) => true,
        Ok(Type::DGRAM) => matches!(socket.domain(), Ok(Domain::UNIX)),
        _ => false,
    }
}

impl Socket {
    /// How a request names it. A request that does so must be taken by the kernel before the socket leaves the table,
    /// which `remove` sees to; dropping the engine hands over or discards the queue, with the ring, before it closes any, or
    /// closes none.
    pub(super) fn target(&self) -> Target {
        match self.place {
            Some(place) => Target::Registered(place),
            None => Target::Descriptor(self.fd.as_raw_fd()),
        }
    }

    pub(super) fn fd(&self) -> &OwnedFd {
        &self.fd
    }

    /// Whether it, or its peer, has shut down what is received. Costs a system call.
    pub(super) fn is_shut_for_reading(&self) -> bool {
        let mut looked = libc::pollfd {
            fd: self.fd.as_raw_fd(),
            events: libc::POLLRDHUP,
            revents: 0,
        };
        // SAFETY: it points to one element, as the count says, and the descriptor is open.
        let ready = unsafe { libc::poll(&raw mut looked, 1, 0) };
        ready == 1 && looked.revents & libc::POLLRDHUP != 0
    }

    /// `SOCK_STREAM` and the like. What is no socket says so when it is received from.
    pub(super) fn kind(&self) -> i32 {
        let kind = SockRef::from(&self.fd).r#type();
        kind.map_or(libc::SOCK_STREAM, i32::from)
    }

    /// Whether it says ENOBUFS itself, of messages that it had no room for.
    pub(super) fn tells_overruns(&self) -> bool {
        let domain = SockRef::from(&self.fd).domain();
        domain.is_ok_and(|domain| domain == Domain::from(libc::AF_NETLINK))
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
