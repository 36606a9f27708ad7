//! Round trips over loopback: rings that spin against std's blocking sockets, both ends alike.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use netprims::ring::{Event, Ring, RxPlan, Socket, TxPool, Wait, ZcPolicy};

use crate::cpus::{self, HERE, Pair};
use crate::interleave::rounds;
use crate::row::Row;

/// The most that a spinning ring's median may be of blocking std's.
const GOAL: f64 = 0.30;

const ROUNDS: u32 = 21;
const WARM_UP: usize = 300;
const ROUND_TRIPS: usize = 1_500;
const MESSAGE: usize = 64;

pub(crate) fn run() -> Result<Vec<Row>> {
    let cpus = Pair::choose()?;
    cpus::pin(HERE, cpus.near)?;
    let medians = rounds(ROUNDS, 2, |side| match side {
        0 => round(cpus, Spinner::new, Spinner::ask, Spinner::answer_all),
        _ => round(cpus, Ok, ask, answer_all),
    })?;
    let [ours, peer] = &medians[..] else {
        bail!("no medians");
    };
    let peer = ("blocking std, usec", &peer[..]);
    Ok(vec![Row::at_most("spin-latency", ours, peer, GOAL)])
}

/// The median round trip over a new connection, in microseconds. The end that answers is there for this round only: what
/// spins takes its processor from the other side.
fn round<End: 'static>(
    cpus: Pair,
    end: fn(TcpStream) -> Result<End>,
    mut ask: impl FnMut(&mut End) -> Result<()>,
    answer_all: fn(End) -> Result<()>,
) -> Result<f64> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let near = TcpStream::connect(listener.local_addr()?)?;
    let (far, _) = listener.accept()?;
    near.set_nodelay(true)?;
    far.set_nodelay(true)?;
    let answering = thread::spawn(move || {
        cpus::pin(HERE, cpus.far)?;
        answer_all(end(far)?)
    });
    let mut near = end(near)?;
    let mut times = Vec::with_capacity(ROUND_TRIPS);
    for nth in 0..WARM_UP + ROUND_TRIPS {
        let start = Instant::now();
        ask(&mut near)?;
        if nth >= WARM_UP {
            times.push(start.elapsed());
        }
    }
    drop(near);
    match answering.join() {
        Ok(ended) => ended.context("the answering end")?,
        Err(_) => bail!("the answering end panicked"),
    }
    times.sort_unstable();
    let median = times.get(times.len() / 2).copied();
    Ok(median.unwrap_or(Duration::MAX).as_secs_f64() * 1e6)
}

fn ask(stream: &mut TcpStream) -> Result<()> {
    let mut message = [1; MESSAGE];
    stream.write_all(&message)?;
    Ok(stream.read_exact(&mut message)?)
}

fn answer_all(mut stream: TcpStream) -> Result<()> {
    let mut room = [0; MESSAGE];
    loop {
        match stream.read(&mut room)? {
            0 => return Ok(()),
            bytes => stream.write_all(room.get(..bytes).unwrap_or_default())?,
        }
    }
}

/// One end on a ring that never waits in the kernel.
struct Spinner {
    ring: Ring,
    pool: TxPool,
    socket: Socket,
}

/// What a poll brought.
enum Brought {
    Nothing,
    Bytes(usize),
    End,
}

impl Spinner {
    fn new(stream: TcpStream) -> Result<Self> {
        let mut ring = Ring::builder().in_flight(8).registered_files(1).build()?;
        let pool = ring.tx_pool(4, u32::try_from(MESSAGE)?)?;
        let messages = RxPlan::new(8, u32::try_from(MESSAGE)?).bundles(false);
        let messages = ring.rx_pool(&messages)?;
        let socket = ring.add(stream)?;
        ring.receive(socket, &messages)?;
        Ok(Spinner { ring, pool, socket })
    }

    fn send(&mut self, bytes: usize) -> Result<()> {
        let mut buf = self.pool.take().context("no buffer is free")?;
        buf.set_len(bytes)?;
        self.ring.send(self.socket, buf, ZcPolicy::Never)?;
        Ok(())
    }

    fn poll(&mut self) -> Result<Brought> {
        let mut brought = Brought::Nothing;
        self.ring.poll(Wait::No, |event| match event {
            Event::Received { chunk, .. } => brought = Brought::Bytes(chunk.len()),
            Event::ReceiveEnded { .. } => brought = Brought::End,
            _ => {}
        })?;
        Ok(brought)
    }

    fn ask(&mut self) -> Result<()> {
        self.send(MESSAGE)?;
        let mut missing = MESSAGE;
        while missing > 0 {
            match self.poll()? {
                Brought::Nothing => {}
                Brought::Bytes(bytes) => missing = missing.saturating_sub(bytes),
                Brought::End => bail!("the other end has closed the connection"),
            }
        }
        Ok(())
    }

    fn answer_all(mut self) -> Result<()> {
        loop {
            match self.poll()? {
                Brought::Nothing => {}
                Brought::Bytes(bytes) => self.send(bytes)?,
                Brought::End => return Ok(()),
            }
        }
    }
}
