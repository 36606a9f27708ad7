//! Datagrams to a device that sends without copying.

use std::net::UdpSocket;
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use netprims::ring::ZcPolicy;
use nix::time::{ClockId, clock_gettime};

use super::AUTO;
use super::sender::{Buffers, Sender};
use crate::interleave::rounds;
use crate::namespace;
use crate::row::Row;
use crate::stats::median_ratio;

/// The longest datagram there is over IPv4. The buffers together are more than a processor's own cache holds, as is mostly
/// so with what a program has to send.
const LARGE: Buffers = Buffers {
    count: 64,
    size: 65_507,
    depth: 16,
};

/// How many there are instead where the process may not pin as many for two rings: 6 MiB are less than the usual limit.
const FEWER: u32 = 48;
const SMALL: Buffers = Buffers {
    count: 64,
    size: 1024,
    depth: 16,
};

/// The least that zero-copy must bring, as a multiple of send(2)'s throughput.
const LARGE_GOAL: f64 = 1.8;
/// The least that `Auto` must keep of a plain send's.
const SMALL_GOAL: f64 = 0.97;

const ROUNDS: u32 = 51;

/// Datagrams of one measurement: some ten milliseconds.
const LARGE_COUNT: u32 = 3_000;
const SMALL_COUNT: u32 = 20_000;

/// 64 KiB: zero-copy from a registered buffer against send(2).
pub(crate) fn udp_64k() -> Result<Vec<Row>> {
    namespace::black_hole()?;
    let (count, [mut zero_copy, mut plain]) = match large_senders(LARGE.count) {
        Ok(senders) => (LARGE.count, senders),
        Err(error) => {
            println!("zc-udp-64k: {FEWER} buffers, since {error}");
            // The kernel unpins what was dropped a moment later.
            thread::sleep(Duration::from_secs(1));
            (FEWER, large_senders(FEWER)?)
        }
    };
    let peer = socket()?;
    let buffers = vec![vec![1; usize::try_from(LARGE.size)?]; usize::try_from(count)?];
    let one = buffers.get(..1).context("no buffers")?;
    let rates = rates(LARGE.size, LARGE_COUNT, 4, |side, count| match side {
        0 => zero_copy.send(count),
        1 => send_all(&peer, &buffers, count),
        2 => send_all(&peer, one, count),
        _ => plain.send(count),
    })?;
    zero_copy.ensure_zero_copied()?;
    let [ours, peer, peer_of_one, plain] = &rates[..] else {
        bail!("no rates");
    };
    let (of_one, of_plain) = (median_ratio(ours, peer_of_one), median_ratio(ours, plain));
    println!(
        "zc-udp-64k: {count} buffers; {of_one:.3} of send(2) from one buffer again and again, {of_plain:.3} of plain sends on the ring"
    );
    let row = Row::at_least("zc-udp-64k", ours, ("send(2), GB/s", peer), LARGE_GOAL);
    Ok(vec![row])
}

/// A sender without copying and one with, of so many buffers each.
fn large_senders(count: u32) -> Result<[Sender; 2]> {
    let buffers = Buffers { count, ..LARGE };
    let sender = |policy| Sender::new(socket()?.into(), buffers, policy);
    Ok([sender(ZcPolicy::Always)?, sender(ZcPolicy::Never)?])
}

/// 1 KiB, which does not pay: `Auto` against a plain send.
pub(crate) fn auto_small() -> Result<Vec<Row>> {
    namespace::black_hole()?;
    let mut auto = Sender::new(socket()?.into(), SMALL, AUTO)?;
    let mut plain = Sender::new(socket()?.into(), SMALL, ZcPolicy::Never)?;
    let rates = rates(SMALL.size, SMALL_COUNT, 2, |side, count| match side {
        0 => auto.send(count),
        _ => plain.send(count),
    })?;
    let [ours, peer] = &rates[..] else {
        bail!("no rates");
    };
    let peer = ("plain ring send, GB/s", &peer[..]);
    Ok(vec![Row::at_least("zc-auto-small", ours, peer, SMALL_GOAL)])
}

fn socket() -> Result<UdpSocket> {
    let socket = UdpSocket::bind("0.0.0.0:0")?;
    socket.connect(namespace::NOWHERE)?;
    Ok(socket)
}

fn send_all(socket: &UdpSocket, buffers: &[Vec<u8>], count: u32) -> Result<()> {
    for (bytes, _) in buffers.iter().cycle().zip(0..count) {
        socket.send(bytes).context("a send failed")?;
    }
    Ok(())
}

/// Each side's throughput in GB per second of processor time: nothing here waits, so that is the time it takes where
/// nothing else runs.
fn rates(
    size: u32,
    count: u32,
    sides: usize,
    mut send: impl FnMut(usize, u32) -> Result<()>,
) -> Result<Vec<Vec<f64>>> {
    // The first sends fault pages in.
    (0..sides).try_for_each(|side| send(side, count))?;
    rounds(ROUNDS, sides, |side| {
        let start = processor_time()?;
        send(side, count)?;
        let used = processor_time()? - start;
        Ok(f64::from(size) * f64::from(count) / used.as_secs_f64() / 1e9)
    })
}

fn processor_time() -> Result<Duration> {
    Ok(clock_gettime(ClockId::CLOCK_PROCESS_CPUTIME_ID)?.into())
}
