use std::collections::{HashMap, VecDeque};
use std::io;
use std::os::fd::OwnedFd;

use anyhow::Result;
use netprims::Error;
use netprims::ring::readiness::Readiness;
use netprims::ring::{Event, ReceiveEnd, Ring, RxPlan, RxPool, Socket, Ticket, Wait, ZeroCopyRx};

use super::ring_accept::Accepting;
use super::{Args, Received, Stream};

/// Requests that are about no connection: the accept, the end of it, and a pause.
const OTHERS: u32 = 3;

/// For each connection at a time a receive, its clock, and the clock of the one before, which may still be ending; and the
/// others.
pub(super) fn most_in_flight(args: &Args) -> u32 {
    3 * args.at_a_time + OTHERS
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
            received.add(stream, &why(&end));
        }
        // Only this connection ends, once its receive has.
        for ticket in news.wrong.drain(..) {
            match ring.cancel(ticket) {
                Ok(()) | Err(Error::UnknownRequest) => {}
                Err(error) => return Err(error.into()),
            }
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
            match start(&mut ring, fd, &pool, args) {
                Ok((ticket, socket)) => {
                    streams.insert(ticket, (socket, Stream::default()));
                }
                Err(error) => received.add(Stream::default(), &error.to_string()),
            }
        }
        accepting.take_more(&mut ring, streams.len() < most)?;
    }
    accepting.end(&mut ring);
    print_stats(&pool);
    Ok(received)
}

/// Receives from a connection for as long as something comes.
fn start(
    ring: &mut Ring,
    fd: OwnedFd,
    pool: &RxPool,
    args: &Args,
) -> netprims::Result<(Ticket, Socket)> {
    let socket = ring.add(fd)?;
    match ring.receive_until_idle(socket, pool, args.patience) {
        Ok(ticket) => Ok((ticket, socket)),
        Err(error) => {
            drop(ring.remove(socket)?);
            Err(error)
        }
    }
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
    /// Connections of which a byte was not as it was sent.
    wrong: Vec<Ticket>,
}

impl News {
    fn take(&mut self, event: Event<'_>, streams: &mut HashMap<Ticket, (Socket, Stream)>) {
        match event {
            Event::Accepted { fd, .. } => self.arrived.push_back(fd),
            Event::AcceptEnded { error, .. } => self.no_longer_accepting = Some(error),
            // The bytes are looked at where they are. When this returns, the memory is received into again.
            Event::Received { ticket, chunk, .. } => {
                if let Some((_, stream)) = streams.get_mut(&ticket) {
                    if !stream.check(&chunk) {
                        self.wrong.push(ticket);
                    }
                }
            }
            Event::ReceiveEnded { ticket, end, .. } => self.ended.push((ticket, end)),
            Event::TimedOut { ticket, .. } => self.timed_out.push(ticket),
            _ => {}
        }
    }
}
