//! What every echo server here is started with.

use std::env;
use std::io;
use std::net::TcpListener;
use std::os::fd::AsFd;

/// Bytes read at once; a request is far shorter.
pub const ROOM: usize = 2048;

/// The listener on standard input, and how many connections to serve before ending.
pub fn given() -> io::Result<(TcpListener, usize)> {
    let listener = io::stdin().as_fd().try_clone_to_owned()?;
    let connections = env::args().nth(1).and_then(|number| number.parse().ok());
    let usage =
        || io::Error::other("usage: echo_… CONNECTIONS, with a TCP listener as standard input");
    Ok((listener.into(), connections.ok_or_else(usage)?))
}
