//! Sockets to ask, opened without the crate.

use std::fs::File;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixDatagram;

use nix::sched::{CloneFlags, unshare};
use socket2::{Domain, Socket, Type};

const ANY: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

/// A socket, and what must live as long.
pub(crate) struct Opened {
    pub(crate) fd: OwnedFd,
    _others: Vec<OwnedFd>,
}

fn alone(fd: impl Into<OwnedFd>) -> Opened {
    Opened {
        fd: fd.into(),
        _others: Vec::new(),
    }
}

pub(crate) fn tcp() -> Opened {
    alone(Socket::new(Domain::IPV4, Type::STREAM, None).unwrap())
}

pub(crate) fn listening() -> Opened {
    alone(TcpListener::bind(ANY).unwrap())
}

pub(crate) fn connected() -> Opened {
    let listener = TcpListener::bind(ANY).unwrap();
    let near = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let far = listener.accept().unwrap().0;
    Opened {
        fd: near.into(),
        _others: vec![far.into(), listener.into()],
    }
}

pub(crate) fn udp() -> Opened {
    alone(Socket::new(Domain::IPV4, Type::DGRAM, None).unwrap())
}

pub(crate) fn udp_bound() -> Opened {
    alone(UdpSocket::bind(ANY).unwrap())
}

/// Of a network namespace that is not the calling thread's.
pub(crate) fn udp_elsewhere() -> Opened {
    let thread = std::thread::spawn(|| {
        unshare(CloneFlags::CLONE_NEWNET).unwrap();
        udp()
    });
    thread.join().unwrap()
}

/// Bound to loopback, where `other` is a device too.
pub(crate) fn on_loopback() -> Opened {
    let line = "ip link add other type veth peer name far";
    let output = std::process::Command::new("sh").args(["-c", line]).output();
    let output = output.unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{line}: {said}");
    let socket = Socket::new(Domain::IPV4, Type::DGRAM, None).unwrap();
    socket.bind_device(Some(b"lo")).unwrap();
    alone(socket)
}

pub(crate) fn unix() -> Opened {
    alone(UnixDatagram::unbound().unwrap())
}

pub(crate) fn file() -> Opened {
    alone(File::open("/dev/null").unwrap())
}
