//! Zero-copy sends over plain sockets, on this kernel.
#![expect(clippy::unwrap_used, reason = "a test's way to fail")]

use std::io::{self, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::process::Command;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use again::with_lockable_memory;
use black_hole::{black_hole, ip};
use netns::{Fresh, in_fresh};
use netprims::Error;
use netprims::buffer::{TxBuf, TxPool, Usage};
use netprims::fd::{Epoll, Events, Interest};
use netprims::sysctl::Sysctl;
use netprims::tuning::{Timestamping, Tuning};
use netprims::zerocopy::{
    Event, Limit, Message, NotSent, Origin, Sent, State, Ticket, WhenFull, ZeroCopyOptions,
    ZeroCopySender,
};
use rstest::rstest;
use socket2::{Domain, Protocol, SockRef, Socket, Type};

#[path = "../again/mod.rs"]
mod again;
mod attaching;
#[path = "../black_hole/mod.rs"]
mod black_hole;
mod closing;
mod counting;
mod messages;
#[path = "../netns/mod.rs"]
mod netns;
mod room;
mod sending;
mod waiting;

/// How long anything may take before that is an error. Long: a machine under load is no defect.
const PATIENCE: Duration = Duration::from_secs(60);
const SLOT: u32 = 60_000;

fn tcp() -> (TcpStream, TcpStream) {
    tcp_at("127.0.0.1:0")
}

fn tcp_at(address: &str) -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind(address).unwrap();
    let near = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    (near, listener.accept().unwrap().0)
}

/// A connection whose other end has room for little.
fn tcp_to_a_small_reader() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    SockRef::from(&listener).set_recv_buffer_size(4096).unwrap();
    let near = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    (near, listener.accept().unwrap().0)
}

fn udp() -> (UdpSocket, UdpSocket) {
    let near = UdpSocket::bind("127.0.0.1:0").unwrap();
    let far = UdpSocket::bind("127.0.0.1:0").unwrap();
    near.connect(far.local_addr().unwrap()).unwrap();
    (near, far)
}

/// Tunes a socket, in full.
fn tune(socket: &impl AsFd, tuning: Tuning) {
    let report = tuning.apply(socket).unwrap();
    assert_eq!(report.differences().count(), 0, "{report}");
}

fn filled(pool: &TxPool, byte: u8) -> TxBuf {
    let mut buf = pool.take().unwrap();
    buf.fill(byte);
    buf
}

fn in_flight(sent: Result<Sent, NotSent>) -> Ticket {
    match sent {
        Ok(Sent::InFlight {
            ticket, unsent: 0, ..
        }) => ticket,
        other => panic!("{other:?}"),
    }
}

/// What was released, and what else was in the error queue.
#[derive(Debug, Default)]
struct Reaped {
    released: Vec<(Ticket, usize, Usage)>,
    messages: Vec<Message>,
}

impl Reaped {
    fn take(&mut self, event: Event) {
        match event {
            Event::Released {
                ticket,
                bytes,
                usage,
                ..
            } => self.released.push((ticket, bytes, usage)),
            Event::Message(message) => self.messages.push(message),
            other => panic!("{other:?}"),
        }
    }
}

/// Reaps until so many buffers are back and so many other messages have come.
fn reap<S: AsFd>(sender: &mut ZeroCopySender<S>, buffers: usize, messages: usize) -> Reaped {
    let mut reaped = Reaped::default();
    let deadline = Instant::now() + PATIENCE;
    while reaped.released.len() < buffers || reaped.messages.len() < messages {
        let left = deadline.saturating_duration_since(Instant::now());
        assert!(!left.is_zero(), "{reaped:?}");
        sender.wait(Some(left)).unwrap();
        sender.reap(|event| reaped.take(event)).unwrap();
    }
    reaped
}

fn read_all(mut far: TcpStream) -> JoinHandle<Vec<u8>> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        far.read_to_end(&mut bytes).map(|_| bytes).unwrap()
    })
}

fn tc(arguments: &str) {
    let output = Command::new("tc")
        .args(arguments.split(' '))
        .output()
        .expect("tc, of iproute2");
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "tc {arguments}: {text}");
}

/// Makes the device ask for the neighbour 10.7.0.3, which does not answer for a long time: datagrams to it wait in the
/// kernel, uncopied.
fn a_silent_neighbour() {
    ip("ntable change name arp_cache dev hole retrans 600000");
    ip("link set hole arp on");
    // The change has made it forget.
    ip("neigh replace 10.7.0.2 lladdr 02:00:00:00:00:02 dev hole nud permanent");
}

/// Lets what waits for the neighbour go.
fn the_neighbour_answers() {
    ip("neigh replace 10.7.0.3 lladdr 02:00:00:00:00:03 dev hole nud permanent");
}

/// Where [`black_hole`]'s neighbour is.
const KNOWN: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(10, 7, 0, 2)), 9);
/// Where that of [`a_silent_neighbour`] is.
const SILENT: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(10, 7, 0, 3)), 9);
