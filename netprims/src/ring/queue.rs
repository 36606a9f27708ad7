use std::fmt;
use std::marker::PhantomData;
use std::net::{Shutdown, SocketAddr};
use std::os::fd::OwnedFd;
use std::time::Duration;

use super::ring::not_queued;
use super::{Rejected, RxPool, SendOptions, Socket, Ticket, TxBuf};
use crate::sys::uring::{Engine, Key, Live, NotQueued};
use crate::{Error, Result};

/// The way into a ring for the handler of its [`poll_with`](super::Ring::poll_with): what an event calls for is queued while it is
/// told, its bytes still at hand.
///
/// Each method does what the [`Ring`](super::Ring)'s of the same name does, and fails as it does. What is not here, such as
/// making pools and polling, is done when the poll has returned.
///
/// It may be used whatever becomes of the event: a [`Chunk`](super::Chunk) borrows the pool's memory, not the ring, and goes
/// back when the handler has returned.
pub struct Queue<'a> {
    pub(super) engine: &'a mut Engine<Live>,
    /// As the ring, neither `Send` nor `Sync`.
    _one_thread: PhantomData<*const ()>,
}

impl<'a> Queue<'a> {
    #[inline]
    pub(super) fn new(engine: &'a mut Engine<Live>) -> Self {
        Self {
            engine,
            _one_thread: PhantomData,
        }
    }

    /// As [`Ring::add`](super::Ring::add).
    ///
    /// # Errors
    ///
    /// As there.
    pub fn add(&mut self, socket: impl Into<OwnedFd>) -> Result<Socket> {
        let key = self
            .engine
            .add(socket.into())
            .map_err(|_| Error::RingFull)?;
        let ring = self.engine.id();
        Ok(Socket { ring, key })
    }

    /// As [`Ring::remove`](super::Ring::remove).
    ///
    /// # Errors
    ///
    /// As there.
    pub fn remove(&mut self, socket: Socket) -> Result<OwnedFd> {
        let key = self.key_of(socket)?;
        self.engine
            .remove(key)
            .map_err(|error| Error::system("io_uring_enter", "ring", error))?
            .ok_or(Error::UnknownSocket)
    }

    /// As [`Ring::send`](super::Ring::send).
    ///
    /// # Errors
    ///
    /// As there.
    #[inline]
    pub fn send(
        &mut self,
        socket: Socket,
        buf: TxBuf,
        options: impl Into<SendOptions>,
    ) -> Result<Ticket, Rejected> {
        let ring = self.engine.id();
        if socket.ring != ring {
            return Err(rejected(buf, NotQueued::UnknownSocket));
        }
        let options = options.into();
        if options.segment_size().is_some() {
            return self.send_directed(socket, buf, None, options);
        }
        let (slot, wish) = (buf.into_slot(), options.wish());
        let queued = match options.limit() {
            None => self.engine.send(socket.key, slot, wish),
            Some(within) => self.engine.send_within(socket.key, slot, wish, within),
        };
        match queued {
            Ok(key) => Ok(Ticket::new(ring, key)),
            Err((slot, error)) => Err(rejected(TxBuf::new(slot), error)),
        }
    }

    /// As [`Ring::send_vectored`](super::Ring::send_vectored).
    ///
    /// # Errors
    ///
    /// As there.
    pub fn send_vectored(
        &mut self,
        socket: Socket,
        bufs: &mut Vec<TxBuf>,
        options: impl Into<SendOptions>,
    ) -> Result<Ticket> {
        self.send_message(socket, bufs, None, options.into())
    }

    /// As [`Ring::receive`](super::Ring::receive).
    ///
    /// # Errors
    ///
    /// As there.
    pub fn receive(&mut self, socket: Socket, pool: &RxPool) -> Result<Ticket> {
        let socket = self.key_of(socket)?;
        let queued = self.engine.receive(socket, pool.handle());
        self.ticket(queued)
    }

