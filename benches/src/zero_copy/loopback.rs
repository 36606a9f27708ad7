//! A stream over loopback, where every zero-copy send is copied after all.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread;
use std::time::Instant;

use anyhow::{Context as _, Result};
use netprims::ring::ZcPolicy;

use super::AUTO;
use super::sender::{Buffers, Sender};
use crate::cpus::{self, HERE};
use crate::interleave::rounds;
use crate::row::Row;
use crate::stats::{median, median_ratio};

/// The least that `Auto` must keep of a plain send's throughput.
const GOAL: f64 = 0.97;

const SIZE: u32 = 64 * 1024;
const BUFFERS: Buffers = Buffers {
    count: 8,
    size: SIZE,
    depth: 4,
};
const ROUNDS: u32 = 151;

/// Sends of one measurement: some ten milliseconds.
const COUNT: u32 = 300;

/// 64 KiB at a time: `Auto` against a plain send, with as many in flight; write(2) is shown beside.
pub(crate) fn auto_loopback() -> Result<Vec<Row>> {
    let cpus = cpus::Pair::choose()?;
    cpus::pin(HERE, cpus.near)?;
    let ring = |policy| {
        let (stream, arrived) = connect(cpus.far)?;
        let sender = Sender::new(stream.into(), BUFFERS, policy)?;
        Ok::<_, anyhow::Error>((sender, arrived))
    };
    let (mut auto, auto_arrived) = ring(AUTO)?;
    let (mut plain, plain_arrived) = ring(ZcPolicy::Never)?;
    let (mut stream, arrived) = connect(cpus.far)?;
    let bytes = vec![0; usize::try_from(SIZE)?];
    let mut turn = |side| {
        match side {
            0 => {
                auto.send(COUNT)?;
                auto_arrived.recv()?;
            }
            1 => {
                plain.send(COUNT)?;
                plain_arrived.recv()?;
            }
            _ => {
                for _ in 0..COUNT {
                    stream.write_all(&bytes)?;
                }
                arrived.recv()?;
            }
        }
        Ok::<(), anyhow::Error>(())
    };
    // While the first sends go out, windows open and `Auto` finds out where it is.
    (0..3).try_for_each(&mut turn)?;
    let rates = rounds(ROUNDS, 3, |side| {
        let start = Instant::now();
        turn(side)?;
        Ok(f64::from(SIZE) * f64::from(COUNT) / start.elapsed().as_secs_f64() / 1e9)
    })?;
    let [ours, peer, write] = &rates[..] else {
        anyhow::bail!("no rates");
    };
    let on_write = median_ratio(ours, write);
    println!(
        "zc-auto-loopback: {on_write:.3} of write(2), {:.2} GB/s",
        median(write)
    );
    let row = Row::at_least(
        "zc-auto-loopback",
        ours,
        ("plain ring send, GB/s", peer),
        GOAL,
    );
    Ok(vec![row])
}

/// A connection to a thread that tells whenever what one measurement sends has arrived.
fn connect(cpu: usize) -> Result<(TcpStream, Receiver<()>)> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let near = TcpStream::connect(listener.local_addr()?)?;
    let (mut far, _) = listener.accept()?;
    let total = usize::try_from(SIZE)? * usize::try_from(COUNT)?;
    let (tell, told) = sync_channel(1);
    thread::spawn(move || {
        cpus::pin(HERE, cpu)?;
        let mut room = vec![0; 256 * 1024];
        loop {
            let mut missing = total;
            while missing > 0 {
                let most = room.len().min(missing);
                let room = room.get_mut(..most).context("no room")?;
                match far.read(room)? {
                    0 => return Ok::<(), anyhow::Error>(()),
                    bytes => missing -= bytes,
                }
            }
            tell.send(())?;
        }
    });
    Ok((near, told))
}
