use std::collections::{HashMap, VecDeque};
use std::io;
use std::os::fd::OwnedFd;

use anyhow::Result;
use netprims::ring::readiness::Readiness;
use netprims::ring::{Event, ReceiveEnd, Ring, RxPlan, RxPool, Socket, Ticket, Wait, ZeroCopyRx};

use super::ring_accept::Accepting;
use super::{Args, Received, Stream};

/// Requests that are about no connection: the accept, the end of it, and a pause.
const OTHERS: u32 = 3;

/// A receive for each connection at a time, and the others.
pub(super) fn most_in_flight(args: &Args) -> u32 {
    args.at_a_time + OTHERS
}

/// Receives until so many connections are over.
pub(super) fn receive(
    mut ring: Ring,
    args: &Args,
    listener: OwnedFd,
    connections: Option<u64>,
) -> Result<Received> {
    let pool = ring.rx_pool(&plan(args))?;
    println!("{}", pool.report());
    let mut accepting = Accepting::new(&mut ring, listener)?;
    let most = usize::try_from(args.at_a_time)?;
    let mut streams: HashMap<Ticket, (Socket, Stream)> = HashMap::new();
    let mut received = Received::default();
    let mut news = News::default();
    while connections.is_none_or(|most| received.connections < most) {
        ring.poll(Wait::Forever, |event| news.take(event, &mut streams))?;
        for (ticket, end) in news.ended.drain(..) {
            let Some((socket, stream)) = streams.remove(&ticket) else {
                continue;
            };
            netprims::fd::close(ring.remove(socket)?)?;
            received.add(&stream, &why(&end));
        }
        if let Some(error) = news.wrong.take() {
            return Err(error);
        }
        if let Some(error) = news.no_longer_accepting.take() {
            accepting.ended(&mut ring, error)?;
        }
        for timeout in news.timed_out.drain(..) {
            accepting.timed_out(timeout);
        }
        while streams.len() < most {
            let Some(fd) = news.arrived.pop_front() else {
                break;
            };
            let socket = ring.add(fd)?;
            let ticket = ring.receive(socket, &pool)?;
            streams.insert(ticket, (socket, Stream::default()));
        }
        accepting.take_more(&mut ring, streams.len() < most)?;
    }
    accepting.end(&mut ring);
    print_stats(&pool);
    Ok(received)
}

fn plan(args: &Args) -> RxPlan {
    let plan = RxPlan::new(args.slots, args.slot_len)
        .at_most(args.at_most.into())
        .bundles(!args.no_bundles)
        .incremental(args.incremental);
    let Some(source) = args.zero_copy() else {
        return plan;
    };
    if let ZeroCopyRx::Device { interface, queue } = &source {
        match Readiness::check(interface, *queue) {
            Ok(readiness) => readiness.missing().for_each(|it| println!("{it}")),
            // The pool's report says what comes of it all the same.
            Err(error) => println!("{interface}:{queue}: cannot tell what it lacks: {error}"),
        }
    }
    plan.zero_copy(source)
}

fn why(end: &ReceiveEnd) -> String {
    match end {
        ReceiveEnd::Failed(error) => error.to_string(),
        end => format!("{end:?}"),
    }
}

fn print_stats(pool: &RxPool) {
    let stats = pool.stats();
    let copied = stats
        .copied
        .map_or("?".to_owned(), |bytes| bytes.to_string());
    println!(
        "chunks={} bytes={} copied={copied} starved={} rearmed={} stepped_down={} flushed={}",
        stats.chunks, stats.bytes, stats.starved, stats.rearmed, stats.stepped_down, stats.flushed
    );
}

/// What a poll has told and is still to be done: the ring cannot be asked for anything while it tells.
#[derive(Default)]
struct News {
    /// Connections that are not received from yet.
    arrived: VecDeque<OwnedFd>,
    ended: Vec<(Ticket, ReceiveEnd)>,
    timed_out: Vec<Ticket>,
    no_longer_accepting: Option<io::Error>,
    wrong: Option<anyhow::Error>,
}

impl News {
    fn take(&mut self, event: Event<'_>, streams: &mut HashMap<Ticket, (Socket, Stream)>) {
        match event {
            Event::Accepted { fd, .. } => self.arrived.push_back(fd),
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
            Event::TimedOut { ticket, .. } => self.timed_out.push(ticket),
            _ => {}
        }
    }
}
