use std::io;
use std::time::{Duration, Instant};

use netprims::ring::{Rejected, Ring, SendOptions, Socket, Ticket, TxBuf, TxPool};

use super::{Answer, Incoming, MOST_OUT};

/// A client of the ring.
pub(crate) struct Client {
    pub(crate) incoming: Incoming,
    pub(crate) answer: Option<Answer>,
    /// Buffers that are filled and not queued.
    waiting: Vec<TxBuf>,
    /// Sends without a result.
    unsent: u32,
    /// Buffers that are not released.
    out: u32,
    /// It sends no more.
    pub(crate) has_left: bool,
    /// All was sent, and the end of it is told.
    pub(crate) is_shutting: bool,
    is_shut: bool,
    pub(crate) failure: Option<String>,
    /// When it is left, unless something happens before.
    deadline: Instant,
    /// The timeout that looks after it.
    pub(crate) timeout: Ticket,
}

/// A send that was queued.
pub(crate) struct Queued {
    pub(crate) ticket: Ticket,
    pub(crate) len: usize,
    pub(crate) bufs: usize,
}

/// What a client can do now.
pub(crate) enum Next {
    /// This is to be sent.
    Send,
    /// There is no buffer for what comes next.
    Hungry,
    /// Nothing more is to be sent.
    Sent,
    /// Enough is on its way.
    Later,
}

impl Client {
    pub(crate) fn new(timeout: Ticket, patience: Duration) -> Self {
        Self {
            incoming: Incoming::default(),
            answer: None,
            waiting: Vec::new(),
            unsent: 0,
            out: 0,
            has_left: false,
            is_shutting: false,
            is_shut: false,
            failure: None,
            deadline: Instant::now() + patience,
            timeout,
        }
    }

    /// Fills what is to be sent next: the head and the first of the body as one message, then buffer by buffer.
    pub(crate) fn fill(&mut self, pool: &TxPool) -> io::Result<Next> {
        let Some(answer) = &mut self.answer else {
            return Ok(Next::Later);
        };
        if !self.waiting.is_empty() {
            return Ok(Next::Send);
        }
        if answer.is_over() {
            return Ok(if self.unsent == 0 {
                Next::Sent
            } else {
                Next::Later
            });
        }
        if self.out >= MOST_OUT {
            return Ok(Next::Later);
        }
        let Some(mut buf) = pool.take() else {
            return Ok(Next::Hungry);
        };
        if answer.is_fresh() {
            let len = answer.fill_head(&mut buf);
            cut(&mut buf, len)?;
            self.waiting.push(buf);
            // Where there is none, the body follows.
            match pool.take() {
                Some(next) if !answer.is_over() => buf = next,
                _ => return Ok(Next::Send),
            }
        }
        let len = answer.fill(&mut buf)?;
        cut(&mut buf, len)?;
        self.waiting.push(buf);
        Ok(Next::Send)
    }

    /// Queues what is filled. It need not wait for what was queued before: the ring keeps the order. What there was no room
    /// for stays here.
    pub(crate) fn queue(&mut self, ring: &mut Ring, socket: Socket) -> netprims::Result<Queued> {
        let (bufs, len) = (
            self.waiting.len(),
            self.waiting.iter().map(|buf| buf.len()).sum(),
        );
        let ticket = match self.waiting.pop() {
            Some(buf) if bufs == 1 => {
                let queued = ring.send(socket, buf, SendOptions::new());
                queued.map_err(|Rejected { buf, error, .. }| {
                    self.waiting.push(buf);
                    error
                })
            }
            last => {
                self.waiting.extend(last);
                ring.send_vectored(socket, &mut self.waiting, SendOptions::new())
            }
        }?;
        self.unsent += 1;
        self.out += u32::try_from(bufs).unwrap_or(0);
        Ok(Queued { ticket, len, bufs })
    }

    /// A send has its result.
    pub(crate) fn sent(&mut self, len: usize, result: io::Result<usize>) {
        self.unsent -= 1;
        let failure = match result {
            Ok(taken) if taken == len => return,
            Ok(taken) => format!("{taken} bytes of {len}"),
            Err(error) => error.to_string(),
        };
        // The first: those behind it fail because of it.
        self.failure.get_or_insert(failure);
    }

    /// A buffer is back.
    pub(crate) fn released(&mut self) {
        self.out -= 1;
    }

    pub(crate) fn shut(&mut self) {
        self.is_shut = true;
    }

    /// Whether it has taken everything, as far as the kernel knows. Before, closing would leave buffers with the kernel for as
    /// long as the client likes.
    pub(crate) fn has_all(&self) -> bool {
        self.is_shut && self.out == 0
    }

    /// Whether nothing is left to do. While it sends, closing would reset the connection, and the client might lose an
    /// answer that it has not read.
    pub(crate) fn is_over(&self) -> bool {
        self.has_all() && self.has_left
    }

    /// Something has happened.
    pub(crate) fn put_off(&mut self, patience: Duration) {
        self.deadline = Instant::now() + patience;
    }

    /// How long it is still waited for; `None` when that is over.
    pub(crate) fn time_left(&mut self, patience: Duration) -> Option<Duration> {
        // With nothing on its way it is the client that waits, for a buffer.
        if self.answer.is_some() && self.out == 0 && !self.is_shutting {
            self.put_off(patience);
        }
        let left = self.deadline.saturating_duration_since(Instant::now());
        (!left.is_zero()).then_some(left)
    }
}

fn cut(buf: &mut TxBuf, len: usize) -> io::Result<()> {
    buf.set_len(len).map_err(io::Error::other)
}
