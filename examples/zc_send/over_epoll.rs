use std::net::UdpSocket;
use std::os::fd::OwnedFd;

use anyhow::{Result, bail, ensure};
use netprims::buffer::{TxBuf, TxPool};
use netprims::fd::{Epoll, Events, Interest};
use netprims::zerocopy::{Event, ZeroCopyOptions, ZeroCopySender};

use super::{Args, Outcome, PATIENCE, Sender, fill};

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
        })
    }

    /// Sends one buffer, and waits until the socket has taken all of it.
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

    /// Waits until there is room or something has come back.
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
}

impl Sender for OverEpoll {
    fn send_stream(&mut self, total: u64) -> Result<()> {
        let mut position = 0;
        while position < total {
            let Some(mut buf) = self.pool.take() else {
                self.wait()?;
                continue;
            };
            let left = usize::try_from(total - position).unwrap_or(usize::MAX);
            buf.set_len(left.min(buf.capacity()))?;
            fill(&mut buf, position);
            position += u64::try_from(buf.len())?;
            self.send(buf)?;
            if let Some(error) = &self.failure {
                bail!("send: {error}");
            }
        }
        Ok(())
    }

    fn send_datagrams(&mut self, count: u32) -> Result<()> {
        let mut sent = 0;
        while sent < count {
            let Some(mut buf) = self.pool.take() else {
                self.wait()?;
                continue;
            };
            fill(&mut buf, 0);
            self.send(buf)?;
            sent += 1;
        }
        Ok(())
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
        Ok(Outcome {
            offer: "zero-copy sends: yes, usage report: yes".to_owned(),
            sends: self.sends,
            zero_copied: totals.zero_copied,
            copied,
            unknown: 0,
            not_sent: self.bytes.saturating_sub(totals.zero_copied + copied),
            failure: self.failure,
        })
    }
}
