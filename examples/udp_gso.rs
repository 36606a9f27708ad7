//! Moves bytes over UDP, many datagrams a system call, and tells how many.
//!
//! ```text
//! udp_gso                          both ends over loopback
//! udp_gso --listen ADDR            receive from one sender, and check every byte
//! udp_gso --connect ADDR           send to such a receiver
//! ```
//!
//! `--plain` goes without the kernel's help on this side: a message for each datagram, and a piece for each.
//!
//! Three things to take from it: one message is cut into many datagrams, one piece brings many, and neither side
//! allocates once it runs. How it deals with loss is no example: it waits for each window, and gives up.

use std::collections::BTreeMap;
use std::net::{SocketAddr, UdpSocket};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use clap::Parser;
use netprims::datagram::{Outgoing, ReceiveBatch, Segmentation, SendBatch};
use netprims::tuning::Tuning;

/// UDP with segmentation offload, in both directions.
#[derive(Parser)]
struct Args {
    /// Receive from one sender on this address and check every byte
    #[arg(long, value_name = "ADDR", group = "mode")]
    listen: Option<SocketAddr>,
    /// Send to a receiver at this address
    #[arg(long, value_name = "ADDR", group = "mode")]
    connect: Option<SocketAddr>,
    /// How many bytes
    #[arg(long, default_value_t = 64 << 20, value_parser = clap::value_parser!(u64).range(1..))]
    bytes: u64,
    /// Bytes per datagram
    #[arg(long, default_value_t = 1200, value_parser = clap::value_parser!(u16).range(1..=9000))]
    size: u16,
    /// A message for each datagram, and a piece for each
    #[arg(long)]
    plain: bool,
}

/// As much as is on its way at a time. It fits the receive buffer an unprivileged user gets, in datagrams of 1200 bytes.
const WINDOW: usize = 128 << 10;

/// How long nothing may come before that is an error.
const PATIENCE: Duration = Duration::from_secs(10);

fn main() -> Result<()> {
    let args = Args::parse();
    if let Some(local) = args.listen {
        let socket = receiving(local, args.plain)?;
        println!("listening on {}", socket.local_addr()?);
        return receive(&socket).map(|received| received.print("received"));
    }
    if let Some(peer) = args.connect {
        return send(&args, peer).map(|sent| sent.print("sent"));
    }
    let socket = receiving("127.0.0.1:0".parse()?, args.plain)?;
    let peer = socket.local_addr()?;
    socket.set_read_timeout(Some(PATIENCE))?;
    let receiver = thread::spawn(move || receive(&socket));
    let sent = send(&args, peer);
    let Ok(received) = receiver.join() else {
        bail!("the receiver panicked")
    };
    let (sent, received) = (sent?, received?);
    sent.print("sent");
    received.print("received");
    ensure!(received.bytes == args.bytes, "not all has arrived");
    Ok(())
}

/// What went over a socket.
#[derive(Default)]
struct Totals {
    bytes: u64,
    datagrams: usize,
    calls: usize,
    /// How many pieces had datagrams of which size; 0 for one that was a datagram.
    pieces: BTreeMap<u16, usize>,
}

impl Totals {
    fn print(&self, what: &str) {
        for (size, count) in &self.pieces {
            match size {
                0 => println!("{count} pieces of one datagram"),
                size => println!("{count} pieces of datagrams of {size} bytes"),
            }
        }
        let Self {
            bytes,
            datagrams,
            calls,
            ..
        } = self;
        let each = datagrams / calls.max(&1);
        println!(
            "udp_gso: {what} bytes={bytes} datagrams={datagrams} calls={calls} datagrams_per_call={each}"
        );
    }
}

/// Sends the pattern, a window at a time.
fn send(args: &Args, peer: SocketAddr) -> Result<Totals> {
    let any = if peer.is_ipv4() {
        "0.0.0.0:0"
    } else {
        "[::]:0"
    };
    let socket = UdpSocket::bind(any)?;
    socket
        .connect(peer)
        .with_context(|| format!("connect {peer}"))?;
    socket.set_read_timeout(Some(PATIENCE))?;
    let mut batch = SendBatch::new(64)?;
    if args.plain {
        batch.set_segmentation(Segmentation::Batch);
    }
    let size = usize::from(args.size);
    // Whole datagrams.
    let mut window = vec![0; WINDOW / size * size];
    let mut totals = Totals::default();
    while totals.bytes < args.bytes {
        let left = usize::try_from(args.bytes - totals.bytes).unwrap_or(usize::MAX);
        let len = left.min(window.len());
        fill(&mut window[..len], totals.bytes);
        let message = Outgoing::new(&window[..len]).segment(args.size);
        let sent = batch.send(&socket, &[message])?;
        totals.bytes += u64::try_from(sent.bytes())?;
        totals.datagrams += sent.datagrams();
        totals.calls += sent.calls();
        wait_for(&socket, totals.bytes)?;
    }
    // An empty datagram is the end.
    let _ = batch.send(&socket, &[Outgoing::new(&[])])?;
    if batch.segmentation() == Segmentation::Batch && !args.plain {
        println!("no segmentation offload on this path: the batch has cut");
    }
    Ok(totals)
}

/// Waits until the receiver has so many bytes.
fn wait_for(socket: &UdpSocket, bytes: u64) -> Result<()> {
    loop {
        let mut count = [0; 8];
        socket.recv(&mut count).context("something was lost")?;
        if u64::from_be_bytes(count) >= bytes {
            return Ok(());
        }
    }
}

/// A socket to receive on.
fn receiving(local: SocketAddr, plain: bool) -> Result<UdpSocket> {
    let socket = UdpSocket::bind(local).with_context(|| format!("bind {local}"))?;
    let tuning = Tuning::new().udp_gro(!plain).receive_buffer(1 << 20);
    println!("{}", tuning.apply(&socket)?);
    Ok(socket)
}

/// Receives up to an empty datagram, checks every byte and tells the sender how many there are.
fn receive(socket: &UdpSocket) -> Result<Totals> {
    let mut batch = ReceiveBatch::new(32, ReceiveBatch::LARGEST)?;
    let mut totals = Totals::default();
    loop {
        let received = batch.receive(socket)?;
        ensure!(!received.is_empty(), "nothing more comes");
        totals.calls += 1;
        let mut sender = None;
        for incoming in received {
            if incoming.bytes().is_empty() {
                return Ok(totals);
            }
            sender = incoming.peer();
            let size = incoming.segment().map_or(0, u16::from);
            *totals.pieces.entry(size).or_default() += 1;
            for datagram in incoming.datagrams() {
                check(datagram, totals.bytes)?;
                totals.datagrams += 1;
                totals.bytes += u64::try_from(datagram.len())?;
            }
        }
        if let Some(sender) = sender {
            socket.send_to(&totals.bytes.to_be_bytes(), sender)?;
        }
    }
}

/// The byte that belongs at a position. 251 is a prime: no size hides a shift.
fn pattern(position: u64) -> u8 {
    u8::try_from(position % 251).unwrap_or(0)
}

fn fill(window: &mut [u8], start: u64) {
    for (byte, position) in window.iter_mut().zip(start..) {
        *byte = pattern(position);
    }
}

fn check(datagram: &[u8], start: u64) -> Result<()> {
    for (byte, position) in datagram.iter().zip(start..) {
        ensure!(
            *byte == pattern(position),
            "byte {position} is {byte}, not as it was sent"
        );
    }
    Ok(())
}
