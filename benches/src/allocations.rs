//! Allocations per operation in steady state.

use std::io::Write as _;
use std::net::{TcpListener, TcpStream, UdpSocket};

use anyhow::{Result, ensure};
use netprims::ring::{Event, Ring, Rung, RxBuf, RxPlan, TxBuf, Wait, ZcPolicy};

use crate::row::Row;
use crate::sys::counting_allocator::allocations;

const OPERATIONS: u32 = 100_000;
const DEPTH: u32 = 8;

pub(crate) fn run() -> Result<Vec<Row>> {
    Ok(vec![
        row("ring-send", send(ZcPolicy::Never)?),
        row("ring-send-zero-copy", send(ZcPolicy::Always)?),
        row("ring-receive-multishot", receive(Rung::Multishot)?),
        row("ring-receive-plain", receive(Rung::Plain)?),
    ])
}

fn row(variant: &str, allocations: u64) -> Row {
    #[expect(clippy::cast_precision_loss, reason = "zero, or wrong in any case")]
    let each = allocations as f64 / f64::from(OPERATIONS);
    Row {
        name: format!("allocations/{variant}"),
        ours: each,
        peer: 0.0,
        peer_name: String::from("none"),
        ratio: each,
        goal: 0.0,
        holds: allocations == 0,
    }
}

/// Datagrams over loopback, half of them from buffers that went through the pool.
fn send(policy: ZcPolicy) -> Result<u64> {
    let near = UdpSocket::bind("127.0.0.1:0")?;
    let far = UdpSocket::bind("127.0.0.1:0")?;
    near.connect(far.local_addr()?)?;
    let mut ring = Ring::builder().in_flight(DEPTH).build()?;
    let pool = ring.tx_pool(DEPTH, 2048)?;
    let socket = ring.add(near)?;
    let mut back: Vec<TxBuf> = Vec::with_capacity(usize::try_from(DEPTH)?);
    let mut before = 0;
    // The first half is not counted: it is not steady yet.
    for start in [false, true] {
        if start {
            before = allocations();
        }
        let (mut queued, mut released) = (0, 0);
        while released < OPERATIONS {
            while queued < OPERATIONS {
                let Some(buf) = back.pop().or_else(|| pool.take()) else {
                    break;
                };
                ring.send(socket, buf, policy)?;
                queued += 1;
            }
            ring.poll(Wait::Forever, |event| {
                if let Event::Released { buf, .. } = event {
                    released += 1;
                    if released % 2 == 0 {
                        back.push(buf);
                    }
                }
            })?;
        }
    }
    Ok(allocations() - before)
}

/// A stream over loopback; now and then a chunk is kept until the next one.
fn receive(rung: Rung) -> Result<u64> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let mut near = TcpStream::connect(listener.local_addr()?)?;
    let (far, _) = listener.accept()?;
    let mut ring = Ring::builder().in_flight(DEPTH).build()?;
    let pool = ring.rx_pool(&RxPlan::new(16, 2048).at_most(rung))?;
    ensure!(
        pool.report().rung == rung,
        "this kernel receives otherwise: {}",
        pool.report()
    );
    let far = ring.add(far)?;
    ring.receive(far, &pool)?;
    let message = [1; 512];
    let mut before = 0;
    for start in [false, true] {
        if start {
            before = allocations();
        }
        let mut kept: Option<RxBuf> = None;
        for nth in 0..OPERATIONS {
            near.write_all(&message)?;
            let mut missing = message.len();
            while missing > 0 {
                ring.poll(Wait::Forever, |event| {
                    if let Event::Received { chunk, .. } = event {
                        missing = missing.saturating_sub(chunk.len());
                        if nth % 4 == 0 {
                            kept = Some(chunk.detach());
                        }
                    }
                })?;
            }
        }
        drop(kept);
    }
    Ok(allocations() - before)
}
