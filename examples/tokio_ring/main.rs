//! A feed: every subscriber gets every message, from a ring that a tokio runtime drives beside other tasks. Where io_uring is
//! refused, tokio's own sockets do it.
//!
//! ```text
//! tokio_ring                       two subscribers over loopback, in the same runtime
//! tokio_ring --listen ADDR         whoever connects
//! ```
//!
//! Three things to take from it: waiting for the ring and for a channel at once (`select!`; a poll that is dropped loses
//! nothing), what a poll tells is noted and done after it, and a message is sent when it comes, to everybody: the ring keeps
//! the order, and a subscriber that falls behind is left rather than waited for.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use clap::Parser;
use netprims::ring::Ring;
use netprims::socket::TcpBuilder;
use ring_or_epoll::ring_or_epoll;
use tokio::net::TcpStream;
use tokio::sync::{mpsc, watch};
use tokio::task::{LocalSet, spawn_local};

#[path = "../accept_error.rs"]
mod accept_error;
mod over_epoll;
mod over_ring;
#[path = "../reset.rs"]
mod reset;
#[path = "../ring_accept.rs"]
mod ring_accept;
#[path = "../ring_or_epoll.rs"]
mod ring_or_epoll;

/// A feed of messages over a ring in a tokio runtime.
#[derive(Clone, Parser)]
struct Args {
    /// Where subscribers connect
    #[arg(long, value_name = "ADDR")]
    listen: Option<SocketAddr>,
    /// How many messages
    #[arg(long, default_value_t = 1000)]
    messages: u64,
    /// Bytes per message
    #[arg(long, default_value_t = 20_000, value_parser = clap::value_parser!(u32).range(8..=1_048_576))]
    size: u32,
    /// Milliseconds from one to the next
    #[arg(long, default_value_t = 1)]
    every: u64,
    /// Begin when there are so many subscribers
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u8).range(..=8))]
    subscribers: u8,
    /// At the end, leave a subscriber that takes nothing for so long
    #[arg(long, value_name = "SECONDS", default_value = "30", value_parser = seconds)]
    patience: Duration,
}

fn seconds(text: &str) -> Result<Duration> {
    Ok(Duration::try_from_secs_f64(text.parse()?)?)
}

/// How many messages a subscriber may be behind.
const MOST_BEHIND: u32 = 64;

/// What became of the subscribers.
#[derive(Debug, Default)]
struct Totals {
    /// Those who got all until the end, as far as the kernel knows.
    served: usize,
    /// Those who went or fell behind.
    left: usize,
    bytes: u64,
}

fn main() -> Result<()> {
    let args = Args::parse();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    // Everything stays on this thread, as the ring must.
    LocalSet::new().block_on(&runtime, run(args))
}

async fn run(args: Args) -> Result<()> {
    let at = args
        .listen
        .unwrap_or_else(|| SocketAddr::from(([127, 0, 0, 1], 0)));
    let (listener, _) = TcpBuilder::new().listen(at)?;
    let at = listener.local_addr()?;
    println!("listening on {at}");
    let own = if args.listen.is_none() {
        args.subscribers
    } else {
        0
    };
    let own: Vec<_> = (0..own)
        .map(|_| spawn_local(subscribe(at, args.size)))
        .collect();

    let (count, counted) = watch::channel(0);
    let (sender, messages) = mpsc::channel(1);
    let producer = spawn_local(produce(args.clone(), counted, sender));
    let builder = Ring::builder().in_flight(over_ring::MOST_IN_FLIGHT);
    let totals = match ring_or_epoll(&builder)? {
        Some(ring) => over_ring::feed(ring, &args, listener.into(), messages, count).await?,
        None => over_epoll::feed(&args, listener.into(), messages, count).await?,
    };
    producer.await?;
    for subscriber in own {
        let got = subscriber.await??;
        ensure!(got == args.messages, "a subscriber got {got} messages");
    }
    println!(
        "tokio_ring: messages={} served={} left={} bytes={}",
        args.messages, totals.served, totals.left, totals.bytes
    );
    Ok(())
}

/// Makes a message whenever it is time, beside all else.
async fn produce(args: Args, mut counted: watch::Receiver<usize>, messages: mpsc::Sender<u64>) {
    let is_enough = |count: &usize| *count >= usize::from(args.subscribers);
    if counted.wait_for(is_enough).await.is_err() {
        return;
    }
    let mut time = tokio::time::interval(Duration::from_millis(args.every.max(1)));
    for number in 0..args.messages {
        time.tick().await;
        // Nobody takes them any more.
        if messages.send(number).await.is_err() {
            return;
        }
    }
}

/// A message: its number, and bytes that only it has.
fn write_message(buf: &mut [u8], number: u64) {
    let (front, rest) = buf.split_at_mut(8);
    front.copy_from_slice(&number.to_le_bytes());
    for (byte, position) in rest.iter_mut().zip(number..) {
        *byte = u8::try_from(position % 251).unwrap_or(0);
    }
}

/// Reads messages to the end, checks that they are those in order, and returns how many.
async fn subscribe(at: SocketAddr, size: u32) -> Result<u64> {
    let stream = TcpStream::connect(at).await.context("connect")?;
    let mut want = vec![0; usize::try_from(size)?];
    let mut got = vec![0; want.len()];
    let mut number = 0;
    loop {
        let mut len = 0;
        while len < got.len() {
            stream.readable().await?;
            match stream.try_read(&mut got[len..]) {
                Ok(0) if len == 0 => return Ok(number),
                Ok(0) => bail!("half a message"),
                Ok(read) => len += read,
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(error.into()),
            }
        }
        write_message(&mut want, number);
        ensure!(got == want, "message {number} is not as it was sent");
        number += 1;
    }
}
