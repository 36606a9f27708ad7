use std::os::fd::AsFd;

use super::refused;
use crate::Result;
use crate::sys::queue::{self, Queue};

/// How many bytes can be read without waiting. Of a UDP socket: the length of the next datagram, 0 also for none.
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

/// How many bytes are not done with: of TCP, written and not acknowledged; of others, written and not sent, as the
/// send buffer counts them.
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
    queue::bytes(socket, queue)
        .map(|bytes| u32::try_from(bytes).unwrap_or(0))
        .map_err(|error| refused(operation, socket, error, wants))
}
