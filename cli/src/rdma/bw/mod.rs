//! `netprims rdma bw`.

mod flow;
mod report;
mod side;

use std::time::Duration;

use anyhow::Result;
use clap::{Args, Subcommand, ValueEnum};
use netprims_rdma::{Endpoint, Mtu, RemoteSlice};
use pingpong::{Role, listen};
use serde::{Deserialize, Serialize};

use self::flow::{Count, Flow};
use self::report::report;
use self::side::Side;
use super::peer::{Address, Peer, bytes, mtu};
use super::source::Source;
use crate::interrupt;

/// What a client says that it wants.
const TASK: &str = "bw";

/// One side of a measurement: the client moves as much as it can for some seconds.
///
/// Start the server first, and then the client, which says what is measured. The connection is a
/// reliable one.
#[derive(Subcommand)]
pub(crate) enum Bw {
    /// Wait for one client, and do what it asks for
    Server {
        #[command(flatten)]
        source: Source,
    },
    /// Measure against a server
    Client {
        /// Host name or address of the server
        host: String,
        #[command(flatten)]
        source: Source,
        #[command(flatten)]
        wish: Wish,
    },
}

/// What is to be measured.
#[derive(Args)]
pub(crate) struct Wish {
    /// How messages are moved
    #[arg(long = "op", short, value_enum, default_value_t = Operation::Write)]
    operation: Operation,
    /// Bytes per message
    #[arg(long, short, default_value_t = 65_536, value_parser = clap::value_parser!(u32).range(1..))]
    size: u32,
    /// Messages under way at the same time, each with a buffer of its own
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..=8192))]
    depth: u32,
    /// How long to measure, in seconds
    #[arg(long, short = 't', value_name = "SECONDS", default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    duration: u64,
    /// Have the server do the same towards the client, at the same time
    #[arg(long, short)]
    both: bool,
    /// Path MTU: 256, 512, 1024, 2048 or 4096 [default: the smaller of both ports']
    #[arg(long)]
    mtu: Option<Mtu>,
}

/// How messages are moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Operation {
    /// Remote writes into the other side's memory
    Write,
    /// Remote reads from the other side's memory
    Read,
    /// Sends into receives that the other side keeps posted
    Send,
}

/// What is moved, as both sides must know it.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Load {
    operation: Operation,
    size: u32,
    depth: u32,
    seconds: u64,
    both: bool,
}

/// What a client asks for.
#[derive(Serialize, Deserialize)]
struct Hello {
    load: Load,
    from: Party,
}

/// What a side says of itself.
#[derive(Serialize, Deserialize)]
struct Party {
    mtu: u32,
    address: Address,
    /// Where the other side may write, or read; if it is to.
    memory: Option<[u8; 20]>,
}

/// What one side has moved.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
struct Moved {
    messages: u64,
    nanos: u64,
}

impl Bw {
    pub(crate) fn run(&self) -> Result<()> {
        match self {
            Bw::Server { source } => serve(source),
            Bw::Client { host, source, wish } => measure(host, source, wish),
        }
    }
}

impl Load {
    fn duration(&self) -> Duration {
        Duration::from_secs(self.seconds)
    }
}

impl From<Count> for Moved {
    fn from(count: Count) -> Self {
        Moved {
            messages: count.messages,
            nanos: u64::try_from(count.elapsed.as_nanos()).unwrap_or(u64::MAX),
        }
    }
}

fn serve(source: &Source) -> Result<()> {
    let stop = interrupt::watch()?;
    // Before anybody comes: whether there is a device.
    side::open(source)?;
    let listener = listen(source.tcp_port)?;
    if !source.json {
        println!("waiting on TCP port {}", source.tcp_port);
    }
    let mut peer = Peer::accept(&listener, source.patience(), stop)?;
    let answered = answer(source, &mut peer);
    if let Err(error) = &answered {
        peer.fail(error);
    }
    let (load, own, theirs) = answered?;
    report(source, &load, &peer.name(), own, theirs)
}

/// Does what a client asks for.
fn answer(source: &Source, peer: &mut Peer) -> Result<(Load, Moved, Moved)> {
    let hello: Hello = peer.asked(TASK)?;
    let load = hello.load;
    let mut side = Side::open(source, None, &load, load.both, true)?;
    side.limit_mtu(mtu(hello.from.mtu)?);
    let own = party(&side)?;
    let flow = connect(side, &hello.from)?;
    // The client may begin from now on.
    peer.say(&own)?;
    let (own, theirs) = flow.run(Role::Server, peer, interrupt::watched(), |_, _| {})?;
    Ok((load, own, theirs))
}

fn measure(host: &str, source: &Source, wish: &Wish) -> Result<()> {
    let stop = interrupt::watch()?;
    let load = Load {
        operation: wish.operation,
        size: wish.size,
        depth: wish.depth,
        seconds: wish.duration,
        both: wish.both,
    };
    let mut side = Side::open(source, wish.mtu, &load, true, load.both)?;
    let from = party(&side)?;
    let mut peer = Peer::reach(host, source.tcp_port, source.patience(), stop)?;
    peer.ask(TASK, Hello { load, from })?;
    let theirs: Party = peer.hear()?;
    side.limit_mtu(mtu(theirs.mtu)?);
    let flow = connect(side, &theirs)?;
    let bar = report::bar(&load);
    let moved = flow.run(Role::Client, &mut peer, stop, |elapsed, messages| {
        report::advance(&bar, &load, elapsed, messages);
    });
    bar.finish_and_clear();
    if let Err(error) = &moved {
        peer.fail(error);
    }
    let (own, theirs) = moved?;
    report(source, &load, host, own, theirs)
}

fn party(side: &Side) -> Result<Party> {
    Ok(Party {
        mtu: bytes(side.mtu())?,
        address: Address::from(side.endpoint()),
        memory: side.memory().map(|slice| slice.to_bytes()),
    })
}

fn connect(side: Side, to: &Party) -> Result<Flow> {
    let there = to.memory.map(RemoteSlice::from_bytes);
    side.connect(&Endpoint::try_from(&to.address)?, there)
}
