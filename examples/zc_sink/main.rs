//! Receives without copying where the kernel and the device can, says how it is done and why not better, and checks every
//! byte: over io_uring, and over epoll where that is refused.
//!
//! ```text
//! zc_sink                          over loopback from a thread of its own
//! zc_sink --listen ADDR            from whoever connects: zc_send --connect ADDR
//! zc_sink --no-device              into a queue without a device: Linux 7.2, CAP_NET_ADMIN
//! zc_sink --device eth0:7 ...      into a queue of a device, with what it lacks if it is not ready
//! ```
//!
//! Five things to take from it: the report (the rung of the ladder that was reached, and what keeps it from a higher one), a
//! chunk that is looked at where it was received, the statistics, which tell a pool that is too small, an accept that
//! waits while there is no room for another connection, and a receive that ends when nothing comes.

use std::io::Write;
use std::net::{SocketAddr, TcpStream};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use clap::{Parser, ValueEnum};
use netprims::ring::{Ring, Rung, ZeroCopyRx};
use netprims::socket::TcpBuilder;
use ring_or_epoll::ring_or_epoll;

#[path = "../accept_error.rs"]
mod accept_error;
mod over_epoll;
mod over_ring;
#[path = "../ring_accept.rs"]
mod ring_accept;
#[path = "../ring_or_epoll.rs"]
mod ring_or_epoll;

/// A sink that says how it receives.
#[derive(Parser)]
struct Args {
    /// Receive on this address
    #[arg(long, value_name = "ADDR")]
    listen: Option<SocketAddr>,
    /// End after so many connections
    #[arg(long, value_name = "COUNT", requires = "listen")]
    connections: Option<u64>,
    /// Receive from so many connections at a time; others wait
    #[arg(long, value_name = "COUNT", default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    at_a_time: u32,
    /// Leave a connection on which nothing comes for so long
    #[arg(long, value_name = "SECONDS", default_value = "30", value_parser = seconds)]
    patience: Duration,
    /// Without an address, receive so many bytes
    #[arg(long, default_value_t = 64 << 20)]
    bytes: u64,
    /// How many slots to receive into
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..=32_768))]
    slots: u32,
    /// Bytes per slot
    #[arg(long, default_value_t = 65_536, value_parser = clap::value_parser!(u32).range(1..=1_048_576))]
    slot_len: u32,
    /// Receive into the slots from this queue of a network card (not run on hardware; needs CAP_NET_ADMIN)
    #[arg(long, value_name = "INTERFACE:QUEUE", value_parser = device)]
    device: Option<ZeroCopyRx>,
    /// Receive as from a network card, without one: to try it out, since the kernel copies (Linux 7.2, CAP_NET_ADMIN)
    #[arg(long, conflicts_with = "device")]
    no_device: bool,
    /// The highest rung to try
    #[arg(long, value_enum, default_value_t = Highest::ZeroCopy)]
    at_most: Highest,
    /// Fill a slot with several chunks
    #[arg(long)]
    incremental: bool,
    /// Let one completion fill one slot only
    #[arg(long)]
    no_bundles: bool,
}

impl Args {
    /// Where zero-copy receive takes its bytes from.
    fn zero_copy(&self) -> Option<ZeroCopyRx> {
        let without = self.no_device.then_some(ZeroCopyRx::NoDevice);
        self.device.clone().or(without)
    }
}

fn seconds(text: &str) -> Result<Duration> {
    Ok(Duration::try_from_secs_f64(text.parse()?)?)
}

fn device(text: &str) -> Result<ZeroCopyRx> {
    let (interface, queue) = text.rsplit_once(':').context("it is INTERFACE:QUEUE")?;
    Ok(ZeroCopyRx::device(interface.to_owned(), queue.parse()?))
}

/// A rung of the ladder.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Highest {
    Plain,
    Multishot,
    ZeroCopy,
}

impl From<Highest> for Rung {
    fn from(highest: Highest) -> Self {
        match highest {
            Highest::Plain => Self::Plain,
            Highest::Multishot => Self::Multishot,
            Highest::ZeroCopy => Self::ZeroCopy,
        }
    }
}

/// How many connections are over, and what came of them.
#[derive(Debug, Default)]
struct Received {
    connections: u64,
    bytes: u64,
    /// The first byte that was not as it was sent.
    wrong: Option<String>,
}

impl Received {
    /// Counts a connection that is over. Why it is, unless a byte was wrong.
    fn add(&mut self, stream: Stream, why: &str) {
        let why = stream.wrong.as_deref().unwrap_or(why);
        println!("{} bytes from a connection: {why}", stream.position);
        self.connections += 1;
        self.bytes += stream.position;
        self.wrong = self.wrong.take().or(stream.wrong);
    }
}

fn main() -> Result<()> {
    let args = Args::parse();
    let at = args
        .listen
        .unwrap_or_else(|| SocketAddr::from(([127, 0, 0, 1], 0)));
    let (listener, _) = TcpBuilder::new().listen(at)?;
    let at = listener.local_addr()?;
    println!("listening on {at}");
    let (connections, sender) = match args.listen {
        Some(_) => (args.connections, None),
        None => (Some(1), Some(thread::spawn(move || send(at, args.bytes)))),
    };
    let builder = Ring::builder()
        .in_flight(over_ring::most_in_flight(&args))
        .zero_copy_receive(args.zero_copy().is_some());
    let received = match ring_or_epoll(&builder)? {
        Some(ring) => over_ring::receive(ring, &args, listener.into(), connections)?,
        None => over_epoll::receive(&args, listener.into(), connections)?,
    };
    if let Some(wrong) = received.wrong {
        bail!("{wrong}");
    }
    if let Some(sender) = sender {
        let Ok(sent) = sender.join() else {
            bail!("the sender panicked")
        };
        ensure!(sent? == received.bytes, "not all of it has come");
    }
    println!(
        "zc_sink: connections={} bytes={}, all as they were sent",
        received.connections, received.bytes
    );
    Ok(())
}

/// One connection, of which every byte is that of its position, as `zc_send` sends them.
#[derive(Debug, Default)]
struct Stream {
    position: u64,
    /// The first byte that was not as it was sent. What comes behind it is not looked at.
    wrong: Option<String>,
}

impl Stream {
    /// Looks at the bytes that come next. False once one was wrong.
    fn check(&mut self, bytes: &[u8]) -> bool {
        for byte in bytes {
            if self.wrong.is_some() {
                break;
            }
            if *byte == pattern(self.position) {
                self.position += 1;
            } else {
                let position = self.position;
                self.wrong = Some(format!("byte {position} is {byte}, not as it was sent"));
            }
        }
        self.wrong.is_none()
    }
}

/// The byte that belongs at a position of the stream. 251 is a prime: no size of a slot hides a shift.
fn pattern(position: u64) -> u8 {
    u8::try_from(position % 251).unwrap_or(0)
}

fn send(to: SocketAddr, bytes: u64) -> Result<u64> {
    let mut stream = TcpStream::connect(to).with_context(|| format!("connect {to}"))?;
    let mut position = 0;
    let mut buf = Vec::with_capacity(1 << 18);
    while position < bytes {
        let end = bytes.min(position + (1 << 18));
        buf.clear();
        buf.extend((position..end).map(pattern));
        stream.write_all(&buf).context("send")?;
        position = end;
    }
    Ok(position)
}
