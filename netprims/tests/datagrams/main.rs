//! Datagrams in batches, on real sockets: what was sent is what arrives, with its boundaries.
#![expect(clippy::unwrap_used, reason = "a test's way to fail")]

use std::net::UdpSocket;
use std::os::fd::AsFd;

use netprims::Error;
use netprims::datagram::{Fault, Incoming, Outgoing, ReceiveBatch, SendBatch, Sent};
use netprims::tuning::Tuning;
use sys::counting_allocator::Counting;

mod addresses;
#[path = "../again/mod.rs"]
mod again;
mod allocations;
mod causes;
mod interrupted;
mod link;
#[path = "../netns/mod.rs"]
mod netns;
mod partial;
mod receiving;
mod segmentation;
mod timestamps;

#[expect(unsafe_code, reason = "a counting allocator, raw options, signals")]
#[path = "../sys"]
mod sys {
    pub(crate) mod counting_allocator;
    pub(crate) mod raw_option;
    pub(crate) mod signals;
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// A socket on loopback, and one that is connected to it.
fn pair(address: &str) -> (UdpSocket, UdpSocket) {
    let far = socket(address);
    let near = UdpSocket::bind(address).unwrap();
    near.connect(far.local_addr().unwrap()).unwrap();
    (near, far)
}

/// A socket that receives and loses nothing a test sends; a test that waits for long has lost something.
fn socket(address: &str) -> UdpSocket {
    let socket = UdpSocket::bind(address).unwrap();
    let patience = Some(std::time::Duration::from_secs(20));
    socket.set_read_timeout(patience).unwrap();
    // Clamped where the host allows less; the tests send less than that.
    let _ = Tuning::new()
        .receive_buffer(4 << 20)
        .apply(&socket)
        .unwrap();
    socket
}

/// Sets what is granted to anybody.
fn tune(socket: &impl AsFd, tuning: Tuning) {
    let report = tuning.apply(socket).unwrap();
    assert_eq!(report.differences().count(), 0, "{report}");
}

/// Sends all of it.
fn send(socket: &UdpSocket, messages: &[Outgoing<'_>]) {
    let mut batch = SendBatch::new(64).unwrap();
    let sent = batch.send(socket, messages).unwrap();
    assert_eq!(sent.messages(), messages.len());
}

/// Receives that many datagrams, each with its piece handed to `look`.
#[track_caller]
fn collect(socket: &UdpSocket, count: usize, mut look: impl FnMut(&Incoming<'_>)) -> Vec<Vec<u8>> {
    let mut batch = ReceiveBatch::new(8, ReceiveBatch::LARGEST).unwrap();
    let mut datagrams = Vec::new();
    while datagrams.len() < count {
        let received = batch.receive(socket).unwrap();
        assert!(!received.is_empty(), "{} of {count} came", datagrams.len());
        for incoming in received {
            assert!(!incoming.is_truncated() && !incoming.lacks_details());
            look(&incoming);
            datagrams.extend(incoming.datagrams().map(<[u8]>::to_vec));
        }
    }
    assert!(
        batch.try_receive(socket).unwrap().is_empty(),
        "one too many"
    );
    datagrams
}

/// What was refused, and how far it had gone.
fn refused(result: Result<Sent, Error>) -> (Sent, Fault, Option<i32>) {
    match result.unwrap_err() {
        Error::NotSent { sent, fault, error } => (sent, fault, error.raw_os_error()),
        error => panic!("{error}"),
    }
}
