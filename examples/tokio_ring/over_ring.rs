use std::collections::{HashMap, VecDeque};
use std::future::pending;
use std::io;
use std::net::Shutdown;
use std::os::fd::OwnedFd;

use anyhow::{Result, ensure};
use netprims::ring::{
    AsyncRing, Event, ReceiveEnd, Ring, RxPlan, RxPool, SendOptions, Socket, Ticket, TxPool,
};
use tokio::select;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep_until, timeout};

use super::reset::reset_on_close;
use super::ring_accept::Accepting;
use super::{Args, MOST_BEHIND, Totals, write_message};

/// Subscribers at a time; `--subscribers` has this as its highest. Others wait.
const MOST_SUBSCRIBERS: u32 = 8;

/// Buffers to send from: as many for each as it may be behind, so that none takes another's.
const BUFFERS: u32 = MOST_SUBSCRIBERS * MOST_BEHIND;

/// Sends until they are released, a receive and a shutdown for each subscriber, and what belongs to the accept.
pub(super) const MOST_IN_FLIGHT: u32 = BUFFERS + 2 * MOST_SUBSCRIBERS + 8;

/// Sends every message to every subscriber.
pub(super) async fn feed(
    ring: Ring,
    args: &Args,
    listener: OwnedFd,
    mut messages: mpsc::Receiver<u64>,
    count: watch::Sender<usize>,
) -> Result<Totals> {
    let mut ring = AsyncRing::new(ring)?;
    // Subscribers say nothing; who is received from is heard when it goes.
    let rx = ring.rx_pool(&RxPlan::new(64, 64))?;
    let tx = ring.tx_pool(BUFFERS, args.size)?;
    let mut accepting = Accepting::new(&mut ring, listener)?;
    let mut feed = Feed {
        rx,
        tx,
        message: vec![0; usize::try_from(args.size)?],
        subscribers: HashMap::new(),
        whose: HashMap::new(),
        totals: Totals::default(),
        count,
    };
    let mut news = News::default();
    // When the subscribers that are left are waited for no longer: there is such a time once there are no more messages.
    let mut deadline = None;
    while deadline.is_none() || !feed.subscribers.is_empty() {
        // Whichever comes first. The poll that is dropped for a message has taken nothing.
        let message = select! {
            polled = ring.poll(|event| news.take(event)) => {
                polled?;
                None
            }
            () = over(deadline) => None,
            message = messages.recv(), if deadline.is_none() => {
                if message.is_none() {
                    deadline = Some(Instant::now() + args.patience);
                }
                message
            }
        };
        let has_ended = deadline.is_some();
        // Only that somebody took something puts it off, not what a subscriber says.
        if has_ended && news.has_taken() {
            deadline = Some(Instant::now() + args.patience);
        }
        // Asked for here, too: events that never stop would leave tokio no time to look at its timers.
        if deadline.is_some_and(|deadline| deadline <= Instant::now()) {
            feed.lose_all();
        }
        if let Some(error) = news.no_longer_accepting.take() {
            accepting.ended(&mut ring, error)?;
        }
        for timeout in news.timed_out.drain(..) {
            accepting.timed_out(timeout);
        }
        feed.note(&mut news);
        // What is queued here the kernel sees at the next poll.
        if let Some(number) = message {
            feed.send(&mut ring, number)?;
        }
        feed.leave(&mut ring, has_ended)?;
        if has_ended {
            // They would get nothing.
            news.arrived.clear();
        }
        let has_room = feed.welcome(&mut ring, &mut news)?;
        accepting.take_more(&mut ring, has_room && !has_ended)?;
    }
    accepting.end(&mut ring);
    while ring.in_flight() > 0 {
        let events = timeout(args.patience, ring.poll(|event| news.take(event))).await??;
        ensure!(events > 0, "the ring says nothing");
    }
    let totals = ring.totals();
    feed.totals.bytes = totals.zero_copied + totals.copied + totals.unknown;
    Ok(feed.totals)
}

/// Ends at this time, if there is one.
async fn over(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => sleep_until(deadline).await,
        None => pending().await,
    }
}

struct Feed {
    rx: RxPool,
    tx: TxPool,
    /// What is sent to everybody.
    message: Vec<u8>,
    subscribers: HashMap<Socket, Subscriber>,
    whose: HashMap<Ticket, Socket>,
    totals: Totals,
    count: watch::Sender<usize>,
}

#[derive(Default)]
struct Subscriber {
    /// Messages that are on their way: their buffers are not back.
    out: u32,
    /// Messages of which the result is not known.
    unsent: u32,
    is_shutting: bool,
    is_shut: bool,
    /// It went, or cannot be sent to, or is too slow.
    is_lost: bool,
}

impl Subscriber {
    /// Whether it got everything. The shutdown says only that all is queued: what is in a buffer that is not back may never
    /// arrive.
    fn is_served(&self) -> bool {
        self.is_shut && self.out == 0
    }
}

