//! Network namespaces, entered on threads of their own.
//!
//! A network namespace belongs to a *thread*. One that enters another namespace and fails to come back, by a panic or an
//! error, goes on in the wrong one, and everything that runs on it later opens its sockets there. So nothing here moves
//! the calling thread: [`NetNs::run`] starts a thread, enters there, and the thread ends with the closure.
//!
//! Sockets keep the namespace they were opened in, so what a closure opens and returns is used from any thread.
//!
//! ```no_run
//! use std::net::TcpListener;
//! use netprims::netns::NetNs;
//!
//! // As root, after `ip netns add blue`.
//! let blue = NetNs::by_name("blue")?;
//! let listener = blue.run(|| TcpListener::bind("0.0.0.0:80"))??;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod identity;
mod open;
mod run;

use std::os::fd::OwnedFd;

use crate::fd::owned_fd;

/// A network namespace. It stays as long as this is open, with or without processes in it.
///
/// Equality is not of the value but of what it stands for: [`is_same`](Self::is_same).
#[derive(Debug)]
pub struct NetNs {
    fd: OwnedFd,
}

owned_fd!(NetNs);
