use std::os::fd::AsFd;

use socket2::SockRef;

use super::refused;
use crate::Result;
use crate::sys::sockopt;

/// The number the kernel gives to no other socket as long as the system runs: what eBPF, `ss` and netlink's socket
/// diagnosis know the socket by.
///
/// Linux 4.6.
///
/// # Errors
///
/// [`Error::System`](crate::Error::System) saying so: `ENOTSOCK` if it is no socket.
///
/// Source: SO_COOKIE in socket(7).
#[doc(alias = "SO_COOKIE")]
pub fn cookie(socket: &impl AsFd) -> Result<u64> {
    SockRef::from(socket).cookie().map_err(|error| {
        refused(
            "getsockopt SO_COOKIE of",
            socket,
            error,
            "the kernel has it since 4.6",
        )
    })
}

/// The CPU that took in the last packet for the socket; `None` before there was one. A thread bound to it finds the
/// packets in its caches. Of UDP it is kept for connected sockets only.
///
/// Linux 3.19. Setting it ([`incoming_cpu`](crate::tuning::Tuning::incoming_cpu)) is answered with what was set, until the
/// next packet.
///
/// # Errors
///
/// [`Error::System`](crate::Error::System) saying so: `ENOTSOCK` if it is no socket.
///
/// Source: SO_INCOMING_CPU in socket(7).
#[doc(alias = "SO_INCOMING_CPU")]
pub fn incoming_cpu(socket: &impl AsFd) -> Result<Option<u32>> {
    sockopt::INCOMING_CPU
        .number(&SockRef::from(socket))
        .map(|cpu| (cpu != u32::MAX).then_some(cpu))
        .map_err(|error| {
            let needs = "the kernel has it since 3.19";
            refused("getsockopt SO_INCOMING_CPU of", socket, error, needs)
        })
}

/// The NAPI id of the device queue the last packet for the socket came in by: sockets with the same id are best served by
/// the same thread, which can then busy-poll that queue. `None` before there was a packet, and for packets of devices
/// without one, such as loopback.
///
/// Linux 4.12, built with `CONFIG_NET_RX_BUSY_POLL`.
///
/// # Errors
///
/// [`Error::System`](crate::Error::System) saying so: `ENOTSOCK` if it is no socket, `ENOPROTOOPT` from a kernel built
/// without busy polling.
///
/// Source: SO_INCOMING_NAPI_ID in socket(7).
#[doc(alias = "SO_INCOMING_NAPI_ID")]
pub fn napi_id(socket: &impl AsFd) -> Result<Option<u32>> {
    sockopt::incoming_napi_id(socket)
        .map(|id| (id != 0).then_some(id))
        .map_err(|error| {
            let needs = "the kernel is older than 4.12, or built without CONFIG_NET_RX_BUSY_POLL";
            refused("getsockopt SO_INCOMING_NAPI_ID of", socket, error, needs)
        })
}
