use std::io;

use crate::sys::uring::End;

/// Why a receive is over.
#[derive(Debug)]
#[non_exhaustive]
pub enum ReceiveEnd {
    /// The peer will send no more. What it sent was told.
    Closed,
    /// It was cancelled, or its socket was removed from the ring. What the kernel had taken from the socket was told.
    Cancelled,
    /// Nothing had come for as long as [`Ring::receive_until_idle`](crate::ring::Ring::receive_until_idle) allowed.
    Idle,
    /// The kernel's answer: `ECONNRESET` when the peer reset the connection, `ENOTCONN`, `ENOTSOCK`, …
    ///
    /// `ENOBUFS` is a netlink socket's word for messages it had no room for: they are lost, and what it has is received by
    /// receiving anew. A pool without a free slot ends no receive.
    ///
    /// `EPROTO` means that the kernel named memory that it did not have. Bytes are lost then.
    Failed(io::Error),
}

impl From<End> for ReceiveEnd {
    fn from(end: End) -> Self {
        match end {
            End::Closed => Self::Closed,
            End::Cancelled => Self::Cancelled,
            End::Idle => Self::Idle,
            End::Failed(errno) => Self::Failed(io::Error::from_raw_os_error(errno)),
        }
    }
}
