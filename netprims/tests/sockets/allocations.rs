//! What moves data allocates nothing, also when it cannot.

use std::io::{Read, Write};
use std::os::linux::net::SocketAddrExt;

use netprims::socket::{TcpBuilder, UdpBuilder, UnixBuilder};

use crate::sys::counting_allocator::allocations;

fn allocates_nothing(body: impl FnOnce()) {
    let before = allocations();
    body();
    assert_eq!(allocations() - before, 0);
}

#[test]
fn the_counter_counts() {
    let before = allocations();
    drop(std::hint::black_box(Box::new(1)));
    assert_eq!(allocations() - before, 1);
}

#[test]
fn streams_allocate_nothing() {
    let (listener, _) = TcpBuilder::new()
        .listen("127.0.0.1:0".parse().unwrap())
        .unwrap();
    let (near, _) = TcpBuilder::new()
        .connect(listener.local_addr().unwrap())
        .unwrap();
    let (far, _) = listener.accept().unwrap();
    allocates_nothing(|| {
        for _ in 0..100 {
            (&near).write_all(&[1; 100]).unwrap();
            (&far).read_exact(&mut [0; 100]).unwrap();
        }
        far.set_nonblocking(true).unwrap();
        (&far).read(&mut [0; 1]).unwrap_err();
    });
}

#[test]
fn a_listener_with_nobody_waiting_allocates_nothing() {
    let (tcp, _) = TcpBuilder::new()
        .listen("127.0.0.1:0".parse().unwrap())
        .unwrap();
    let name = format!("netprims nobody waits {}", std::process::id());
    let name = std::os::unix::net::SocketAddr::from_abstract_name(name).unwrap();
    let (unix, _) = UnixBuilder::new().listen(&name).unwrap();
    tcp.set_nonblocking(true).unwrap();
    unix.set_nonblocking(true).unwrap();
    let (_near, _) = TcpBuilder::new()
        .connect(tcp.local_addr().unwrap())
        .unwrap();
    allocates_nothing(|| {
        let _far = tcp.accept().unwrap();
        for _ in 0..100 {
            let error = tcp.accept().unwrap_err();
            assert_eq!(error.kind(), std::io::ErrorKind::WouldBlock);
            unix.accept().unwrap_err();
        }
    });
}

#[test]
fn datagrams_allocate_nothing() {
    let local = "127.0.0.1:0".parse().unwrap();
    let (server, _) = UdpBuilder::new().bind(local).unwrap();
    let at = server.local_addr().unwrap();
    let (client, _) = UdpBuilder::new().connect(at).unwrap();
    let name = format!("netprims allocates nothing {}", std::process::id());
    let name = std::os::unix::net::SocketAddr::from_abstract_name(name).unwrap();
    let (sink, _) = UnixBuilder::new().bind_datagram(&name).unwrap();
    let (source, _) = UnixBuilder::new().connect_datagram(&name).unwrap();
    let mut data = [0; 100];
    allocates_nothing(|| {
        for _ in 0..100 {
            client.send(&data).unwrap();
            client.send_to(&data, at).unwrap();
            server.recv(&mut data).unwrap();
            server.recv_from(&mut data).unwrap();
            source.send(&data).unwrap();
            source.send_to(&data, &name).unwrap();
            sink.recv(&mut data).unwrap();
            sink.recv_from(&mut data).unwrap();
        }
        server.set_nonblocking(true).unwrap();
        sink.set_nonblocking(true).unwrap();
        server.recv(&mut data).unwrap_err();
        server.recv_from(&mut data).unwrap_err();
        sink.recv(&mut data).unwrap_err();
        sink.recv_from(&mut data).unwrap_err();
    });
}
