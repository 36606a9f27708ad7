//! Sockets that own their descriptor and are tuned before the moment passes.
//!
//! | builder | opens |
//! |---|---|
//! | [`TcpBuilder`] | [`TcpListener`], [`TcpStream`] |
//! | [`UdpBuilder`] | [`UdpSocket`] |
//! | [`UnixBuilder`] | [`UnixListener`], [`UnixStream`], [`UnixDatagram`] |
//!
//! A builder opens a socket close-on-exec, applies a [`Tuning`](crate::tuning::Tuning) before bind and connect, where
//! every option still has its effect, and returns the socket with the report. A [`Group`] is several sockets on one
//! address, each with a queue of its own, and a [`Steering`] that says which of them is given what.
//!
//! Addresses are std's, IPv6 scopes included. A socket at `[::]` serves IPv4 peers too, unless
//! [`Tuning::only_v6`](crate::tuning::Tuning::only_v6) is on.
//!
//! What moves data or accepts returns `io::Error`, as std's traits do, which costs nothing where a call would block; all
//! else returns the crate's [`Error`](crate::Error).
//!
//! The types convert from and to `OwnedFd` and std's types, through `OwnedFd` from and to socket2's, and through std's
//! from and to tokio's, so nothing else needs to know this crate. For what they do not offer use std's.
//!
//! ```
//! use netprims::socket::TcpBuilder;
//!
//! let (listener, _) = TcpBuilder::new().listen("127.0.0.1:0".parse()?)?;
//! listener.set_nonblocking(true)?; // as tokio wants it
//! let listener = std::net::TcpListener::from(listener); // for tokio::net::TcpListener::from_std
//! let listener = socket2::Socket::from(listener);
//! # drop(listener);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod group;
mod inner;
mod steps;
mod tcp_builder;
mod tcp_listener;
mod tcp_stream;
mod udp_builder;
mod udp_socket;
mod unix_builder;
mod unix_datagram;
mod unix_listener;
pub(crate) mod unix_name;
mod unix_stream;
mod unix_table;

pub use group::{Group, Steering};
pub use tcp_builder::TcpBuilder;
pub use tcp_listener::TcpListener;
pub use tcp_stream::TcpStream;
pub use udp_builder::UdpBuilder;
pub use udp_socket::UdpSocket;
pub use unix_builder::UnixBuilder;
pub use unix_datagram::UnixDatagram;
pub use unix_listener::UnixListener;
pub use unix_stream::UnixStream;
