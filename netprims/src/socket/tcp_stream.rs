use std::net::SocketAddr;

use super::inner::{peer, socket, stream};

/// A TCP connection. Made by [`TcpBuilder::connect`](super::TcpBuilder::connect), by
/// [`TcpListener::accept`](super::TcpListener::accept), or from any `OwnedFd`.
#[derive(Debug)]
pub struct TcpStream {
    inner: std::net::TcpStream,
}

socket!(TcpStream, std::net::TcpStream, SocketAddr);
peer!(TcpStream, SocketAddr);
stream!(TcpStream);