    /// As [`Ring::receive_until_idle`](super::Ring::receive_until_idle).
    ///
    /// # Errors
    ///
    /// As there.
    pub fn receive_until_idle(
        &mut self,
        socket: Socket,
        pool: &RxPool,
        limit: Duration,
    ) -> Result<Ticket> {
        if limit.is_zero() {
            return Err(Error::InvalidValue {
                option: "receive_until_idle",
                value: "0".to_owned(),
                reason: "every receive would be idle at once",
            });
        }
        let socket = self.key_of(socket)?;
        let queued = self.engine.receive_until_idle(socket, pool.handle(), limit);
        self.ticket(queued)
    }

    /// As [`Ring::accept`](super::Ring::accept).
    ///
    /// # Errors
    ///
    /// As there.
    pub fn accept(&mut self, listener: Socket) -> Result<Ticket> {
        let listener = self.key_of(listener)?;
        let queued = self.engine.accept(listener);
        self.ticket(queued)
    }

    /// As [`Ring::connect`](super::Ring::connect).
    ///
    /// # Errors
    ///
    /// As there.
    pub fn connect(&mut self, socket: Socket, address: SocketAddr) -> Result<Ticket> {
        self.connect_for(socket, address, None)
    }

    /// As [`Ring::connect_within`](super::Ring::connect_within).
    ///
    /// # Errors
    ///
    /// As there.
    pub fn connect_within(
        &mut self,
        socket: Socket,
        address: SocketAddr,
        limit: Duration,
    ) -> Result<Ticket> {
        self.connect_for(socket, address, Some(limit))
    }

    fn connect_for(
        &mut self,
        socket: Socket,
        address: SocketAddr,
        within: Option<Duration>,
    ) -> Result<Ticket> {
        let socket = self.key_of(socket)?;
        let queued = self.engine.connect(socket, address.into(), within);
        self.ticket(queued)
    }

    /// As [`Ring::shutdown`](super::Ring::shutdown).
    ///
    /// # Errors
    ///
    /// As there.
    pub fn shutdown(&mut self, socket: Socket, how: Shutdown) -> Result<Ticket> {
        let socket = self.key_of(socket)?;
        let how = match how {
            Shutdown::Read => libc::SHUT_RD,
            Shutdown::Write => libc::SHUT_WR,
            Shutdown::Both => libc::SHUT_RDWR,
        };
        let queued = self.engine.shutdown(socket, how);
        self.ticket(queued)
    }

    /// As [`Ring::timeout`](super::Ring::timeout).
    ///
    /// # Errors
    ///
    /// As there.
    pub fn timeout(&mut self, after: Duration) -> Result<Ticket> {
        let queued = self.engine.timeout(after);
        self.ticket(queued)
    }

    /// As [`Ring::cancel`](super::Ring::cancel).
    ///
    /// # Errors
    ///
    /// As there.
    pub fn cancel(&mut self, ticket: Ticket) -> Result<()> {
        let key = ticket.key(self.engine.id()).ok_or(Error::ForeignTicket)?;
        self.engine.cancel(key).map_err(not_queued)
    }

    /// As [`Ring::cancel_all`](super::Ring::cancel_all).
    ///
    /// # Errors
    ///
    /// As there.
    pub fn cancel_all(&mut self, socket: Socket) -> Result<()> {
        let socket = self.key_of(socket)?;
        self.engine.cancel_all(socket).map_err(not_queued)
    }

    /// The number of a socket, if it is this ring's.
    fn key_of(&self, socket: Socket) -> Result<Key> {
        let is_own = socket.ring == self.engine.id();
        is_own.then_some(socket.key).ok_or(Error::UnknownSocket)
    }

    fn ticket(&self, queued: Result<Key, NotQueued>) -> Result<Ticket> {
        let ring = self.engine.id();
        queued.map(|key| Ticket::new(ring, key)).map_err(not_queued)
    }
}

#[cold]
fn rejected(buf: TxBuf, error: NotQueued) -> Rejected {
    let error = not_queued(error);
    Rejected { buf, error }
}

impl fmt::Debug for Queue<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Queue")
            .field("in_flight", &self.engine.in_flight())
            .finish_non_exhaustive()
    }
}
