//! An echo server on the ring: one thread, one system call for all that has become ready.
//!
//! usage: echo_ring CONNECTIONS, with a TCP listener as standard input. It ends when as many connections have ended.

use std::collections::VecDeque;
use std::env;
use std::io;
use std::iter;
use std::os::fd::{AsFd as _, OwnedFd};

use anyhow::{Context as _, Result};
use netprims::ring::{
    Chunk, Event, Queue, Ring, RxBuf, RxPlan, RxPool, Socket, Ticket, TxBuf, Wait, ZcPolicy,
};

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
    Server::new(connections)?.run(listener)
}

struct Server {
    ring: Ring,
    rx: RxPool,
    connections: Connections,
}

/// The connections, and what could not be answered at once.
struct Connections {
    /// Each connection's socket, by the index of its receive's ticket.
    sockets: Vec<Option<Socket>>,
    /// How many are to end.
    left: usize,
    /// Buffers to answer from: all of the pool's that are not on their way.
    free: Vec<TxBuf>,
    /// What came while none was free.
    held: VecDeque<(Socket, RxBuf)>,
}

impl Server {
    fn new(connections: usize) -> Result<Self> {
        let mut ring = Ring::builder()
            .in_flight(IN_FLIGHT)
            .registered_files(IN_FLIGHT)
            .build()?;
        // A request fits one slot.
        let rx = ring.rx_pool(&RxPlan::new(SLOTS, SLOT_LEN).bundles(false))?;
        let tx = ring.tx_pool(SLOTS, SLOT_LEN)?;
        let connections = Connections {
            sockets: vec![None; usize::try_from(IN_FLIGHT)?],
            left: connections,
            free: iter::from_fn(|| tx.take()).collect(),
            held: VecDeque::new(),
        };
        Ok(Server {
            ring,
            rx,
            connections,
        })
    }

    fn run(mut self, listener: OwnedFd) -> Result<()> {
        let Server {
            ring,
            rx,
            connections,
        } = &mut self;
        let listener = ring.add(listener)?;
        ring.accept(listener)?;
        let mut failed = None;
        while connections.left > 0 {
            ring.poll_with(Wait::Forever, |event, queue| {
                let served = match event {
                    Event::Received { ticket, chunk, .. } => {
                        connections.answer(ticket, chunk, queue)
                    }
                    // A peer that is gone ends the receive as well.
                    Event::Sent { result: _sent, .. } => Ok(()),
                    Event::Released { buf, .. } => connections.give_back(buf, queue),
                    Event::Accepted { fd, .. } => connections.come(fd, queue, rx),
                    Event::ReceiveEnded { ticket, .. } => connections.go(ticket, queue),
                    Event::AcceptEnded { error, .. } => Err(error).context("accept"),
                    _ => Ok(()),
                };
                if let Err(error) = served {
                    failed = Some(error);
                }
            })?;
            if let Some(error) = failed {
                return Err(error);
            }
        }
        Ok(())
    }
}

impl Connections {
    #[inline]
    fn answer(&mut self, ticket: Ticket, chunk: Chunk<'_>, queue: &mut Queue<'_>) -> Result<()> {
        let socket = self.sockets.get(ticket.index()).copied().flatten();
        let socket = socket.context("bytes of nobody")?;
        let Some(buf) = self.free.pop() else {
            self.held.push_back((socket, chunk.detach()));
            return Ok(());
        };
        send(queue, socket, buf, &chunk)
    }

    /// Takes a buffer back, to answer who waited for one.
    #[inline]
    fn give_back(&mut self, buf: TxBuf, queue: &mut Queue<'_>) -> Result<()> {
        match self.held.pop_front() {
            Some((socket, bytes)) => send(queue, socket, buf, &bytes),
            None => {
                self.free.push(buf);
                Ok(())
            }
        }
    }

    fn come(&mut self, fd: OwnedFd, queue: &mut Queue<'_>, rx: &RxPool) -> Result<()> {
        let socket = queue.add(fd)?;
        let ticket = queue.receive(socket, rx)?;
        let place = self.sockets.get_mut(ticket.index());
        *place.context("no such ticket")? = Some(socket);
        Ok(())
    }

    fn go(&mut self, ticket: Ticket, queue: &mut Queue<'_>) -> Result<()> {
        let socket = self.sockets.get_mut(ticket.index());
        let socket = socket.and_then(Option::take);
        drop(queue.remove(socket.context("the end of nothing")?)?);
        self.left -= 1;
        Ok(())
    }
}

/// Sends these bytes, which fit: a slot of one pool is as long as one of the other.
#[inline]
fn send(queue: &mut Queue<'_>, socket: Socket, mut buf: TxBuf, bytes: &[u8]) -> Result<()> {
    buf.set_len(bytes.len())?;
    buf.copy_from_slice(bytes);
    queue.send(socket, buf, ZcPolicy::Never)?;
    Ok(())
}
