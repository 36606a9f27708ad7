//! TCP sockets that own their descriptor and are tuned before the moment passes.
//!
//! [`TcpBuilder`] opens a socket close-on-exec, applies a [`Tuning`](crate::tuning::Tuning) before bind and connect,
//! where every option still has its effect, and returns the socket with the report.
//!
//! The types convert from and to `OwnedFd` and std's types, so nothing else needs to know this crate. For what they do
//! not offer use std's: `TcpStream` reads and writes, and hands out the rest by conversion.

mod tcp_builder;
mod tcp_listener;
mod tcp_stream;

pub use tcp_builder::TcpBuilder;
pub use tcp_listener::TcpListener;
pub use tcp_stream::TcpStream;
