//! What the kernel knows of a socket: its TCP connection, its memory, its queues, its peer.
//!
//! | | asks | for |
//! |---|---|---|
//! | [`TcpInfo`] | `TCP_INFO` | round trips, windows, losses, rates, what limits the sender; a listener's accept queue |
//! | [`CongestionInfo`] | `TCP_CC_INFO` | what BBR, Vegas or DCTCP have found out |
//! | [`MemInfo`] | `SO_MEMINFO` | the memory of any socket, and how many packets it dropped |
//! | [`unread`], [`outstanding`], [`unsent`] | `SIOCINQ`, `SIOCOUTQ`, `SIOCOUTQNSD` | the bytes in its queues |
//! | [`cookie`], [`incoming_cpu`], [`napi_id`] | `SO_COOKIE`, `SO_INCOMING_CPU`, `SO_INCOMING_NAPI_ID` | which socket it is, where its packets come in |
//! | [`PeerCredentials`] | `SO_PEERCRED` | who is at the other end of a Unix socket |
//!
//! All of it works on anything [`AsFd`], changes nothing and needs no privilege. Each answer is of
//! one moment. Structs that grow from kernel to kernel keep what a newer kernel tells: a field is `None` where the kernel
//! is older than the field, and bytes of fields nobody knew of yet are there as they came.

mod congestion;
mod given;
mod identity;
mod memory;
mod peer;
mod queue;
mod tcp;

pub use congestion::{BbrInfo, CongestionInfo, DctcpInfo, VegasInfo};
pub use identity::{cookie, incoming_cpu, napi_id};
pub use memory::MemInfo;
pub use peer::PeerCredentials;
pub use queue::{outstanding, unread, unsent};
pub use tcp::{
    AcceptQueue, CongestionState, EcnBytes, FastOpenFailure, RtoTotals, TcpInfo, TcpOptions,
    TcpState, WindowScale,
};

use std::io;
use std::os::fd::{AsFd, AsRawFd};

use crate::Error;

/// What `getsockopt` or an ioctl on a socket has refused.
fn refused(
    operation: &'static str,
    fd: &impl AsFd,
    error: io::Error,
    wants: &'static str,
) -> Error {
    let object = format!("fd {}", fd.as_fd().as_raw_fd());
    match error.raw_os_error() {
        Some(libc::ENOTSOCK) => Error::advised(operation, object, error, "it is no socket"),
        Some(libc::ENOPROTOOPT | libc::EOPNOTSUPP | libc::ENOTTY) => {
            Error::advised(operation, object, error, wants)
        }
        _ => Error::system(operation, object, error),
    }
}
