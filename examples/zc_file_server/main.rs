//! Serves the files of a folder over HTTP/1.0 without copying them into the socket: over io_uring, and over epoll where
//! that is refused.
//!
//! ```text
//! zc_file_server FOLDER                       curl http://127.0.0.1:8080/name
//! zc_file_server FOLDER --listen ADDR
//! ```
//!
//! Six things to take from it: a buffer is filled, sent and forgotten until it is released, and many are on their way,
//! the head and the first of the body as one; whether sends are zero-copy is learned per connection; a client that reads
//! slowly holds a few buffers, not all, and one that takes nothing is left; connections beyond what there is room for wait;
//! a connection is closed when the client has closed it, since closing it with bytes unread destroys the answer; the kernel keeps a path within the folder. It is no web server: it knows one method.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use answer::{Answer, Folder};
use anyhow::Result;
use clap::Parser;
use netprims::ring::Ring;
use netprims::socket::TcpBuilder;
use request::Incoming;
use ring_or_epoll::ring_or_epoll;

#[path = "../accept_error.rs"]
mod accept_error;
mod answer;
mod client;
mod over_epoll;
mod over_ring;
mod request;
#[path = "../reset.rs"]
mod reset;
#[path = "../ring_accept.rs"]
mod ring_accept;
#[path = "../ring_or_epoll.rs"]
mod ring_or_epoll;

/// A file server that copies nothing it need not.
#[derive(Parser)]
struct Args {
    /// The folder whose files are served
    folder: PathBuf,
    /// Where to listen
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8080")]
    listen: SocketAddr,
    /// End after so many connections
    #[arg(long, value_name = "COUNT")]
    connections: Option<u64>,
    /// How many buffers to send from
    #[arg(long, default_value_t = 256, value_parser = clap::value_parser!(u32).range(1..=4096))]
    buffers: u32,
    /// Bytes per buffer
    #[arg(long, default_value_t = 65_536, value_parser = clap::value_parser!(u32).range(1..=1_048_576))]
    size: u32,
    /// Serve so many connections at a time; others wait
    #[arg(long, value_name = "COUNT", default_value_t = 1024, value_parser = clap::value_parser!(u16).range(1..=1024))]
    at_a_time: u16,
    /// Leave a client whose request does not come, or that takes nothing, for so long
    #[arg(long, value_name = "SECONDS", default_value = "30", value_parser = seconds)]
    patience: Duration,
}

fn seconds(text: &str) -> Result<Duration> {
    Ok(Duration::try_from_secs_f64(text.parse()?)?)
}

/// How many buffers a connection has at most between being filled and being released.
const MOST_OUT: u32 = 8;

/// What became of all connections.
#[derive(Debug, Default)]
struct Totals {
    connections: u64,
    bytes: u64,
    zero_copied: u64,
    copied: u64,
}

fn main() -> Result<()> {
    let args = Args::parse();
    let folder = Folder::open(&args.folder)?;
    let (listener, _) = TcpBuilder::new().listen(args.listen)?;
    println!("listening on {}", listener.local_addr()?);
    let builder = Ring::builder().in_flight(over_ring::MOST_IN_FLIGHT);
    let totals = match ring_or_epoll(&builder)? {
        Some(ring) => over_ring::serve(ring, &args, listener.into(), &folder)?,
        None => over_epoll::serve(&args, listener.into(), &folder)?,
    };
    println!(
        "zc_file_server: connections={} bytes={} zero_copied={} copied={}",
        totals.connections, totals.bytes, totals.zero_copied, totals.copied
    );
    Ok(())
}
