//! To and from what other crates hold.

use std::io::{Read, Write};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::linux::net::SocketAddrExt;

use netprims::socket::{
    TcpBuilder, TcpListener, TcpStream, UdpBuilder, UdpSocket, UnixBuilder, UnixDatagram,
    UnixListener, UnixStream,
};
use netprims::tuning::{Tuning, Value};

/// Through `OwnedFd`, std's type and socket2's, and back; the descriptor stays the same one.
fn goes_round<T, Std>(socket: T) -> T
where
    T: AsFd + AsRawFd + From<OwnedFd> + Into<OwnedFd> + From<Std> + Into<Std>,
    Std: AsRawFd,
{
    let number = socket.as_raw_fd();
    let owned: OwnedFd = socket.into();
    let std: Std = T::from(owned).into();
    assert_eq!(std.as_raw_fd(), number);
    let owned: OwnedFd = T::from(std).into();
    let socket2 = socket2::Socket::from(owned);
    assert_eq!(socket2.as_raw_fd(), number);
    let back = T::from(OwnedFd::from(socket2));
    assert_eq!(back.as_fd().as_raw_fd(), number);
    back
}

#[test]
fn every_socket_goes_round_through_std_and_socket2() {
    let (listener, _) = TcpBuilder::new()
        .listen("127.0.0.1:0".parse().unwrap())
        .unwrap();
    let listener = goes_round::<TcpListener, std::net::TcpListener>(listener);
    let peer = listener.local_addr().unwrap();
    let (near, _) = TcpBuilder::new().connect(peer).unwrap();
    let mut near = goes_round::<TcpStream, std::net::TcpStream>(near);
    near.write_all(b"x").unwrap();
    listener
        .accept()
        .unwrap()
        .0
        .read_exact(&mut [0; 1])
        .unwrap();

    let (udp, _) = UdpBuilder::new().connect(peer).unwrap();
    goes_round::<UdpSocket, std::net::UdpSocket>(udp)
        .close()
        .unwrap();

    let name = format!("netprims goes round {}", std::process::id());
    let name = std::os::unix::net::SocketAddr::from_abstract_name(name).unwrap();
    let (listener, _) = UnixBuilder::new().listen(&name).unwrap();
    let listener = goes_round::<UnixListener, std::os::unix::net::UnixListener>(listener);
    let (near, _) = UnixBuilder::new().connect(&name).unwrap();
    let mut near = goes_round::<UnixStream, std::os::unix::net::UnixStream>(near);
    near.write_all(b"x").unwrap();
    listener
        .accept()
        .unwrap()
        .0
        .read_exact(&mut [0; 1])
        .unwrap();
    drop((listener, near));
    let (datagram, _) = UnixBuilder::new().bind_datagram(&name).unwrap();
    goes_round::<UnixDatagram, std::os::unix::net::UnixDatagram>(datagram)
        .close()
        .unwrap();
}

/// A socket of this crate in tokio, and one of tokio's tuned and taken back.
#[test]
fn tokio_takes_and_gives_every_socket() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .build()
        .unwrap();
    runtime.block_on(async {
        tcp().await;
        udp().await;
        unix().await;
    });
}

async fn tcp() {
    let (listener, _) = TcpBuilder::new()
        .listen("127.0.0.1:0".parse().unwrap())
        .unwrap();
    listener.set_nonblocking(true).unwrap();
    let listener = tokio::net::TcpListener::from_std(listener.into()).unwrap();
    let (near, _) = TcpBuilder::new()
        .connect(listener.local_addr().unwrap())
        .unwrap();
    near.set_nonblocking(true).unwrap();
    let near = tokio::net::TcpStream::from_std(near.into()).unwrap();
    let (far, _) = listener.accept().await.unwrap();

    let report = Tuning::new()
        .nodelay(true)
        .strict(true)
        .apply(&far)
        .unwrap();
    assert_eq!(
        report.outcome("TCP_NODELAY").unwrap().effective(),
        Some(Value::Flag(true))
    );
    assert!(far.nodelay().unwrap());
    let report = Tuning::new()
        .reuse_port(true)
        .strict(true)
        .apply(&listener)
        .unwrap();
    assert!(report.is_granted());

    near.writable().await.unwrap();
    assert_eq!(near.try_write(b"x").unwrap(), 1);
    let mut far = TcpStream::from(far.into_std().unwrap());
    far.set_nonblocking(false).unwrap();
    far.read_exact(&mut [0; 1]).unwrap();
    far.close().unwrap();
    TcpListener::from(listener.into_std().unwrap())
        .close()
        .unwrap();
}

async fn udp() {
    let (server, _) = UdpBuilder::new()
        .bind("127.0.0.1:0".parse().unwrap())
        .unwrap();
    server.set_nonblocking(true).unwrap();
    let server = tokio::net::UdpSocket::from_std(server.into()).unwrap();
    let report = Tuning::new()
        .receive_buffer(50_000)
        .strict(true)
        .apply(&server)
        .unwrap();
    let effective = report.outcome("SO_RCVBUF").unwrap().effective();
    assert_eq!(effective, Some(Value::Bytes(100_000)));
    let (client, _) = UdpBuilder::new()
        .connect(server.local_addr().unwrap())
        .unwrap();
    client.send(b"x").unwrap();
    assert_eq!(
        server.recv_from(&mut [0; 1]).await.unwrap().1,
        client.local_addr().unwrap()
    );
    UdpSocket::from(server.into_std().unwrap()).close().unwrap();
}

async fn unix() {
    let name = format!("netprims tokio {}", std::process::id());
    let name = std::os::unix::net::SocketAddr::from_abstract_name(name).unwrap();
    let (listener, _) = UnixBuilder::new().listen(&name).unwrap();
    listener.set_nonblocking(true).unwrap();
    let listener = tokio::net::UnixListener::from_std(listener.into()).unwrap();
    let (mut near, _) = UnixBuilder::new().connect(&name).unwrap();
    near.write_all(b"x").unwrap();
    let (far, _) = listener.accept().await.unwrap();
    let report = Tuning::new()
        .send_buffer(50_000)
        .strict(true)
        .apply(&far)
        .unwrap();
    assert!(report.is_granted());
    let mut far = UnixStream::from(far.into_std().unwrap());
    far.set_nonblocking(false).unwrap();
    far.read_exact(&mut [0; 1]).unwrap();
    drop(listener);
    let (datagram, _) = UnixBuilder::new().bind_datagram(&name).unwrap();
    datagram.set_nonblocking(true).unwrap();
    let datagram = tokio::net::UnixDatagram::from_std(datagram.into()).unwrap();
    UnixDatagram::from(datagram.into_std().unwrap())
        .close()
        .unwrap();
}
