//! The ring on this kernel: usage, errors, and every order of going away.
#![cfg(feature = "ring")]
#![expect(clippy::unwrap_used, reason = "a test's way to fail")]

mod accepting;
#[path = "../again/mod.rs"]
mod again;
#[cfg(feature = "tokio")]
mod asynchronous;
mod choosing;
mod connecting;
mod control;
mod exiting;
mod going_away;
mod idle;
mod limits;
mod message_order;
mod messages;
mod order;
mod overruns;
mod pollable;
mod queueing;
mod receive_ends;
mod receive_lifetimes;
mod receive_messages;
mod receive_packets;
mod receive_pools;
mod receiving;
mod refusing;
mod send_to;
mod sending;
mod streams;

use std::io;
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::time::{Duration, Instant};

use netprims::ring::{
    Event, Ring, RingBuilder, Socket, SqPoll, TxBuf, TxPool, Usage, Wait, ZcPolicy,
};

/// How long anything may take before that is an error. Long: a machine under load is no defect.
const PATIENCE: Duration = Duration::from_secs(60);
const LIMIT: Wait = Wait::AtMost(PATIENCE);

/// Ways to build a ring that must make no difference to what is asked of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Plain,
    /// A thread of the kernel's takes the queue.
    Thread,
    /// Sockets are registered.
    Files,
}

impl Kind {
    fn builder(self) -> RingBuilder {
        let builder = Ring::builder();
        match self {
            Self::Plain => builder,
            Self::Thread => {
                let idle = Duration::from_millis(5);
                builder.sqpoll(SqPoll { idle, cpu: None })
            }
            Self::Files => builder.registered_files(64),
        }
    }
}

fn tcp() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let near = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    (near, listener.accept().unwrap().0)
}

fn udp() -> (UdpSocket, UdpSocket) {
    let near = UdpSocket::bind("127.0.0.1:0").unwrap();
    let far = UdpSocket::bind("127.0.0.1:0").unwrap();
    near.connect(far.local_addr().unwrap()).unwrap();
    (near, far)
}

/// A send's result and what came back with its release.
struct Told {
    result: io::Result<usize>,
    buf: TxBuf,
    usage: Usage,
}

/// Polls until a single send has told everything.
fn finish(ring: &mut Ring) -> Told {
    let (mut sent, mut released) = (None, None);
    let deadline = Instant::now() + PATIENCE;
    while released.is_none() {
        assert!(Instant::now() < deadline, "the send never finished");
        ring.poll(LIMIT, |event| match event {
            Event::Sent { result, .. } => assert!(sent.replace(result).is_none(), "sent twice"),
            Event::Released { buf, usage, .. } => assert!(released.replace((buf, usage)).is_none()),
            other => panic!("{other:?}"),
        })
        .unwrap();
    }
    let (buf, usage) = released.unwrap();
    Told {
        result: sent.expect("sent comes before released"),
        buf,
        usage,
    }
}

fn send(ring: &mut Ring, pool: &TxPool, socket: Socket, text: &[u8], policy: ZcPolicy) -> Told {
    let mut buf = pool.take().unwrap();
    buf.set_len(text.len()).unwrap();
    buf.copy_from_slice(text);
    ring.send(socket, buf, policy).unwrap();
    finish(ring)
}
