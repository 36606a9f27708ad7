use std::os::fd::BorrowedFd;

use socket2::SockRef;

use super::family::Family;
use crate::sys::sockopt::{NO_CHECKSUMS, NO_CHECKSUMS_V6, TXTIME, UDP_SEGMENT};

/// What a socket that has refused a message is asked, to tell one cause of an errno from another. What it does not
/// answer is as if it were off.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Circumstances {
    /// The family of the address it is connected to.
    pub(super) peer: Option<Family>,
    /// Its own `UDP_SEGMENT`; 0 is off.
    pub(super) segment: u32,
    /// The clock of its `SO_TXTIME`. 0 is off, or `CLOCK_REALTIME`: the kernel does not tell which.
    pub(super) clock: i32,
    /// It sends without checksums over IPv4.
    pub(super) no_checksums: bool,
    /// It sends without checksums over IPv6.
    pub(super) no_checksums_v6: bool,
}

impl Circumstances {
    pub(super) fn of(socket: BorrowedFd<'_>) -> Self {
        let peer = peer(socket);
        let socket = SockRef::from(&socket);
        let [a, b, c, d, ..] = TXTIME.get(&socket).unwrap_or_default();
        Self {
            peer,
            segment: UDP_SEGMENT.number(&socket).unwrap_or_default(),
            clock: i32::from_ne_bytes([a, b, c, d]),
            no_checksums: NO_CHECKSUMS.flag(&socket).unwrap_or_default(),
            no_checksums_v6: NO_CHECKSUMS_V6.flag(&socket).unwrap_or_default(),
        }
    }
}

/// The family of the address a socket is connected to, if it is.
pub(super) fn peer(socket: BorrowedFd<'_>) -> Option<Family> {
    let address = SockRef::from(&socket).peer_addr().ok()?.as_socket()?;
    Some(Family::of(address.ip()))
}
