use std::collections::{HashMap, VecDeque};
use std::io;
use std::net::Shutdown;
use std::os::fd::OwnedFd;
use std::time::Duration;

use anyhow::{Result, ensure};
use netprims::ring::{
    AsyncRing, AutoPolicy, Event, Ring, RxPlan, RxPool, Socket, Ticket, TxBuf, TxPool, ZcPolicy,
};
use tokio::select;
use tokio::sync::{mpsc, watch};
use tokio::time::timeout;

use super::{Args, MOST_BEHIND, PATIENCE, Totals, write_message};

/// Sends until they are released, receives, and the accept.
pub(super) const MOST_IN_FLIGHT: u32 = 4096;

/// Buffers to send from, for all subscribers.
const BUFFERS: u32 = 512;

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
    let listener = ring.add(listener)?;
    let accept = ring.accept(listener)?;
    let mut feed = Feed {
        rx,
        tx,
        subscribers: HashMap::new(),
        whose: HashMap::new(),
        totals: Totals::default(),
        count,
    };
    let mut news = News::default();
    let mut has_ended = false;
    while !has_ended || !feed.subscribers.is_empty() {
        // At the end a subscriber that takes nothing is left behind.
        let limit = if has_ended { PATIENCE } else { Duration::MAX };
        // Whichever comes first. The poll that is dropped for a message has taken nothing.
        let message = select! {
            polled = timeout(limit, ring.poll(|event| news.take(event))) => {
                match polled {
                    Ok(polled) => drop(polled?),
                    Err(_) => feed.lose_all(),
                }
                None
            }
            message = messages.recv(), if !has_ended => {
                has_ended = message.is_none();
                message
            }
        };
        if let Some(error) = news.no_longer_accepting.take() {
            return Err(error.into());
        }
        feed.note(&mut news);
        feed.welcome(&mut ring, &mut news)?;
        if let Some(number) = message {
            feed.add(number);
        }
        // What is queued here the kernel sees at the next poll.
        feed.go_on(&mut ring, has_ended)?;
    }
    ring.cancel(accept)?;
    while ring.in_flight() > 0 {
        let events = timeout(PATIENCE, ring.poll(|event| news.take(event))).await??;
        ensure!(events > 0, "the ring says nothing");
    }
    let totals = ring.totals();
    feed.totals.bytes = totals.zero_copied + totals.copied + totals.unknown;
    Ok(feed.totals)
}

struct Feed {
    rx: RxPool,
    tx: TxPool,
    subscribers: HashMap<Socket, Subscriber>,
    whose: HashMap<Ticket, Socket>,
    totals: Totals,
    count: watch::Sender<usize>,
}

#[derive(Default)]
struct Subscriber {
    /// Messages that are still to be sent.
    behind: VecDeque<TxBuf>,
    /// A send has no result yet.
    is_sending: bool,
    is_shutting: bool,
    /// It got everything.
    is_served: bool,
    /// It went, or cannot be sent to, or is too slow.
    is_lost: bool,
}

/// What a poll has told and is still to be done: the ring cannot be asked for anything while it tells.
#[derive(Default)]
struct News {
    arrived: Vec<OwnedFd>,
    /// The bytes a send took.
    sent: Vec<(Ticket, io::Result<usize>)>,
    shut: Vec<Ticket>,
    gone: Vec<Ticket>,
    no_longer_accepting: Option<io::Error>,
}

impl News {
    fn take(&mut self, event: Event<'_>) {
        match event {
            Event::Accepted { fd, .. } => self.arrived.push(fd),
            Event::AcceptEnded { error, .. } => self.no_longer_accepting = Some(error),
            Event::Sent { ticket, result, .. } => self.sent.push((ticket, result)),
            Event::ShutDown { ticket, .. } => self.shut.push(ticket),
            Event::ReceiveEnded { ticket, .. } => self.gone.push(ticket),
            // A buffer that is released is dropped here, and so goes back to the pool. What subscribers say is not heard.
            _ => {}
        }
    }
}

impl Feed {
    /// Notes what has come of what was asked for.
    fn note(&mut self, news: &mut News) {
        for (ticket, result) in news.sent.drain(..) {
            if let Some(subscriber) = self.of(ticket) {
                subscriber.is_sending = false;
                // A part of a message is what a connection that failed leaves.
                let message = result.ok().filter(|bytes| *bytes > 0);
                subscriber.is_lost |= message.is_none();
            }
        }
        for ticket in news.shut.drain(..) {
            if let Some(subscriber) = self.of(ticket) {
                subscriber.is_served = true;
            }
        }
        for ticket in news.gone.drain(..) {
            if let Some(subscriber) = self.of(ticket) {
                subscriber.is_lost = true;
            }
        }
    }

    fn of(&mut self, ticket: Ticket) -> Option<&mut Subscriber> {
        let socket = self.whose.remove(&ticket)?;
        self.subscribers.get_mut(&socket)
    }

    fn welcome(&mut self, ring: &mut Ring, news: &mut News) -> Result<()> {
        for fd in news.arrived.drain(..) {
            let socket = ring.add(fd)?;
            let ticket = ring.receive(socket, &self.rx)?;
            self.whose.insert(ticket, socket);
            self.subscribers.insert(socket, Subscriber::default());
        }
        self.count.send_replace(self.subscribers.len());
        Ok(())
    }

    /// Writes a message for every subscriber.
    fn add(&mut self, number: u64) {
        for subscriber in self.subscribers.values_mut() {
            match self.tx.take() {
                Some(mut buf) if subscriber.behind.len() < MOST_BEHIND => {
                    write_message(&mut buf, number);
                    subscriber.behind.push_back(buf);
                }
                // Nobody waits for those who are slow.
                _ => subscriber.is_lost = true,
            }
        }
    }

    fn lose_all(&mut self) {
        for subscriber in self.subscribers.values_mut() {
            subscriber.is_lost = true;
        }
    }

    /// Queues the next message of each subscriber, and leaves those who are through.
    fn go_on(&mut self, ring: &mut Ring, has_ended: bool) -> Result<()> {
        let mut over = Vec::new();
        for (socket, subscriber) in &mut self.subscribers {
            if subscriber.is_served || subscriber.is_lost {
                over.push(*socket);
                continue;
            }
            if subscriber.is_sending || subscriber.is_shutting {
                continue;
            }
            let ticket = match subscriber.behind.pop_front() {
                Some(buf) => {
                    subscriber.is_sending = true;
                    ring.send(*socket, buf, ZcPolicy::Auto(AutoPolicy::new()))?
                }
                None if has_ended => {
                    subscriber.is_shutting = true;
                    ring.shutdown(*socket, Shutdown::Write)?
                }
                None => continue,
            };
            self.whose.insert(ticket, *socket);
        }
        for socket in over {
            let subscriber = self.subscribers.remove(&socket);
            let is_served = subscriber.is_some_and(|it| it.is_served);
            self.totals.served += usize::from(is_served);
            self.totals.left += usize::from(!is_served);
            drop(ring.remove(socket)?);
        }
        Ok(())
    }
}
