//! An echo server on the ring: one thread, one system call for all that has become ready.
//!
//! usage: echo_ring CONNECTIONS, with a TCP listener as standard input. It ends when as many connections have ended.

use std::collections::VecDeque;
use std::env;
use std::io;
use std::os::fd::{AsFd as _, OwnedFd};

use anyhow::{Context as _, Result};
use netprims::ring::{Event, Ring, RxBuf, RxPlan, RxPool, Socket, TxBuf, TxPool, Wait, ZcPolicy};

/// Requests under way: sends, and a receive for each connection.
const IN_FLIGHT: u32 = 1024;
const SLOTS: u32 = 256;
const SLOT_LEN: u32 = 2048;

fn main() -> Result<()> {
    let listener = io::stdin().as_fd().try_clone_to_owned()?;
    let connections = env::args()
        .nth(1)
        .and_then(|number| number.parse().ok())
        .context("usage: echo_ring CONNECTIONS, with a TCP listener as standard input")?;
    Server::new()?.run(listener, connections)
}

struct Server {
    ring: Ring,
    rx: RxPool,
    tx: TxPool,
    work: Work,
}

/// What the events of a poll leave to be done once it has returned.
struct Work {
    /// Each connection's socket, by the index of its receive's ticket.
    sockets: Vec<Option<Socket>>,
    accepted: Vec<OwnedFd>,
    answers: Vec<(Socket, TxBuf)>,
    /// What came while no buffer to answer from was free.
    held: VecDeque<(Socket, RxBuf)>,
    ended: Vec<Socket>,
}

impl Server {
    fn new() -> Result<Self> {
        let mut ring = Ring::builder()
            .in_flight(IN_FLIGHT)
            .registered_files(IN_FLIGHT)
            .build()?;
        // A request fits one slot.
        let rx = ring.rx_pool(&RxPlan::new(SLOTS, SLOT_LEN).bundles(false))?;
        let tx = ring.tx_pool(SLOTS, SLOT_LEN)?;
        let in_flight = usize::try_from(IN_FLIGHT)?;
        let work = Work {
            sockets: vec![None; in_flight],
            accepted: Vec::new(),
            answers: Vec::with_capacity(in_flight),
            held: VecDeque::new(),
            ended: Vec::new(),
        };
        Ok(Server { ring, rx, tx, work })
    }

    fn run(&mut self, listener: OwnedFd, connections: usize) -> Result<()> {
        let Server { ring, rx, tx, work } = self;
        let mut open = connections;
        let listener = ring.add(listener)?;
        ring.accept(listener)?;
        while open > 0 {
            let mut failed = None;
            ring.poll(Wait::Forever, |event| {
                if let Err(error) = work.note(event, tx) {
                    failed = Some(error);
                }
            })?;
            if let Some(error) = failed {
                return Err(error);
            }
            for connection in work.accepted.drain(..) {
                let socket = ring.add(connection)?;
                let ticket = ring.receive(socket, rx)?;
                *work
                    .sockets
                    .get_mut(ticket.index())
                    .context("no such ticket")? = Some(socket);
            }
            for (socket, answer) in work.answers.drain(..) {
                ring.send(socket, answer, ZcPolicy::Never)?;
            }
            while let Some((socket, bytes)) = work.held.pop_front() {
                match tx.take() {
                    Some(buf) => {
                        ring.send(socket, filled(buf, &bytes)?, ZcPolicy::Never)?;
                    }
                    None => {
                        work.held.push_front((socket, bytes));
                        break;
                    }
                }
            }
            for socket in work.ended.drain(..) {
                drop(ring.remove(socket)?);
                open -= 1;
            }
        }
        Ok(())
    }
}

impl Work {
    fn note(&mut self, event: Event<'_>, tx: &TxPool) -> Result<()> {
        match event {
            Event::Received { ticket, chunk, .. } => {
                let socket = self.sockets.get(ticket.index()).copied().flatten();
                let socket = socket.context("bytes of nobody")?;
                let buf = if self.held.is_empty() {
                    tx.take()
                } else {
                    None
                };
                match buf {
                    Some(buf) => self.answers.push((socket, filled(buf, &chunk)?)),
                    None => self.held.push_back((socket, chunk.detach())),
                }
            }
            Event::ReceiveEnded { ticket, .. } => {
                let socket = self.sockets.get_mut(ticket.index());
                let socket = socket.and_then(Option::take);
                self.ended.push(socket.context("the end of nothing")?);
            }
            Event::Accepted { fd, .. } => self.accepted.push(fd),
            Event::AcceptEnded { error, .. } => return Err(error).context("accept"),
            // A peer that is gone ends the receive as well.
            Event::Sent { .. } | Event::Released { .. } => {}
            _ => {}
        }
        Ok(())
    }
}

/// A buffer with these bytes, which fit: a slot of one pool is as long as one of the other.
fn filled(mut buf: TxBuf, bytes: &[u8]) -> Result<TxBuf> {
    buf.set_len(bytes.len())?;
    buf.copy_from_slice(bytes);
    Ok(buf)
}
