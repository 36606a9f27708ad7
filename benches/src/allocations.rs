//! Allocations per operation in steady state.

use std::io::Write as _;
use std::net::{TcpListener, TcpStream, UdpSocket};

use anyhow::{Result, ensure};
use netprims::ring::{Event, Ring, Rung, RxBuf, RxPlan, TxBuf, Wait, ZcPolicy, ZeroCopyRx};

use crate::row::{Measure, Row};
use crate::sys::counting_allocator::allocations;
use crate::verbs_allocations;

const OPERATIONS: u32 = 100_000;
const DEPTH: u32 = 8;

pub(crate) fn run() -> Result<Vec<Row>> {
    let plan = RxPlan::new(16, 2048);
    let mut rows = vec![
        row("ring-send", send(ZcPolicy::Never)?),
        row("ring-send-zero-copy", send(ZcPolicy::Always)?),
        row("ring-send-vectored", send_vectored(ZcPolicy::Never)?),
        row(
            "ring-send-vectored-zero-copy",
            send_vectored(ZcPolicy::Always)?,
        ),
    ];
    let multishot = plan.clone().at_most(Rung::Multishot);
    let ways = [
        ("multishot", multishot.clone()),
        ("incremental", multishot.incremental(true)),
        ("plain", plan.clone().at_most(Rung::Plain)),
        ("zero-copy", plan.zero_copy(ZeroCopyRx::NoDevice)),
    ];
    for (name, plan) in ways {
        match receive(&plan, name)? {
            Some(allocations) => rows.push(row(&format!("ring-receive-{name}"), allocations)),
            None => println!("  allocations/ring-receive-{name}: not on this kernel"),
        }
    }
    let verbs = verbs_allocations::run(OPERATIONS)?.into_iter();
    rows.extend(verbs.map(|(name, allocations)| row(&format!("verbs-{name}"), allocations)));
    Ok(rows)
}

fn row(variant: &str, allocations: u64) -> Row {
    #[expect(clippy::cast_precision_loss, reason = "zero, or wrong in any case")]
    let each = allocations as f64 / f64::from(OPERATIONS);
    Row {
        name: format!("allocations/{variant}"),
        ours: each,
        peer: 0.0,
        peer_name: String::from("none"),
        measure: Measure::Difference,
        result: each,
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

/// Datagrams of two buffers each.
fn send_vectored(policy: ZcPolicy) -> Result<u64> {
    let near = UdpSocket::bind("127.0.0.1:0")?;
    near.connect(near.local_addr()?)?;
    let mut ring = Ring::builder().in_flight(DEPTH).build()?;
    let pool = ring.tx_pool(2, 1024)?;
    let socket = ring.add(near)?;
    let mut bufs: Vec<TxBuf> = Vec::with_capacity(2);
    let mut before = 0;
    for start in [false, true] {
        if start {
            before = allocations();
        }
        for _ in 0..OPERATIONS {
            bufs.extend(std::iter::from_fn(|| pool.take()));
            ensure!(bufs.len() == 2, "a buffer is missing");
            ring.send_vectored(socket, &mut bufs, policy)?;
            while ring.in_flight() > 0 {
                ring.poll(Wait::Forever, |_| ())?;
            }
        }
    }
    Ok(allocations() - before)
}

/// A stream over loopback; now and then a chunk is kept until the next one. `None` if the kernel does not receive so.
fn receive(plan: &RxPlan, name: &str) -> Result<Option<u64>> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let mut near = TcpStream::connect(listener.local_addr()?)?;
    let (far, _) = listener.accept()?;
    let is_zero_copy = name == "zero-copy";
    let mut ring = Ring::builder()
        .in_flight(DEPTH)
        .zero_copy_receive(is_zero_copy)
        .build()?;
    let pool = ring.rx_pool(plan)?;
    let report = pool.report();
    let is_so = match name {
        "incremental" => report.incremental,
        "zero-copy" => report.rung == Rung::ZeroCopy,
        "plain" => report.rung == Rung::Plain,
        _ => report.rung == Rung::Multishot,
    };
    if !is_so {
        return Ok(None);
    }
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
    Ok(Some(allocations() - before))
}
