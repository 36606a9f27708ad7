mod congestion_state;
mod fastopen;
mod fields;
mod options;
mod state;

use std::os::fd::AsFd;

pub use congestion_state::CongestionState;
pub use fastopen::FastOpenFailure;
pub use fields::{EcnBytes, RtoTotals};
pub use options::{TcpOptions, WindowScale};
pub use state::TcpState;

use super::given::Given;
use super::refused;
use crate::sys::sockopt;
use crate::{Error, Result};

/// More than three times what the newest kernel has.
const ROOM: usize = 1024;
/// What every kernel since 4.10 gives: up to and with `tcpi_sndbuf_limited`.
const LEAST: usize = 192;
/// How much of it this crate has names for.
const KNOWN: usize = 280;

/// What the kernel knows of a TCP socket, at the moment it was asked.
///
/// The struct grows from kernel to kernel. What every kernel since 4.10 tells is there; a field that came later is
/// `None` on a kernel that does not have it. Fields of kernels newer than this crate are in [`beyond`](Self::beyond).
///
/// Counters begin at 0 with the connection. Those of 32 bits wrap: take differences with `wrapping_sub`.
///
/// ```
/// use std::io::Write;
/// use std::net::{TcpListener, TcpStream};
/// use netprims::info::{TcpInfo, TcpState};
///
/// let listener = TcpListener::bind("127.0.0.1:0")?;
/// let mut stream = TcpStream::connect(listener.local_addr()?)?;
/// stream.write_all(b"hello")?;
///
/// let info = TcpInfo::of(&stream)?;
/// assert_eq!(info.state(), TcpState::Established);
/// println!("round trip {:?}, lowest {:?}", info.rtt(), info.min_rtt());
/// println!("{} segments sent again", info.total_retransmits());
/// // Only of kernels that count them.
/// println!("bytes sent: {:?}", info.bytes_sent());
///
/// let waiting = TcpInfo::of(&listener)?.accept_queue().expect("it listens");
/// assert_eq!(waiting.connections, 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[doc(alias = "tcp_info")]
#[derive(Clone, PartialEq, Eq)]
pub struct TcpInfo {
    given: Given<ROOM>,
}

impl TcpInfo {
    /// Asks the kernel. Of a Multipath TCP socket it tells the first subflow.
    ///
    /// # Errors
    ///
    /// - [`Error::System`] saying so: `ENOTSOCK` if it is no socket, `ENOPROTOOPT` or `EOPNOTSUPP` if it is not TCP.
    /// - [`Error::InvalidValue`] on kernels before 4.10.
    ///
    /// Source: TCP_INFO in tcp(7), `tcp_get_info` in `net/ipv4/tcp.c`, `include/uapi/linux/tcp.h`.
    #[doc(alias = "TCP_INFO")]
    #[doc(alias = "getsockopt")]
    pub fn of(socket: &impl AsFd) -> Result<Self> {
        Given::read(|room| sockopt::tcp_info(socket, room))
            .map_err(|error| refused("getsockopt TCP_INFO of", socket, error, "it is not TCP"))
            .and_then(Self::checked)
    }

    /// Takes a `struct tcp_info` that came another way, such as netlink's `INET_DIAG_INFO`. Bytes past the first 1024 are
    /// dropped.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidValue`]: less than the 192 bytes that Linux 4.10 gives.
    #[doc(alias = "INET_DIAG_INFO")]
    pub fn from_bytes(bytes: &[u8]) -> Result<Self> {
        Self::checked(Given::copy(bytes))
    }

    /// How many bytes the kernel gave: 232 on Linux 6.1, 248 on 6.12, 280 on 6.18.
    pub fn given(&self) -> usize {
        self.given.bytes().len()
    }

    /// What the kernel gave beyond the fields this crate knows: empty, until a kernel has more.
    pub fn beyond(&self) -> &[u8] {
        self.given.bytes().get(KNOWN..).unwrap_or_default()
    }

    /// Of a listener: the connections that wait to be accepted. `None` for any other socket.
    #[doc(alias = "backlog")]
    pub fn accept_queue(&self) -> Option<AcceptQueue> {
        // A listener has these in the place of two counts.
        (self.state() == TcpState::Listen).then(|| AcceptQueue {
            connections: self.given.u32(24),
            limit: self.given.u32(28),
        })
    }

    /// Of a listener these counts are something else: [`accept_queue`](Self::accept_queue).
    fn count_of_connection(&self, at: usize) -> u32 {
        match self.state() {
            TcpState::Listen => 0,
            _ => self.given.u32(at),
        }
    }

    fn checked(given: Given<ROOM>) -> Result<Self> {
        if given.bytes().len() < LEAST {
            return Err(Error::InvalidValue {
                option: "TCP_INFO",
                value: format!("{} bytes", given.bytes().len()),
                reason: "Linux 4.10 and newer give 192 bytes at least",
            });
        }
        Ok(Self { given })
    }
}

/// Connections that wait to be accepted from a listener.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AcceptQueue {
    /// How many wait. One more than the limit can.
    pub connections: u32,
    /// The backlog in effect: what `listen` was told, cut at `net.core.somaxconn`.
    pub limit: u32,
}

#[cfg(test)]
mod tests;
