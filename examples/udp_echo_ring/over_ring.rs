use std::net::UdpSocket;

use anyhow::{Result, bail};
use netprims::ring::{Address, Chunk, Event, Ring, RxPlan, SendOptions, TxBuf, TxPool, Wait};

use super::{Args, Totals, segment};

/// Pieces that are received at a time, and answers that are on their way.
const PIECES: u32 = 64;

/// The answers and the receive.
pub(super) const IN_FLIGHT: u32 = PIECES + 1;

/// Answers until there were as many datagrams as asked for.
pub(super) fn answer(mut ring: Ring, args: &Args, socket: UdpSocket) -> Result<Totals> {
    let longest = u32::from(args.longest);
    let plan = RxPlan::new(PIECES, longest).messages(true);
    let (received, sent) = (ring.rx_pool(&plan)?, ring.tx_pool(PIECES, longest)?);
    println!("{}", received.report());
    let socket = ring.add(socket)?;
    ring.receive(socket, &received)?;
    let mut totals = Totals::default();
    let mut answers = Vec::new();
    let is_over = |totals: &Totals| args.datagrams.is_some_and(|most| totals.datagrams >= most);
    // The receive is one of those in flight.
    while !is_over(&totals) || ring.in_flight() > 1 {
        let mut wrong = None;
        ring.poll(Wait::Forever, |event| match event {
            Event::Received { chunk, .. } => match prepare(&chunk, &sent, &mut totals) {
                Ok(answer) => answers.extend(answer),
                Err(error) => wrong = Some(error),
            },
            // The peer's fault, or the path's: nobody waits for an answer that cannot be sent.
            Event::Sent { result: Err(_), .. } => totals.dropped += 1,
            Event::ReceiveEnded { end, .. } => {
                wrong = Some(anyhow::anyhow!("the receive ended: {end:?}"));
            }
            _ => {}
        })?;
        if let Some(error) = wrong {
            bail!(error);
        }
        for Answer { buf, to, options } in answers.drain(..) {
            if ring.send_to(socket, buf, to, options).is_err() {
                totals.dropped += 1;
            }
        }
    }
    Ok(totals)
}

struct Answer {
    buf: TxBuf,
    to: Address,
    options: SendOptions,
}

/// The answer to a piece; `None` if there is none.
fn prepare(chunk: &Chunk<'_>, pool: &TxPool, totals: &mut Totals) -> Result<Option<Answer>> {
    // Both are there: the pool is for messages.
    let (Some(incoming), Some(to)) = (chunk.incoming(), chunk.source()) else {
        bail!("a datagram from nowhere");
    };
    if !totals.take(&incoming)? {
        return Ok(None);
    }
    let Some(mut buf) = pool.take() else {
        totals.dropped += 1;
        return Ok(None);
    };
    buf.set_len(chunk.len())?;
    buf.copy_from_slice(chunk);
    let options = SendOptions::new().segment(segment(incoming.segment()));
    Ok(Some(Answer { buf, to, options }))
}
