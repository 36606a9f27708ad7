//! Options that IPv4 and IPv6 each have under a name of their own.

use std::io;

use socket2::{Domain, SockRef};

use crate::sys::sockopt::Opt;

/// The option of the socket's own family.
pub(super) fn own<'a>(
    socket: &SockRef<'_>,
    v4: &'a Opt<4>,
    v6: &'a Opt<4>,
) -> io::Result<&'a Opt<4>> {
    // Another family's sockets have neither, and say so.
    Ok(if socket.domain()? == Domain::IPV6 {
        v6
    } else {
        v4
    })
}

/// The option of the socket's own family; an IPv6 socket has IPv4 peers too, unless it says otherwise.
pub(super) fn each(
    socket: &SockRef<'_>,
    v4: &Opt<4>,
    v6: &Opt<4>,
    mut set: impl FnMut(&Opt<4>) -> io::Result<()>,
) -> io::Result<()> {
    if socket.domain()? == Domain::IPV6 {
        set(v6)?;
    }
    set(v4)
}