/// What a poll has told and is still to be done: the ring cannot be asked for anything while it tells.
#[derive(Default)]
struct News {
    arrived: VecDeque<OwnedFd>,
    /// Whether a send took all of a message.
    sent: Vec<(Ticket, bool)>,
    released: Vec<Ticket>,
    shut: Vec<Ticket>,
    /// Whether it was closed as it should be.
    gone: Vec<(Ticket, bool)>,
    timed_out: Vec<Ticket>,
    no_longer_accepting: Option<io::Error>,
}

impl News {
    fn take(&mut self, event: Event<'_>) {
        match event {
            Event::Accepted { fd, .. } => self.arrived.push_back(fd),
            Event::AcceptEnded { error, .. } => self.no_longer_accepting = Some(error),
            // A part of a message is what a connection that failed leaves; the sends behind it fail.
            Event::Sent { ticket, result, .. } => self.sent.push((ticket, result.is_ok())),
            // The buffer is dropped here, and so goes back to the pool.
            Event::Released { ticket, .. } => self.released.push(ticket),
            Event::ShutDown { ticket, .. } => self.shut.push(ticket),
            Event::ReceiveEnded { ticket, end, .. } => {
                self.gone.push((ticket, matches!(end, ReceiveEnd::Closed)));
            }
            Event::TimedOut { ticket, .. } => self.timed_out.push(ticket),
            // What subscribers say is not heard.
            _ => {}
        }
    }

    /// Whether somebody took something.
    fn has_taken(&self) -> bool {
        self.sent.iter().any(|(_, is_sent)| *is_sent) || !self.released.is_empty()
    }
}

impl Feed {
    /// Notes what has come of what was asked for.
    fn note(&mut self, news: &mut News) {
        for (ticket, is_sent) in news.sent.drain(..) {
            let socket = self.whose.get(&ticket);
            if let Some(subscriber) = socket.and_then(|it| self.subscribers.get_mut(it)) {
                subscriber.unsent -= 1;
                subscriber.is_lost |= !is_sent;
            }
        }
        for ticket in news.released.drain(..) {
            if let Some(subscriber) = self.of(ticket) {
                subscriber.out -= 1;
            }
        }
        for ticket in news.shut.drain(..) {
            if let Some(subscriber) = self.of(ticket) {
                subscriber.is_shut = true;
            }
        }
        for (ticket, is_closed) in news.gone.drain(..) {
            if let Some(subscriber) = self.of(ticket) {
                // Who has been told the end may go, too.
                subscriber.is_lost |= !(is_closed && subscriber.is_shut);
            }
        }
    }

    fn of(&mut self, ticket: Ticket) -> Option<&mut Subscriber> {
        let socket = self.whose.remove(&ticket)?;
        self.subscribers.get_mut(&socket)
    }

    /// Takes those who have come, and says whether there is room for more.
    fn welcome(&mut self, ring: &mut Ring, news: &mut News) -> Result<bool> {
        let most = usize::try_from(MOST_SUBSCRIBERS)?;
        while self.subscribers.len() < most {
            let Some(fd) = news.arrived.pop_front() else {
                break;
            };
            let socket = ring.add(fd)?;
            let ticket = ring.receive(socket, &self.rx)?;
            self.whose.insert(ticket, socket);
            self.subscribers.insert(socket, Subscriber::default());
        }
        self.count.send_replace(self.subscribers.len());
        Ok(self.subscribers.len() < most)
    }

    /// Sends a message to every subscriber. Nothing is waited for: the ring keeps the order of each.
    fn send(&mut self, ring: &mut Ring, number: u64) -> Result<()> {
        write_message(&mut self.message, number);
        for (socket, subscriber) in &mut self.subscribers {
            if subscriber.is_lost || subscriber.out >= MOST_BEHIND {
                // Nobody waits for those who are slow.
                subscriber.is_lost = true;
                continue;
            }
            let Some(mut buf) = self.tx.take() else {
                subscriber.is_lost = true;
                continue;
            };
            buf.copy_from_slice(&self.message);
            let ticket = ring.send(*socket, buf, SendOptions::new())?;
            self.whose.insert(ticket, *socket);
            subscriber.out += 1;
            subscriber.unsent += 1;
        }
        Ok(())
    }

    fn lose_all(&mut self) {
        for subscriber in self.subscribers.values_mut() {
            subscriber.is_lost = true;
        }
    }

    /// Leaves those who are through, and at the end tells it to those who got everything.
    fn leave(&mut self, ring: &mut Ring, has_ended: bool) -> Result<()> {
        let mut over = Vec::new();
        for (socket, subscriber) in &mut self.subscribers {
            if subscriber.is_served() || subscriber.is_lost {
                over.push((*socket, subscriber.is_served()));
            } else if has_ended && subscriber.unsent == 0 && !subscriber.is_shutting {
                let ticket = ring.shutdown(*socket, Shutdown::Write)?;
                self.whose.insert(ticket, *socket);
                subscriber.is_shutting = true;
            }
        }
        for (socket, is_served) in over {
            self.subscribers.remove(&socket);
            self.totals.served += usize::from(is_served);
            self.totals.left += usize::from(!is_served);
            if !is_served {
                ring.cancel_all(socket)?;
            }
            let fd = ring.remove(socket)?;
            if !is_served {
                reset_on_close(&fd);
            }
        }
        Ok(())
    }
}
