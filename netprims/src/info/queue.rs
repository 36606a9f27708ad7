use std::os::fd::AsFd;

use super::refused;
use crate::Result;
use crate::sys::queue::{self, Queue};

/// How many bytes can be read without waiting.
///
/// - TCP: up to an urgent byte, where one read ends; 0 at the urgent byte, whatever comes behind it.
/// - UDP and Unix datagrams: the length of the next datagram; 0 also for none.
/// - Unix streams and sequenced packets: all of it.
///
/// # Errors
///
/// [`Error::System`](crate::Error::System) saying so: `ENOTSOCK` if it is no socket, `EINVAL` if it listens, `ENOTTY` if
/// its kind does not tell.
///
/// Source: SIOCINQ in tcp(7), udp(7) and unix(7).
#[doc(alias = "SIOCINQ")]
#[doc(alias = "FIONREAD")]
pub fn unread(socket: &impl AsFd) -> Result<u32> {
    ask("ioctl SIOCINQ of", socket, Queue::Unread)
}

/// How much is not done with.
///
/// - TCP: bytes written and not acknowledged, as the peer will read them.
/// - Others: what the send buffer counts, which is the memory that packets take and more than the bytes in them. Of UDP,
///   what was not sent yet; of Unix sockets, what the peer has not read yet.
///
/// # Errors
///
/// As [`unread`].
///
/// Source: SIOCOUTQ in tcp(7), udp(7) and unix(7).
#[doc(alias = "SIOCOUTQ")]
#[doc(alias = "TIOCOUTQ")]
pub fn outstanding(socket: &impl AsFd) -> Result<u32> {
    ask("ioctl SIOCOUTQ of", socket, Queue::Outstanding)
}

/// How many bytes were written to a TCP socket and not sent yet. [`TcpInfo::unsent_bytes`](super::TcpInfo::unsent_bytes)
/// is the same.
///
/// # Errors
///
/// As [`unread`].
///
/// Source: SIOCOUTQNSD in `include/uapi/linux/sockios.h`.
#[doc(alias = "SIOCOUTQNSD")]
pub fn unsent(socket: &impl AsFd) -> Result<u32> {
    ask("ioctl SIOCOUTQNSD of", socket, Queue::Unsent)
}

fn ask(operation: &'static str, socket: &impl AsFd, queue: Queue) -> Result<u32> {
    let wants = "its kind of socket does not tell";
    // A count is never negative.
    queue::of_socket(socket.as_fd(), queue)
        .map(|bytes| u32::try_from(bytes).unwrap_or(0))
        .map_err(|error| refused(operation, socket, error, wants))
}
