//! Zero-copy sends over io_uring that cannot touch freed memory, and that tell whether they copied.
//!
//! A [`Ring`] belongs to one thread. It owns its sockets ([`Ring::add`]) and the memory it sends from: a [`TxPool`]
//! maps and registers it, a [`TxBuf`] is one slot of it with one owner. Sending moves the buffer in; it comes back at
//! the kernel's *last* completion:
//!
//! 1. [`Event::Sent`]: the result is known. The buffer is not yet free: packets, or the socket's retransmission queue,
//!    still refer to it.
//! 2. [`Event::Released`]: here is the buffer, and what became of its bytes ([`Usage`]).
//!
//! [`Ring::send`] that could not queue gives the buffer back at once, in [`Rejected`]. A buffer is never lost, and never
//! reused or unmapped while the kernel may read it; that holds when values are dropped in any order, when they are
//! passed to `mem::forget`, and when the handler panics.
//!
//! # Does it pay?
//!
//! Over loopback and veth every byte is copied, and a zero-copy send costs more than a plain one. Over a device with
//! scatter-gather it starts to pay at some ten kilobytes per send. By default the ring finds out for each socket
//! ([`ZcPolicy::Auto`]): it looks at what became of the zero-copy sends, and goes over to plain ones where the kernel
//! copies all the same. It tells which it was: [`Ring::totals`], and [`Ring::send_stats`] for one socket.
//!
//! # Short sends and order
//!
//! On a stream socket the ring goes on until all bytes are taken, and sends that are queued together keep their order: the
//! kernel has one request of a stream at a time, and what is sent meanwhile waits for its turn. Small plain sends that have
//! waited go as one request, 64 KiB at most. There is no need to wait for an event before the next send; having many
//! buffers between `Sent` and `Released` is what makes zero-copy fast.
//!
//! [`Event::Sent`] may report fewer bytes than the buffer has, or an error: when the connection fails, or when the send is
//! cancelled half way. The stream then has a hole, and the sends that were queued behind it, made for a stream without
//! one, are not sent: they end with `ECANCELED`, told right after it. The socket stays usable, since only its owner knows
//! whether the peer can make sense of what comes next: a send that is queued after the failure was told is tried. A send
//! that ends with `ECANCELED` itself, because somebody cancelled it before anything of it was taken, leaves no hole, and
//! those behind it go on.
//!
//! Messages are sent whole. Where the kernel keeps their order, on `SOCK_SEQPACKET` and Unix datagram sockets, so does the
//! ring: it has one request of such a socket at a time, too, and one that fails lets the next have its turn.
//!
//! Of other datagrams the kernel has all at once. They leave in the order they were queued as long as the
//! socket's send buffer has room, also when the socket refuses to send without copying and the ring sends them again. One
//! that finds no room waits, and what is queued behind it may pass it: who needs the order waits for `Sent`.
//!
//! [`Ring::send_vectored`] sends several buffers as one: one datagram, or one piece of a stream. [`Ring::send_to`] says where
//! a datagram goes, and [`SendOptions::segment`] has the kernel cut one into many.
//!
//! # Receiving
//!
//! [`Ring::rx_pool`] maps memory to receive into, and [`RxPool::report`] says on which rung of the ladder, and why not on a
//! higher one. [`Ring::receive`] then goes on until the socket ends: [`Event::Received`] lends its bytes to the handler,
//! and [`Chunk::detach`] keeps them. A pool [for messages](RxPlan::messages) receives datagrams with their
//! [source](Chunk::source), so that a server can answer, and with [what else](Chunk::incoming) the kernel tells of them. The
//! ring makes the kernel's requests anew when they end, and waits for memory when there is none: [`RxStats`] counts it.
//!
//! The highest rung, zero-copy receive, is asked for ([`RxPlan::zero_copy`]), and needs a ring that is built for it
//! ([`RingBuilder::zero_copy_receive`]), CAP_NET_ADMIN and Linux 6.15; [`NoZeroCopyRx`] says what is missing. Over a
//! device's queue the device writes into the pool ([`readiness`] looks whether one is set up for it); without a device the
//! kernel copies. It was tested without a device and against a kernel of the tests' making, and **not run on hardware**.
//!
//! # Connections
//!
//! [`Ring::accept`] tells every connection that comes to a listener, [`Ring::connect_within`] makes one or gives up, and what
//! they bring goes into a ring with [`Ring::add`]. [`Ring::timeout`] is a clock, [`Ring::cancel`] and [`Ring::cancel_all`]
//! end what takes too long. A handler that answers what it is told does so at once, through the [`Queue`] of
//! [`Ring::poll_with`]. To wait for a ring beside other things, make it [pollable](Ring::pollable), or, with the feature
//! `tokio`, an `AsyncRing`.
//!
//! # Kernels
//!
//! Linux 6.0 or newer. The usage report of zero-copy sends needs 6.2 or a maintained 6.1 (before, it is
//! [`Usage::Unknown`]), and deferred task work, which keeps completions on the caller's thread, 6.1. What is missing is
//! done without, and [`Ring::capabilities`] says so. Where io_uring itself is refused, [`Refusal`] says by whom.
//!
//! # A service, step by step
//!
//! 1. [Build](Ring::builder) the ring on the thread that will poll it, with as many requests
//!    [in flight](RingBuilder::in_flight) as its connections need: a receive each, its sends, a timeout.
//! 2. Make a [pool to send from](Ring::tx_pool) and one to [receive into](Ring::rx_pool); print the latter's
//!    [report](RxPool::report) once.
//! 3. [Add](Ring::add) the listener and [accept](Ring::accept). Add each connection that comes, and
//!    [receive](Ring::receive) from it.
//! 4. [Poll](Ring::poll). The handler is told what has happened, and notes it. After the poll, or at once where the
//!    [handler may queue](Ring::poll_with), [take](TxPool::take) buffers, fill them and [send](Ring::send) them, as many as
//!    there are: nothing waits for a result.
//! 5. When all was sent ([`Event::Sent`] of the last), [shut down](Ring::shutdown), [remove](Ring::remove) the socket, and
//!    close it. A peer that takes nothing (a [timeout](Ring::timeout) tells, or [a limit](SendOptions::within) of each
//!    send): [cancel all](Ring::cancel_all), and have the close reset the connection
//!    ([`Tuning::linger`](crate::tuning::Tuning::linger) of zero), or the kernel keeps its buffers for minutes.
//! 6. At the end, poll until nothing is [in flight](Ring::in_flight), or drop the ring, which waits a
//!    [bounded time](RingBuilder::drain_limit).
//!
//! The handler of [`Ring::poll`] cannot ask anything of the ring, which is busy telling (the borrow checker sees to it). What
//! it may do: look at a [`Chunk`], [keep](Chunk::detach) it, take a buffer and fill it, drop or pass on what an event brings.
//! The handler of [`Ring::poll_with`] is given a [`Queue`] besides, and sends, receives and cancels right there. Either should
//! be short, since completions wait for it. It may panic: only the event it was given is lost.
//!
//! | asked for with | events, the last one in bold |
//! |---|---|
//! | [`send`](Ring::send), [`send_to`](Ring::send_to) | [`Sent`](Event::Sent), **[`Released`](Event::Released)** |
//! | [`send_vectored`](Ring::send_vectored), [`send_vectored_to`](Ring::send_vectored_to) | [`Sent`](Event::Sent), then **[`Released`](Event::Released)**, one for each buffer |
//! | [`receive`](Ring::receive) | [`Received`](Event::Received), again and again, **[`ReceiveEnded`](Event::ReceiveEnded)** |
//! | [`accept`](Ring::accept) | [`Accepted`](Event::Accepted), again and again, **[`AcceptEnded`](Event::AcceptEnded)** |
//! | [`connect`](Ring::connect), [`connect_within`](Ring::connect_within) | **[`Connected`](Event::Connected)** |
//! | [`shutdown`](Ring::shutdown) | **[`ShutDown`](Event::ShutDown)** |
//! | [`timeout`](Ring::timeout) | **[`TimedOut`](Event::TimedOut)** |
//! | [`cancel`](Ring::cancel), [`cancel_all`](Ring::cancel_all) | none of their own: what they end tells its last |
//!
//! Every request has exactly one last event, unless the ring is dropped before. Until then its [`Ticket`] names it.
//! A pool to send from is pinned, and counts against `RLIMIT_MEMLOCK` (8 MiB unless the system says otherwise) for a
//! process without CAP_IPC_LOCK: making it fails where that is too little. No other privilege is needed, but for zero-copy
//! receive.
//!
//! # Example
//!
//! ```
//! use std::net::{TcpListener, TcpStream};
//! use netprims::ring::{Event, Ring, Wait, ZcPolicy};
//!
//! let listener = TcpListener::bind("127.0.0.1:0")?;
//! let stream = TcpStream::connect(listener.local_addr()?)?;
//!
//! let mut ring = Ring::builder().build()?;
//! let pool = ring.tx_pool(16, 64 * 1024)?;
//! let socket = ring.add(stream)?;
//!
//! let mut buf = pool.take().expect("a fresh pool has free slots");
//! buf.set_len(5)?;
//! buf.copy_from_slice(b"hello");
//! ring.send(socket, buf, ZcPolicy::Always)?;
//!
//! let mut back = None;
//! while back.is_none() {
//!     ring.poll(Wait::Forever, |event| match event {
//!         Event::Sent { result, .. } => println!("sent {result:?}"),
//!         Event::Released { buf, usage, .. } => {
//!             println!("{usage:?}");
//!             back = Some(buf);
//!         }
//!         _ => {}
//!     })?;
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod address;
#[cfg(feature = "tokio")]
mod async_ring;
mod builder;
mod capabilities;
mod control;
mod core;
mod event;
mod known;
mod leaked;
mod no_memory;
mod no_zero_copy_rx;
mod pollable;
mod queue;
pub mod readiness;
mod receive;
mod refusal;
mod release;
#[expect(
    clippy::module_inception,
    reason = "the folder's main type has its own file"
)]
mod ring;
mod send;
mod send_options;
mod send_stats;
mod send_to;
mod shortage;
mod ticket;
mod zero_copy_rx;

pub use crate::buffer::{Rejected, TxBuf, TxPool, Usage, leaked_bytes};
pub use crate::sys::uring::{AutoPolicy, Strays, Totals};
pub use address::Address;
#[cfg(feature = "tokio")]
pub use async_ring::AsyncRing;
pub use builder::{BusyPoll, RingBuilder, SqPoll};
pub use capabilities::Capabilities;
pub use event::{Event, Socket, Wait};
pub use known::Known;
pub use leaked::leaked_descriptors;
pub use no_zero_copy_rx::NoZeroCopyRx;
pub use pollable::PollableRing;
pub use queue::Queue;
pub use receive::{
    Chunk, Declined, ReceiveEnd, Rung, RxBuf, RxPlan, RxPool, RxReport, RxStats, Wanted, WhyNot,
};
pub use refusal::Refusal;
pub use ring::Ring;
pub use send_options::{SendOptions, ZcPolicy};
pub use send_stats::{AutoState, SendStats};
pub use shortage::Shortage;
pub use ticket::Ticket;
pub use zero_copy_rx::ZeroCopyRx;
