use std::net::UdpSocket;

use anyhow::{Result, anyhow, bail};
use netprims::ring::{Chunk, Event, Queue, Ring, RxPlan, SendOptions, Socket, TxPool, Wait};

use super::{Args, Client, Totals, segment};

/// Pieces that are received at a time, and answers that are on their way.
const PIECES: u32 = 64;

/// The answers and the receive.
pub(super) const IN_FLIGHT: u32 = PIECES + 1;

/// Answers until there were as many datagrams as asked for, or nobody asks any more.
pub(super) fn answer(
    mut ring: Ring,
    args: &Args,
    socket: UdpSocket,
    client: &Client,
) -> Result<Totals> {
    let longest = u32::from(args.longest);
    let plan = RxPlan::new(PIECES, longest).messages(true);
    let (received, sent) = (ring.rx_pool(&plan)?, ring.tx_pool(PIECES, longest)?);
    println!("{}", received.report());
    let socket = ring.add(socket)?;
    ring.receive(socket, &received)?;
    let mut totals = Totals::default();
    let mut wrong = None;
    let is_over = |totals: &Totals| {
        args.datagrams.is_some_and(|most| totals.datagrams >= most) || client.is_over()
    };
    let wait = client.look().map_or(Wait::Forever, Wait::AtMost);
    // The receive is one of those in flight.
    while !is_over(&totals) || ring.in_flight() > 1 {
        ring.poll_with(wait, |event, queue| match event {
            // More answers would put off the end for as long as somebody asks.
            Event::Received { .. } if is_over(&totals) => {}
            Event::Received { chunk, .. } => {
                if let Err(error) = echo(&chunk, socket, queue, &sent, &mut totals) {
                    wrong = Some(error);
                }
            }
            // The peer's fault, or the path's: nobody waits for an answer that cannot be sent.
            Event::Sent { result: Err(_), .. } => totals.dropped += 1,
            Event::ReceiveEnded { end, .. } => wrong = Some(anyhow!("the receive ended: {end:?}")),
            _ => {}
        })?;
        if let Some(error) = wrong.take() {
            return Err(error);
        }
    }
    Ok(totals)
}

/// Answers a piece, or counts why not.
fn echo(
    chunk: &Chunk<'_>,
    socket: Socket,
    queue: &mut Queue<'_>,
    pool: &TxPool,
    totals: &mut Totals,
) -> Result<()> {
    // Both are there: the pool is for messages.
    let (Some(incoming), Some(to)) = (chunk.incoming(), chunk.source()) else {
        bail!("a datagram from nowhere");
    };
    if !totals.take(&incoming)? {
        return Ok(());
    }
    let Some(mut buf) = pool.take() else {
        totals.dropped += 1;
        return Ok(());
    };
    buf.set_len(chunk.len())?;
    buf.copy_from_slice(chunk);
    let options = SendOptions::new().segment(segment(incoming.segment()));
    if queue.send_to(socket, buf, to, options).is_err() {
        totals.dropped += 1;
    }
    Ok(())
}
