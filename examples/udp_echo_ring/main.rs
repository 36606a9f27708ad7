//! A UDP echo server over io_uring, and over epoll where that is refused.
//!
//! ```text
//! udp_echo_ring                    both ends over loopback
//! udp_echo_ring --listen ADDR      for whoever sends
//! ```
//!
//! Three things to take from it: a pool for messages, whose datagrams say where they came from and whether they were cut; an
//! answer that is sent to that address; and datagrams that come joined and go back as one send, which the kernel cuts where
//! they were joined.

use std::net::{SocketAddr, UdpSocket};
use std::num::NonZeroU16;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use clap::Parser;
use netprims::datagram::Incoming;
use netprims::ring::Ring;
use netprims::tuning::Tuning;
use ring_or_epoll::ring_or_epoll;

mod over_epoll;
mod over_ring;
#[path = "../ring_or_epoll.rs"]
mod ring_or_epoll;

/// A UDP echo server.
#[derive(Parser)]
struct Args {
    /// Answer on this address
    #[arg(long, value_name = "ADDR")]
    listen: Option<SocketAddr>,
    /// End after so many datagrams; without an address, send so many
    #[arg(long, value_name = "COUNT")]
    datagrams: Option<u64>,
    /// The longest piece: a datagram, or several that came joined
    #[arg(long, default_value_t = 65_535, value_parser = clap::value_parser!(u16).range(1..))]
    longest: u16,
    /// Without an address, how long an answer may take
    #[arg(long, value_name = "SECONDS", default_value = "10", value_parser = seconds)]
    patience: Duration,
}

fn seconds(text: &str) -> Result<Duration> {
    Ok(Duration::try_from_secs_f64(text.parse()?)?)
}

/// As many datagrams as are on their way at a time where this program is both ends.
const WINDOW: u64 = 16;

/// How many it then sends, if nobody says.
const DATAGRAMS: u64 = 10_000;

/// How often to see whether the client in this program is through: it is whether or not all was answered.
const LOOK: Duration = Duration::from_millis(50);

/// The client in this program, if there is one.
struct Client {
    thread: Option<JoinHandle<Result<()>>>,
}

impl Client {
    /// How long to wait for datagrams at a time.
    fn look(&self) -> Option<Duration> {
        self.thread.as_ref().map(|_| LOOK)
    }

    /// Whether it asks for nothing more.
    fn is_over(&self) -> bool {
        self.thread.as_ref().is_some_and(JoinHandle::is_finished)
    }

    /// Waits until it is over. An error if it did not get what it asked for.
    fn join(self) -> Result<()> {
        match self.thread.map(JoinHandle::join) {
            None => Ok(()),
            Some(Ok(asked)) => asked,
            Some(Err(_)) => bail!("the client panicked"),
        }
    }
}

/// What became of the datagrams.
#[derive(Debug, Default)]
struct Totals {
    /// Those that were answered, or that nobody could be answered for.
    datagrams: u64,
    bytes: u64,
    /// Pieces that were longer than there is room for. They are not answered.
    cut: u64,
    /// Pieces that no buffer was free for, or that could not be sent.
    dropped: u64,
}

impl Totals {
    /// Counts a piece. True if it is to be answered.
    fn take(&mut self, incoming: &Incoming<'_>) -> Result<bool> {
        self.datagrams += u64::try_from(incoming.datagrams().len())?;
        if incoming.is_truncated() {
            self.cut += 1;
            return Ok(false);
        }
        self.bytes += u64::try_from(incoming.bytes().len())?;
        Ok(true)
    }
}

fn main() -> Result<()> {
    let mut args = Args::parse();
    let at = args
        .listen
        .unwrap_or_else(|| SocketAddr::from(([127, 0, 0, 1], 0)));
    let socket = UdpSocket::bind(at).with_context(|| format!("bind {at}"))?;
    let at = socket.local_addr()?;
    println!("listening on {at}");
    println!("{}", Tuning::new().udp_gro(true).apply(&socket)?);
    let thread = args.listen.is_none().then(|| {
        let count = *args.datagrams.get_or_insert(DATAGRAMS);
        thread::spawn(move || ask(at, count, args.patience))
    });
    let client = Client { thread };
    let totals = match ring_or_epoll(&Ring::builder().in_flight(over_ring::IN_FLIGHT))? {
        Some(ring) => over_ring::answer(ring, &args, socket, &client)?,
        None => over_epoll::answer(&args, &socket, &client)?,
    };
    client.join()?;
    println!(
        "udp_echo_ring: datagrams={} bytes={} cut={} dropped={}",
        totals.datagrams, totals.bytes, totals.cut, totals.dropped
    );
    Ok(())
}

/// Sends so many datagrams, a window at a time, and checks what comes back.
fn ask(server: SocketAddr, count: u64, patience: Duration) -> Result<()> {
    let socket = UdpSocket::bind("127.0.0.1:0")?;
    socket.connect(server)?;
    socket.set_read_timeout(Some(patience))?;
    let mut answer = [0; 2048];
    let mut next = 0;
    while next < count {
        let window = next..count.min(next + WINDOW);
        for number in window.clone() {
            socket.send(&datagram(number))?;
        }
        for number in window.clone() {
            let len = socket.recv(&mut answer).context("no answer")?;
            ensure!(answer[..len] == datagram(number), "another answer");
        }
        next = window.end;
    }
    Ok(())
}

/// One datagram: of many lengths, and no two alike.
fn datagram(number: u64) -> Vec<u8> {
    let len = 8 + usize::try_from(number * 37 % 1400).unwrap_or(0);
    number.to_be_bytes().into_iter().cycle().take(len).collect()
}

/// How an answer is cut into datagrams: as the piece was joined of them.
fn segment(size: Option<NonZeroU16>) -> u16 {
    size.map_or(0, NonZeroU16::get)
}
