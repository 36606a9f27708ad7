//! Sends data with io_uring's zero-copy, and tells what became of it.
//!
//! ```text
//! zc_send                          over loopback to a thread of its own, which checks every byte
//! zc_send --listen ADDR            receive one connection and check every byte
//! zc_send --connect ADDR           send to such a listener
//! zc_send --udp ADDR               send datagrams to nobody in particular
//! ```
//!
//! Three things to take from it: the tuning report (what the kernel granted), the two events of a send (the result comes
//! first, the buffer later), and that a stream may take less than it was given.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, UdpSocket};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use clap::Parser;
use netprims::ring::{Event, Ring, Socket, TxPool, Wait, ZcPolicy};
use netprims::socket::{TcpBuilder, TcpListener, TcpStream};
use netprims::tuning::{Congestion, Tuning};

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
        let mut sender = Sender::new(&args, socket)?;
        sender.send_datagrams(args.count)?;
        return sender.report("udp");
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
    let mut sender = Sender::new(&args, socket)?;
    let total = u64::from(args.count) * u64::from(args.size);
    sender.send_stream(total)?;
    sender.finish()?;
    if let Some(receiver) = receiver {
        let Ok(received) = receiver.join() else {
            bail!("the receiver panicked")
        };
        ensure!(received? == total, "the receiver has not got all of it");
        println!("received {total} bytes, all as they were sent");
    }
    sender.report("tcp")
}

/// A ring with one socket and the buffers to send on it.
struct Sender {
    ring: Ring,
    pool: TxPool,
    socket: Socket,
    policy: ZcPolicy,
    /// The first send that failed.
    failure: Option<io::Error>,
}

impl Sender {
    fn new(args: &Args, socket: impl Into<std::os::fd::OwnedFd>) -> Result<Self> {
        let mut ring = Ring::builder().in_flight(args.buffers).build()?;
        let pool = ring.tx_pool(args.buffers, args.size)?;
        let socket = ring.add(socket)?;
        let policy = if args.plain {
            ZcPolicy::Never
        } else {
            ZcPolicy::Always
        };
        Ok(Self {
            ring,
            pool,
            socket,
            policy,
            failure: None,
        })
    }

    /// Sends `total` bytes of the pattern. One send at a time waits for its result, because a stream may take less than
    /// it is given, and what follows must start where it stopped. Released buffers are waited for only when all are out.
    fn send_stream(&mut self, total: u64) -> Result<()> {
        let mut position = 0;
        while position < total {
            let Some(mut buf) = self.pool.take() else {
                self.wait()?;
                continue;
            };
            let left = usize::try_from(total - position).unwrap_or(usize::MAX);
            buf.set_len(left.min(buf.capacity()))?;
            fill(&mut buf, position);
            let ticket = self.ring.send(self.socket, buf, self.policy)?;
            let mut taken = None;
            while taken.is_none() {
                let events = self.ring.poll(Wait::AtMost(PATIENCE), |event| {
                    if let Event::Sent {
                        ticket: sent,
                        result,
                        ..
                    } = event
                    {
                        if sent == ticket {
                            taken = Some(result);
                        }
                    }
                })?;
                ensure!(events > 0, "the peer takes nothing");
            }
            let bytes = taken.transpose().context("send")?.unwrap_or(0);
            position += u64::try_from(bytes)?;
        }
        Ok(())
    }

    /// Sends `count` datagrams, as many at a time as there are buffers.
    fn send_datagrams(&mut self, count: u32) -> Result<()> {
        let mut sent = 0;
        while sent < count {
            let Some(mut buf) = self.pool.take() else {
                self.wait()?;
                continue;
            };
            fill(&mut buf, 0);
            self.ring.send(self.socket, buf, self.policy)?;
            sent += 1;
        }
        Ok(())
    }

    /// Waits until every buffer is back, then closes the socket.
    fn finish(&mut self) -> Result<()> {
        while self.ring.in_flight() > 0 {
            self.wait()?;
        }
        netprims::fd::close(self.ring.remove(self.socket)?)?;
        Ok(())
    }

    /// Waits for an event.
    fn wait(&mut self) -> Result<()> {
        let failure = &mut self.failure;
        let events = self.ring.poll(Wait::AtMost(PATIENCE), |event| {
            // A released buffer is dropped here, and so goes back to the pool.
            if let Event::Sent {
                result: Err(error), ..
            } = event
            {
                failure.get_or_insert(error);
            }
        })?;
        ensure!(events > 0, "the peer does not acknowledge what it was sent");
        Ok(())
    }

    /// Waits until every buffer is back, and prints what became of the bytes.
    fn report(mut self, path: &str) -> Result<()> {
        while self.ring.in_flight() > 0 {
            self.wait()?;
        }
        if let Some(error) = &self.failure {
            println!("not all was sent: {error}");
        }
        let offered = self.ring.capabilities();
        println!(
            "zero-copy sends: {}, usage report: {}",
            if offered.zero_copy {
                "yes"
            } else {
                "not in this kernel"
            },
            if offered.usage_report {
                "yes"
            } else {
                "not in this kernel"
            },
        );
        let totals = self.ring.totals();
        let bytes = totals.zero_copied + totals.copied + totals.unknown;
        println!(
            "zc_send: {path} sends={} bytes={bytes} zero_copied={} copied={} not_sent={}",
            totals.sends, totals.zero_copied, totals.copied, totals.not_sent
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
