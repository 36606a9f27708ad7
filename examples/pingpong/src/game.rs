//! The messages, to and fro.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use netprims_rdma::{Buf, Cq, Done, Mr, Queue};

use crate::arrivals::Arrivals;
use crate::latencies::Latencies;
use crate::link::{HEADER, Link};
use crate::payload::{Check, Checked, spoil};
use crate::plan::{Kind, Plan, Role};

/// One side of a game whose other side is known.
///
/// The client sends; whoever has received a message, and whose own is through, sends the next one.
/// The server's is what it received, as the C programs do by using one buffer for both directions.
#[derive(Debug)]
pub struct Game {
    arrivals: Arrivals,
    table: Table,
}

/// How a game ended.
#[derive(Debug)]
pub struct Score {
    /// How long it took, from the first message on.
    pub elapsed: Duration,
    /// How many messages this side sent.
    pub sent: u32,
    /// How many it received.
    pub received: u32,
    /// How long a message and its answer took, if that was asked for.
    pub latencies: Option<Latencies>,
    /// What was checked, if that was asked for.
    pub checked: Option<Checked>,
    /// Whether somebody stopped it before its end.
    pub is_stopped: bool,
}

/// Everything but the completion queue, from which completions are taken meanwhile.
#[derive(Debug)]
struct Table {
    link: Link,
    memory: Mr,
    size: usize,
    iters: u32,
    is_datagram: bool,
    role: Role,
    players: Vec<Player>,
    sent: u32,
    received: u32,
    check: Option<Check>,
    latencies: Option<Latencies>,
}

/// What one queue pair has under way: at most one message in each direction.
#[derive(Debug)]
struct Player {
    is_sending: bool,
    is_waiting: bool,
    /// The server's next message.
    reply: Option<Buf>,
    /// When the message was sent whose answer is awaited.
    asked: Option<Instant>,
}

impl Game {
    pub(crate) fn new(plan: &Plan, cq: Cq, memory: Mr, link: Link) -> Self {
        let mut players = Vec::new();
        players.resize_with(link.places(), || Player {
            is_sending: false,
            is_waiting: true,
            reply: None,
            asked: None,
        });
        Game {
            arrivals: Arrivals::new(cq, plan.events, plan.patience),
            table: Table {
                link,
                memory,
                size: usize::try_from(plan.size).unwrap_or(usize::MAX),
                iters: plan.iters,
                is_datagram: plan.kind == Kind::Ud,
                role: Role::Server,
                players,
                sent: 0,
                received: 0,
                check: plan.check.then(|| Check::new(plan)),
                latencies: plan.latencies.then(Latencies::new),
            },
        }
    }

    /// Plays until all messages have gone each way, or `stop` is set, and destroys the queue pairs.
    ///
    /// # Errors
    ///
    /// A message that is not what it should be, work that failed, a peer that says nothing any more.
    pub fn play(self, role: Role, stop: &AtomicBool) -> Result<Score> {
        let Game {
            mut arrivals,
            mut table,
        } = self;
        table.role = role;
        if let Some(check) = &mut table.check {
            check.plays(role);
        }
        let start = Instant::now();
        if role == Role::Client {
            for place in 0..table.players.len() {
                table.send(place)?;
            }
        }
        while !table.is_over() && !stop.load(Ordering::Relaxed) {
            for mut completion in arrivals.next()? {
                while let Some((place, done)) = table.link.complete(&mut completion)? {
                    table.over(place, done)?;
                }
            }
            arrivals.note(u64::from(table.sent) + u64::from(table.received))?;
        }
        let elapsed = start.elapsed();
        let is_stopped = !table.is_over();
        table.link.close()?;
        Ok(Score {
            elapsed,
            sent: table.sent,
            received: table.received,
            latencies: table.latencies,
            checked: table.check.map(|check| check.checked),
            is_stopped,
        })
    }
}

impl Table {
    fn is_over(&self) -> bool {
        self.sent >= self.iters && self.received >= self.iters
    }

    /// A message was sent or received.
    fn over(&mut self, place: usize, done: Done) -> Result<()> {
        done.check()?;
        match done.queue {
            Queue::Send => {
                self.sent += 1;
                self.player(place)?.is_sending = false;
                // Its buffer returns to the memory where it is dropped.
            }
            Queue::Recv if self.link.is_of_a_stranger(&done) => return self.post_recv(),
            Queue::Recv => self.receive(place, done)?,
        }
        let wants_more = self.sent < self.iters;
        let player = self.player(place)?;
        if wants_more && !player.is_sending && !player.is_waiting {
            self.send(place)?;
        }
        Ok(())
    }

    fn receive(&mut self, place: usize, done: Done) -> Result<()> {
        let asked = self.player(place)?.asked.take();
        if let Some((latencies, asked)) = self.latencies.as_mut().zip(asked) {
            latencies.record(asked.elapsed());
        }
        if let Some(check) = &mut self.check {
            check.received(self.received, done.message())?;
        }
        self.received += 1;
        let reply = match self.role {
            Role::Server => Some(self.answer(done)?),
            Role::Client => None,
        };
        let player = self.player(place)?;
        player.is_waiting = false;
        player.reply = reply;
        self.post_recv()
    }

    /// What was received, ready to be sent.
    fn answer(&self, done: Done) -> Result<Buf> {
        let mut buf = done.into_buf().context("a receive without its buffer")?;
        if self.is_datagram {
            // The header stands before the message, and a buffer is sent from its first byte.
            let header = usize::try_from(HEADER)?.min(buf.len());
            let len = buf.len() - header;
            buf.copy_within(header.., 0);
            buf.set_len(len);
        }
        Ok(buf)
    }

    fn post_recv(&mut self) -> Result<()> {
        let mut buf = self.free()?;
        if self.check.is_some() {
            spoil(&mut buf);
        }
        self.link.post_recv(buf)
    }

    /// Sends the next message.
    fn send(&mut self, place: usize) -> Result<()> {
        let message = match self.player(place)?.reply.take() {
            Some(reply) => reply,
            None => {
                let mut message = self.free()?;
                message.set_len(self.size);
                if let Some(check) = &self.check {
                    check.fill(self.sent, &mut message);
                }
                message
            }
        };
        let is_timed = self.latencies.is_some();
        let player = self.player(place)?;
        (player.is_sending, player.is_waiting) = (true, true);
        player.asked = is_timed.then(Instant::now);
        self.link.send(place, message)
    }

    fn free(&self) -> Result<Buf> {
        self.memory.take().context("no buffer is left")
    }

    fn player(&mut self, place: usize) -> Result<&mut Player> {
        self.players.get_mut(place).context("no such queue pair")
    }
}
