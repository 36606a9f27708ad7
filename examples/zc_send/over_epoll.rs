use std::net::UdpSocket;
use std::os::fd::OwnedFd;

use anyhow::{Result, ensure};
use netprims::buffer::{TxBuf, TxPool};
use netprims::fd::{Epoll, Events, Interest};
use netprims::zerocopy::{Event, ZeroCopyOptions, ZeroCopySender};

use super::{Args, Outcome, PATIENCE, Sender};

/// A socket that sends with `MSG_ZEROCOPY`, what waits for it, and the buffers to send from.
pub(super) struct OverEpoll {
    sender: ZeroCopySender<OwnedFd>,
    epoll: Epoll,
    events: Events,
    pool: TxPool,
    /// Buffers and bytes there were to send.
    sends: u64,
    bytes: u64,
    /// The first send that failed.
    failure: Option<String>,
    is_plain: bool,
}

impl OverEpoll {
    pub(super) fn new(args: &Args, socket: OwnedFd) -> Result<Self> {
        // Its type does not matter for that.
        let socket = UdpSocket::from(socket);
        socket.set_nonblocking(true)?;
        let threshold = if args.plain { usize::MAX } else { 0 };
        let options = ZeroCopyOptions::new()
            .threshold(threshold)
            .in_flight(args.buffers + 1)
            .give_up_after(0);
        let sender = options.attach(OwnedFd::from(socket))?;
        let epoll = Epoll::new()?;
        epoll.add(&sender, 0, Interest::WRITABLE.edge_triggered())?;
        Ok(Self {
            sender,
            epoll,
            events: Events::with_capacity(1),
            pool: TxPool::new(args.buffers, args.size)?,
            sends: 0,
            bytes: 0,
            failure: None,
            is_plain: args.plain,
        })
    }
}

impl Sender for OverEpoll {
    fn pool(&self) -> &TxPool {
        &self.pool
    }

    /// Waits also until the socket has taken all of it: the next would not find room.
    fn send(&mut self, mut buf: TxBuf) -> Result<()> {
        self.sends += 1;
        self.bytes += u64::try_from(buf.len())?;
        loop {
            // What was copied comes back at once, is dropped here, and so goes back to the pool.
            let Err(rejected) = self.sender.send(buf) else {
                break;
            };
            match rejected.buf {
                Ok(back) if rejected.error.is_would_block() => buf = back,
                _ => {
                    self.failure.get_or_insert(rejected.error.to_string());
                    break;
                }
            }
            self.wait()?;
        }
        while self.sender.unsent() > 0 {
            self.wait()?;
        }
        Ok(())
    }

    fn wait(&mut self) -> Result<()> {
        let failure = &mut self.failure;
        let take = |event| {
            // A released buffer is dropped here, and so goes back to the pool.
            if let Event::Error(error) = event {
                failure.get_or_insert(error.to_string());
            }
        };
        if self.sender.has_news() {
            self.sender.reap(take)?;
            return Ok(());
        }
        let count = self.epoll.wait(&mut self.events, Some(PATIENCE))?;
        ensure!(count > 0, "the peer takes or acknowledges nothing");
        if self.events.iter().any(|event| event.is_error()) {
            self.sender.reap(take)?;
        }
        self.sender.flush(drop)?;
        Ok(())
    }

    fn failure(&self) -> Option<&str> {
        self.failure.as_deref()
    }

    fn finish(self: Box<Self>) -> Result<Outcome> {
        let closed = self.sender.close(PATIENCE, drop)?;
        ensure!(
            closed.renewed + closed.leaked == 0,
            "the peer does not acknowledge what it was sent"
        );
        let totals = closed.totals;
        // What went plainly was copied, too.
        let copied = totals.copied + totals.plain;
        let way = match self.is_plain {
            true => "plain",
            false => "MSG_ZEROCOPY",
        };
        Ok(Outcome {
            offer: format!("sends: {way}"),
            sends: self.sends,
            zero_copied: totals.zero_copied,
            copied,
            unknown: 0,
            not_sent: self.bytes.saturating_sub(totals.zero_copied + copied),
            failure: self.failure,
        })
    }
}
