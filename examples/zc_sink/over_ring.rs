use std::collections::HashMap;
use std::io;
use std::os::fd::OwnedFd;
use std::thread;

use anyhow::{Result, bail};
use netprims::ring::readiness::Readiness;
use netprims::ring::{Event, ReceiveEnd, Ring, RxPlan, Socket, Ticket, Wait, ZeroCopyRx};

use super::accept_error::{AcceptError, PAUSE};
use super::{Args, Received, Stream};

/// Connections at a time, and the accept.
pub(super) const MOST_IN_FLIGHT: u32 = 1024;

/// Receives until so many connections are over.
pub(super) fn receive(
    mut ring: Ring,
    args: &Args,
    listener: OwnedFd,
    connections: Option<u64>,
) -> Result<Received> {
    let mut plan = RxPlan::new(args.slots, args.slot_len)
        .at_most(args.at_most.into())
        .bundles(!args.no_bundles)
        .incremental(args.incremental);
    if let Some(source) = args.zero_copy() {
        if let ZeroCopyRx::Device { interface, queue } = &source {
            for finding in Readiness::check(interface, *queue)?.missing() {
                println!("{finding}");
            }
        }
        plan = plan.zero_copy(source);
    }
    let pool = ring.rx_pool(&plan)?;
    println!("{}", pool.report());
    let listener = ring.add(listener)?;
    ring.accept(listener)?;
    let mut streams: HashMap<Ticket, (Socket, Stream)> = HashMap::new();
    let mut received = Received::default();
    let mut news = News::default();
    while connections.is_none_or(|most| received.connections < most) {
        ring.poll(Wait::Forever, |event| news.take(event, &mut streams))?;
        for fd in news.arrived.drain(..) {
            let socket = ring.add(fd)?;
            let ticket = ring.receive(socket, &pool)?;
            streams.insert(ticket, (socket, Stream::default()));
        }
        for (ticket, end) in news.ended.drain(..) {
            let Some((socket, stream)) = streams.remove(&ticket) else {
                continue;
            };
            netprims::fd::close(ring.remove(socket)?)?;
            received.connections += 1;
            received.bytes += stream.position;
            println!("{} bytes from a connection: {end:?}", stream.position);
            match end {
                ReceiveEnd::Closed => {}
                end => bail!("a connection ended early: {end:?}"),
            }
        }
        if let Some(error) = news.wrong.take() {
            return Err(error);
        }
        if let Some(error) = news.no_longer_accepting.take() {
            if AcceptError::of(&error) == AcceptError::Listener {
                return Err(error.into());
            }
            eprintln!("accept: {error}");
            thread::sleep(PAUSE);
            ring.accept(listener)?;
        }
    }
    let stats = pool.stats();
    let copied = stats
        .copied
        .map_or("?".to_owned(), |bytes| bytes.to_string());
    println!(
        "chunks={} bytes={} copied={copied} starved={} rearmed={} stepped_down={} flushed={}",
        stats.chunks, stats.bytes, stats.starved, stats.rearmed, stats.stepped_down, stats.flushed
    );
    Ok(received)
}

/// What a poll has told and is still to be done: the ring cannot be asked for anything while it tells.
#[derive(Default)]
struct News {
    arrived: Vec<OwnedFd>,
    ended: Vec<(Ticket, ReceiveEnd)>,
    no_longer_accepting: Option<io::Error>,
    wrong: Option<anyhow::Error>,
}

impl News {
    fn take(&mut self, event: Event<'_>, streams: &mut HashMap<Ticket, (Socket, Stream)>) {
        match event {
            Event::Accepted { fd, .. } => self.arrived.push(fd),
            Event::AcceptEnded { error, .. } => self.no_longer_accepting = Some(error),
            // The bytes are looked at where they are. When this returns, the memory is received into again.
            Event::Received { ticket, chunk, .. } => {
                if let Some((_, stream)) = streams.get_mut(&ticket) {
                    if let Err(error) = stream.check(&chunk) {
                        self.wrong.get_or_insert(error);
                    }
                }
            }
            Event::ReceiveEnded { ticket, end, .. } => self.ended.push((ticket, end)),
            _ => {}
        }
    }
}
