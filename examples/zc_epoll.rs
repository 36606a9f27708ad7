//! Sends a file, or bytes of no meaning, over TCP without copying, from an epoll loop, and tells what became of it.
//!
//! ```text
//! zc_epoll                         over loopback to a thread of its own, which checks every byte
//! zc_epoll --connect ADDR          to whoever listens there
//! zc_epoll --file PATH             what is in a file
//! ```
//!
//! Three things to take from it: a full socket is waited for with what is left of the buffer, `EPOLLERR` is the moment to
//! reap, and buffers are taken from the pool again as they come back, so that as many bytes are on their way as the pool
//! has.

use std::fs::File;
use std::io::{self, Read};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use clap::Parser;
use netprims::buffer::TxPool;
use netprims::fd::{Epoll, Events, Interest};
use netprims::zerocopy::ZeroCopyOptions;

/// Zero-copy sends from an epoll loop.
#[derive(Parser)]
struct Args {
    /// Send to a listener at this address
    #[arg(long, value_name = "ADDR")]
    connect: Option<SocketAddr>,
    /// Send this file
    #[arg(long, value_name = "PATH")]
    file: Option<PathBuf>,
    /// Without a file, send so many bytes
    #[arg(long, default_value_t = 64 << 20)]
    bytes: u64,
    /// Bytes per buffer
    #[arg(long, default_value_t = 65_536, value_parser = clap::value_parser!(u32).range(1..=16_777_216))]
    size: u32,
    /// How many buffers to send from
    #[arg(long, default_value_t = 32, value_parser = clap::value_parser!(u32).range(1..=1024))]
    buffers: u32,
    /// Go on without copying where the kernel copies all the same
    #[arg(long)]
    stubborn: bool,
    /// Copy what is shorter than this
    #[arg(long, default_value_t = 16_384)]
    threshold: usize,
}

/// How long nothing may happen before that is an error.
const PATIENCE: Duration = Duration::from_secs(30);

fn main() -> Result<()> {
    let args = Args::parse();
    let mut source: Box<dyn Read> = match &args.file {
        Some(path) => {
            Box::new(File::open(path).with_context(|| format!("open {}", path.display()))?)
        }
        None => Box::new(Pattern { position: 0 }.take(args.bytes)),
    };
    let Some(peer) = args.connect else {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let peer = listener.local_addr()?;
        let is_pattern = args.file.is_none();
        let receiver = thread::spawn(move || receive(&listener, is_pattern));
        let sent = send(&args, peer, &mut source)?;
        let Ok(received) = receiver.join() else {
            bail!("the receiver panicked")
        };
        ensure!(received? == sent, "the receiver has not got all of it");
        println!("received {sent} bytes");
        return Ok(());
    };
    send(&args, peer, &mut source).map(drop)
}

/// Sends all there is to read, and returns how much that was.
fn send(args: &Args, peer: SocketAddr, source: &mut dyn Read) -> Result<u64> {
    let stream = TcpStream::connect(peer).with_context(|| format!("connect {peer}"))?;
    stream.set_nonblocking(true)?;
    let pool = TxPool::new(args.buffers, args.size)?;
    let options = ZeroCopyOptions::new()
        .threshold(args.threshold)
        .in_flight(args.buffers)
        .give_up_after(if args.stubborn { 0 } else { 64 });
    let mut sender = options.attach(stream)?;
    let epoll = Epoll::new()?;
    epoll.add(&sender, 0, Interest::WRITABLE.edge_triggered())?;
    let mut events = Events::with_capacity(4);
    let (mut sent, mut is_over) = (0, false);
    // A buffer the socket had no room for at all.
    let mut waiting = None;
    loop {
        // As long as there is something to send, a buffer for it, and room.
        while sender.unsent() == 0 {
            let buf = match waiting.take() {
                Some(buf) => buf,
                None if is_over => break,
                None => {
                    let Some(mut buf) = pool.take() else { break };
                    let len = fill(&mut buf, source)?;
                    is_over = len < buf.len();
                    buf.set_len(len)?;
                    sent += u64::try_from(len)?;
                    buf
                }
            };
            // A buffer that was copied is dropped here, and so goes back to the pool.
            match sender.send(buf) {
                Ok(_) => {}
                Err(rejected) if rejected.error.is_would_block() => {
                    waiting = rejected.buf.ok();
                    break;
                }
                Err(rejected) => return Err(rejected.error.into()),
            }
        }
        if is_over && waiting.is_none() && sender.in_flight() == 0 {
            break;
        }
        // A stream's sends take nothing from the error queue: whatever is there wakes this.
        ensure!(
            epoll.wait(&mut events, Some(PATIENCE))? > 0,
            "the peer takes nothing"
        );
        for event in events.iter() {
            if event.is_writable() {
                sender.flush(drop)?;
            }
            if event.is_error() {
                // A released buffer is dropped here.
                sender.reap(drop)?;
            }
        }
    }
    let closed = sender.close(PATIENCE, drop)?;
    let totals = closed.totals;
    println!(
        "zc_epoll: buffers={} bytes={sent} zero_copied={} copied={} plain={}",
        totals.buffers, totals.zero_copied, totals.copied, totals.plain
    );
    Ok(sent)
}

/// Reads until the buffer is full or there is no more.
fn fill(buf: &mut [u8], source: &mut dyn Read) -> io::Result<usize> {
    let mut len = 0;
    while let Some(room) = buf.get_mut(len..).filter(|room| !room.is_empty()) {
        match source.read(room) {
            Ok(0) => break,
            Ok(read) => len += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(len)
}

/// Bytes without end, each of its position.
struct Pattern {
    position: u64,
}

impl Read for Pattern {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        for byte in buf.iter_mut() {
            *byte = u8::try_from(self.position % 251).unwrap_or(0);
            self.position += 1;
        }
        Ok(buf.len())
    }
}

/// Reads one connection to its end, and checks every byte of the pattern.
fn receive(listener: &TcpListener, is_pattern: bool) -> Result<u64> {
    let (mut stream, _) = listener.accept()?;
    let mut buf = vec![0; 1 << 18];
    let mut want = vec![0; 1 << 18];
    let mut pattern = Pattern { position: 0 };
    let mut position = 0;
    loop {
        let len = stream.read(&mut buf)?;
        if len == 0 {
            return Ok(position);
        }
        if is_pattern {
            pattern.read_exact(&mut want[..len])?;
            ensure!(
                buf[..len] == want[..len],
                "not as it was sent, after {position} bytes"
            );
        }
        position += u64::try_from(len)?;
    }
}
