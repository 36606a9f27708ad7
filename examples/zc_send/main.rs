//! Sends data without copying it, and tells what became of it: over io_uring, and over epoll where that is refused.
//!
//! ```text
//! zc_send                          over loopback to a thread of its own, which checks every byte
//! zc_send --listen ADDR            receive one connection and check every byte
//! zc_send --connect ADDR           send to such a listener
//! zc_send --udp ADDR               send datagrams to nobody in particular
//! ```
//!
//! Three things to take from it: the tuning report (what the kernel granted), the two events of a send (the result comes
//! first, the buffer later), and that nothing waits for a send: a stream keeps the order of what is sent on it, so all
//! there is to wait for is a free buffer.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, UdpSocket};
use std::os::fd::OwnedFd;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use clap::Parser;
use netprims::buffer::{TxBuf, TxPool};
use netprims::ring::Ring;
use netprims::socket::{TcpBuilder, TcpListener, TcpStream};
use netprims::tuning::{Congestion, Tuning};
use over_epoll::OverEpoll;
use over_ring::OverRing;
use ring_or_epoll::ring_or_epoll;

mod over_epoll;
mod over_ring;
#[path = "../ring_or_epoll.rs"]
mod ring_or_epoll;

/// Zero-copy sends that tell whether they were.
#[derive(Parser)]
struct Args {
    /// Receive one connection on this address and check every byte
    #[arg(long, value_name = "ADDR", group = "mode")]
    listen: Option<SocketAddr>,
    /// Send to a listener at this address
    #[arg(long, value_name = "ADDR", group = "mode")]
    connect: Option<SocketAddr>,
    /// Send datagrams to this address
    #[arg(long, value_name = "ADDR", group = "mode")]
    udp: Option<SocketAddr>,
    /// How many sends
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..))]
    count: u32,
    /// Bytes per send
    #[arg(long, default_value_t = 60_000, value_parser = clap::value_parser!(u32).range(1..=16_777_216))]
    size: u32,
    /// How many buffers to send from
    #[arg(long, default_value_t = 16, value_parser = clap::value_parser!(u32).range(1..=1024))]
    buffers: u32,
    /// Ask for a send buffer of this size
    #[arg(long, value_name = "BYTES", default_value_t = 1 << 20)]
    send_buffer: u32,
    /// Ask for a congestion control algorithm (TCP)
    #[arg(long, value_name = "NAME")]
    congestion: Option<Congestion>,
    /// Copy: plain sends instead of zero-copy
    #[arg(long)]
    plain: bool,
}

/// How long nothing may happen before that is an error.
const PATIENCE: Duration = Duration::from_secs(30);

fn main() -> Result<()> {
    let args = Args::parse();
    let mut stream = Tuning::tcp().nodelay(true).send_buffer(args.send_buffer);
    if let Some(name) = args.congestion {
        stream = stream.congestion(name);
    }
    let datagrams = Tuning::udp().send_buffer(args.send_buffer);
    if let Some(local) = args.listen {
        let (listener, _) = TcpBuilder::new().listen(local)?;
        println!("listening on {}", listener.local_addr()?);
        let bytes = receive(listener)?;
        println!("received {bytes} bytes, all as they were sent");
        return Ok(());
    }
    if let Some(peer) = args.udp {
        let any: SocketAddr = if peer.is_ipv4() {
            "0.0.0.0:0".parse()?
        } else {
            "[::]:0".parse()?
        };
        let socket = UdpSocket::bind(any)?;
        socket
            .connect(peer)
            .with_context(|| format!("connect {peer}"))?;
        println!("{}", datagrams.apply(&socket)?);
        let mut sender = sender(&args, socket.into())?;
        send_datagrams(&mut *sender, args.count)?;
        return sender.finish()?.print("udp");
    }
    let (peer, receiver) = match args.connect {
        Some(peer) => (peer, None),
        None => {
            let (listener, _) = TcpBuilder::new().listen("127.0.0.1:0".parse()?)?;
            (
                listener.local_addr()?,
                Some(thread::spawn(move || receive(listener))),
            )
        }
    };
    let (socket, report) = TcpBuilder::new().tuning(stream).connect(peer)?;
    println!("{report}");
    let mut sender = sender(&args, socket.into())?;
    let total = u64::from(args.count) * u64::from(args.size);
    send_stream(&mut *sender, total)?;
    let outcome = sender.finish()?;
    if let Some(error) = &outcome.failure {
        bail!("send: {error}");
    }
    ensure!(outcome.not_sent == 0, "not all of it was taken");
    if let Some(receiver) = receiver {
        let Ok(received) = receiver.join() else {
            bail!("the receiver panicked")
        };
        ensure!(received? == total, "the receiver has not got all of it");
        println!("received {total} bytes, all as they were sent");
    }
    outcome.print("tcp")
}

