//! Batches of UDP datagrams: many a system call, in both directions.
//!
//! A [`SendBatch`] hands any number of messages to `sendmmsg`, a [`ReceiveBatch`] takes what is there by `recvmmsg`.
//! Both are made once and used again and again: a call allocates nothing. They work on any UDP socket, of std, socket2,
//! tokio or this crate, blocking or not, over IPv4, IPv6 or both, and with whatever options the socket has.
//!
//! # Segmentation
//!
//! An [`Outgoing`] message with a [`segment`](Outgoing::segment) size is cut into datagrams of that size, the last of
//! which may be shorter. The kernel, or even the NIC, does that (`UDP_SEGMENT`, GSO): up to [`MAX_SEGMENTS`] datagrams
//! pass through the stack as one. The batch keeps the kernel's limits by itself, so a message may be of any length. Where
//! the path has no such offload (`EIO`), the batch cuts by itself from then on: see [`SendBatch::segmentation`].
//!
//! The other way round, a socket with [`Tuning::udp_gro`](crate::tuning::Tuning::udp_gro) gets several datagrams of one
//! peer in one piece; [`Incoming::datagrams`] gives them one by one. Without the option every piece is one datagram.
//!
//! # What comes with a datagram
//!
//! is what the socket was asked for: [`Details`] for addresses, service class and drops,
//! [`Tuning::timestamping`](crate::tuning::Tuning::timestamping) for times.
//!
//! ```
//! use std::net::UdpSocket;
//! use netprims::datagram::{Details, Outgoing, ReceiveBatch, SendBatch};
//! use netprims::tuning::Tuning;
//!
//! let server = UdpSocket::bind("127.0.0.1:0")?;
//! Tuning::new().udp_gro(true).apply(&server)?;
//! Details::DESTINATION.and(Details::TRAFFIC_CLASS).request(&server)?;
//! let client = UdpSocket::bind("127.0.0.1:0")?;
//!
//! // Ten datagrams of 1200 bytes and one of 345.
//! let data = vec![7; 12_345];
//! let mut batch = SendBatch::new(16)?;
//! let sent = batch.send(&client, &[Outgoing::new(&data).to(server.local_addr()?).segment(1200)])?;
//! assert_eq!((sent.messages(), sent.datagrams(), sent.bytes()), (1, 11, 12_345));
//!
//! let mut batch = ReceiveBatch::new(8, ReceiveBatch::LARGEST)?;
//! let mut sizes = Vec::new();
//! while sizes.len() < 11 {
//!     for incoming in &batch.receive(&server)? {
//!         assert_eq!(incoming.destination(), Some("127.0.0.1".parse()?));
//!         sizes.extend(incoming.datagrams().map(<[u8]>::len));
//!     }
//! }
//! assert_eq!(sizes, [1200, 1200, 1200, 1200, 1200, 1200, 1200, 1200, 1200, 1200, 345]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # With an event loop
//!
//! On a non-blocking socket neither call waits, and neither makes an error of it: a [`Sent`] that
//! [is blocked](Sent::is_blocked) and an empty [`Received`] say so. With tokio:
//!
//! ```text
//! socket.async_io(Interest::READABLE, || match batch.receive(&socket) {
//!     Ok(received) if received.is_empty() => Err(io::ErrorKind::WouldBlock.into()),
//!     Ok(received) => Ok(handle(received)),
//!     Err(error) => Err(io::Error::other(error)),
//! })
//! ```

pub(crate) mod address;
mod circumstances;
mod details;
mod family;
mod fault;
mod incoming;
mod outgoing;
mod pieces;
mod receive;
mod send;
mod sent;
mod traffic_class;

pub use details::Details;
pub use fault::Fault;
pub use incoming::{Datagrams, Incoming};
pub use outgoing::Outgoing;
pub use receive::{Pieces, ReceiveBatch, Received};
pub use send::{Segmentation, SendBatch};
pub use sent::Sent;
pub use traffic_class::{Ecn, TrafficClass};

use crate::sys::datagrams;

/// As many messages as one system call takes.
#[doc(alias = "UIO_MAXIOV")]
pub const MAX_MESSAGES: usize = datagrams::MOST;

/// As many datagrams as the batch lets the kernel cut from one piece: the limit of Linux 4.18. Newer kernels take 128,
/// which makes a difference only below 1024 bytes a datagram.
#[doc(alias = "UDP_MAX_SEGMENTS")]
pub const MAX_SEGMENTS: usize = 64;

/// Refuses a number of messages no call can have.
fn check_capacity(what: &'static str, messages: usize) -> crate::Result<()> {
    if (1..=MAX_MESSAGES).contains(&messages) {
        return Ok(());
    }
    Err(crate::Error::InvalidValue {
        option: what,
        value: format!("{messages} messages"),
        reason: "a batch has 1 to 1024 messages a call",
    })
}