/// Over io_uring where it is to be had.
fn sender(args: &Args, socket: OwnedFd) -> Result<Box<dyn Sender>> {
    let builder = Ring::builder().in_flight(args.buffers);
    Ok(match ring_or_epoll(&builder)? {
        Some(ring) => Box::new(OverRing::new(ring, args, socket)?),
        None => Box::new(OverEpoll::new(args, socket)?),
    })
}

/// One socket, and a way to send on it.
trait Sender {
    /// Where its buffers come from, and go to when they are dropped.
    fn pool(&self) -> &TxPool;

    /// Sends a buffer behind those that were sent before.
    fn send(&mut self, buf: TxBuf) -> Result<()>;

    /// Waits until something has happened.
    fn wait(&mut self) -> Result<()>;

    /// The first send that failed.
    fn failure(&self) -> Option<&str>;

    /// Waits until every buffer is back, closes the socket, and tells what became of the bytes.
    fn finish(self: Box<Self>) -> Result<Outcome>;
}

/// Sends `total` bytes of the pattern.
fn send_stream(sender: &mut dyn Sender, total: u64) -> Result<()> {
    let mut position = 0;
    // What is behind a hole is of no use.
    while position < total && sender.failure().is_none() {
        let mut buf = free_buffer(sender)?;
        let left = usize::try_from(total - position).unwrap_or(usize::MAX);
        buf.set_len(left.min(buf.capacity()))?;
        fill(&mut buf, position);
        position += u64::try_from(buf.len())?;
        sender.send(buf)?;
    }
    Ok(())
}

/// Sends `count` datagrams of the pattern. That one fails says nothing about the next.
fn send_datagrams(sender: &mut dyn Sender, count: u32) -> Result<()> {
    for _ in 0..count {
        let mut buf = free_buffer(sender)?;
        fill(&mut buf, 0);
        sender.send(buf)?;
    }
    Ok(())
}

/// Waits only when all buffers are on their way.
fn free_buffer(sender: &mut dyn Sender) -> Result<TxBuf> {
    loop {
        match sender.pool().take() {
            Some(buf) => return Ok(buf),
            None => sender.wait()?,
        }
    }
}

/// What became of the bytes.
struct Outcome {
    /// What the kernel offered.
    offer: String,
    sends: u64,
    zero_copied: u64,
    copied: u64,
    /// The kernel does not tell.
    unknown: u64,
    not_sent: u64,
    /// The first send that failed.
    failure: Option<String>,
}

impl Outcome {
    fn print(&self, protocol: &str) -> Result<()> {
        if let Some(error) = &self.failure {
            println!("not all was sent: {error}");
        }
        println!("{}", self.offer);
        let bytes = self.zero_copied + self.copied + self.unknown;
        println!(
            "zc_send: {protocol} sends={} bytes={bytes} zero_copied={} copied={} not_sent={}",
            self.sends, self.zero_copied, self.copied, self.not_sent
        );
        io::stdout().flush()?;
        Ok(())
    }
}

/// The byte that belongs at a position of the stream. 251 is a prime: no buffer size hides a shift.
fn pattern(position: u64) -> u8 {
    u8::try_from(position % 251).unwrap_or(0)
}

fn fill(buf: &mut [u8], start: u64) {
    for (byte, position) in buf.iter_mut().zip(start..) {
        *byte = pattern(position);
    }
}

/// Reads one connection to its end and checks every byte.
fn receive(listener: TcpListener) -> Result<u64> {
    let (mut stream, _): (TcpStream, _) = listener.accept()?;
    let mut buf = vec![0; 1 << 18];
    let mut position = 0;
    loop {
        let len = stream.read(&mut buf)?;
        if len == 0 {
            return Ok(position);
        }
        for byte in &buf[..len] {
            ensure!(
                *byte == pattern(position),
                "byte {position} is {byte}, not as it was sent"
            );
            position += 1;
        }
    }
}
