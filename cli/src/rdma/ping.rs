//! `netprims rdma ping`.

use std::time::Duration;

use anyhow::{Result, ensure};
use clap::{Args, Subcommand, ValueEnum};
use netprims_rdma::{Endpoint, Mtu};
use pingpong::{Kind, Latencies, Plan, Role, Score, Side, listen};
use serde::{Deserialize, Serialize};

use super::peer::{Address, Peer, VERSION, bytes, mtu};
use super::source::Source;
use crate::interrupt::{self, Interrupted};

/// What a client says that it wants.
const TASK: &str = "ping";
/// The name of what `--json` prints.
const SCHEMA: &str = "netprims.rdma.ping";

/// One side of a measurement: a message goes to the server and comes back, and then the next one.
///
/// Start the server first. What is measured the client says; a server that is told something as well
/// refuses a client that says otherwise.
#[derive(Subcommand)]
pub(crate) enum Ping {
    /// Wait for one client, and answer
    Server {
        #[command(flatten)]
        source: Source,
        #[command(flatten)]
        wish: Wish,
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
    /// Type of the queue pairs [default: rc]
    #[arg(long = "type", short = 't', value_enum)]
    kind: Option<Type>,
    /// Bytes per message [default: 64]
    #[arg(long, short, value_parser = clap::value_parser!(u32).range(1..))]
    size: Option<u32>,
    /// Messages each way [default: 1000]
    #[arg(long, short = 'n', value_parser = clap::value_parser!(u32).range(1..))]
    iters: Option<u32>,
    /// Path MTU: 256, 512, 1024, 2048 or 4096 [default: the smaller of both ports']
    #[arg(long)]
    mtu: Option<Mtu>,
    /// Sleep until a message arrives, instead of polling; each side for itself
    #[arg(long, short)]
    events: bool,
    /// Check every byte of every message
    #[arg(long, short)]
    check: bool,
}

/// A type of queue pair.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Type {
    /// Reliable connected
    Rc,
    /// Unreliable connected: a message that is lost ends the measurement
    Uc,
    /// Unreliable datagram: at most one packet, and one that is lost ends the measurement
    Ud,
}

/// What a client asks for.
#[derive(Serialize, Deserialize)]
struct Hello {
    kind: Type,
    size: u32,
    iters: u32,
    mtu: u32,
    check: bool,
    from: Address,
}

/// What the server says to that.
#[derive(Serialize, Deserialize)]
struct Welcome {
    mtu: u32,
    from: Address,
}

impl Ping {
    pub(crate) fn run(&self) -> Result<()> {
        match self {
            Ping::Server { source, wish } => serve(source, wish),
            Ping::Client { host, source, wish } => measure(host, source, wish),
        }
    }
}

impl Type {
    fn kind(self) -> Kind {
        match self {
            Type::Rc => Kind::Rc,
            Type::Uc => Kind::Uc,
            Type::Ud => Kind::Ud,
        }
    }
}

fn serve(source: &Source, wish: &Wish) -> Result<()> {
    let stop = interrupt::watch()?;
    // Before anybody comes: whether there is a device.
    drop(Side::open(&plan(source, wish, Type::Rc))?);
    let listener = listen(source.tcp_port)?;
    if !source.json {
        println!("waiting on TCP port {}", source.tcp_port);
    }
    let mut peer = Peer::accept(&listener, source.patience(), stop)?;
    let answered = answer(source, wish, &mut peer);
    if let Err(error) = &answered {
        peer.fail(error);
    }
    let (plan, kind, score) = answered?;
    report(source, &plan, kind, &peer.name(), &score)
}

/// Plays with a client, as it wishes.
fn answer(source: &Source, wish: &Wish, peer: &mut Peer) -> Result<(Plan, Type, Score)> {
    let hello: Hello = peer.asked(TASK)?;
    wish.agrees(&hello)?;
    let plan = Plan {
        size: hello.size,
        iters: hello.iters,
        check: hello.check,
        ..plan(source, wish, hello.kind)
    };
    let mut side = Side::open(&plan)?;
    side.limit_mtu(mtu(hello.mtu)?);
    let own = welcome(&side)?;
    let game = side.connect(&[Endpoint::try_from(&hello.from)?])?;
    // The client may send from now on.
    peer.say(&own)?;
    let score = game.play(Role::Server, interrupt::watched())?;
    Ok((plan, hello.kind, score))
}

fn measure(host: &str, source: &Source, wish: &Wish) -> Result<()> {
    let stop = interrupt::watch()?;
    let kind = wish.kind.unwrap_or(Type::Rc);
    let plan = plan(source, wish, kind);
    let mut side = Side::open(&plan)?;
    let own = welcome(&side)?;
    let mut peer = Peer::reach(host, source.tcp_port, source.patience(), stop)?;
    let hello = Hello {
        kind,
        size: plan.size,
        iters: plan.iters,
        mtu: own.mtu,
        check: plan.check,
        from: own.from,
    };
    peer.ask(TASK, hello)?;
    let welcome: Welcome = peer.hear()?;
    side.limit_mtu(mtu(welcome.mtu)?);
    let game = side.connect(&[Endpoint::try_from(&welcome.from)?])?;
    let score = game.play(Role::Client, stop)?;
    report(source, &plan, kind, host, &score)
}

/// What a side says of itself.
fn welcome(side: &Side) -> Result<Welcome> {
    let own = side.endpoints().first();
    let own = own.ok_or_else(|| anyhow::anyhow!("no queue pair"))?;
    Ok(Welcome {
        mtu: bytes(side.mtu())?,
        from: Address::from(own),
    })
}

fn plan(source: &Source, wish: &Wish, kind: Type) -> Plan {
    Plan {
        device: source.device.clone(),
        port: source.ib_port,
        gid_index: source.gid_index,
        mtu: wish.mtu,
        size: wish.size.unwrap_or(64),
        iters: wish.iters.unwrap_or(1000),
        events: wish.events,
        check: wish.check,
        latencies: true,
        patience: source.patience(),
        ..Plan::new(kind.kind())
    }
}

impl Wish {
    /// An error unless a client wishes the same, or this side has no wish.
    fn agrees(&self, hello: &Hello) -> Result<()> {
        let kind = self.kind.is_none_or(|kind| kind == hello.kind);
        ensure!(kind, "this server was told another --type");
        let size = self.size.is_none_or(|size| size == hello.size);
        ensure!(size, "this server was told another --size");
        let iters = self.iters.is_none_or(|iters| iters == hello.iters);
        ensure!(iters, "this server was told another --iters");
        let check = !self.check || hello.check;
        ensure!(
            check,
            "this server was told --check, and the client was not"
        );
        Ok(())
    }
}

/// What `--json` prints.
#[derive(Serialize)]
struct Report<'a> {
    schema: &'static str,
    version: u32,
    peer: &'a str,
    r#type: Type,
    size: u32,
    iters: u32,
    events: bool,
    sent: u32,
    received: u32,
    seconds: f64,
    /// How many bytes of how many messages were checked; `null` if none was to be.
    checked: Option<Checked>,
    round_trips: u64,
    /// Microseconds; `null` if nothing came back.
    round_trip_usec: Option<Percentiles>,
    interrupted: bool,
}

#[derive(Serialize)]
struct Checked {
    messages: u64,
    bytes: u64,
}

/// In microseconds.
#[derive(Serialize)]
struct Percentiles {
    min: f64,
    mean: f64,
    p50: f64,
    p90: f64,
    p99: f64,
    p99_9: f64,
    max: f64,
}

impl Percentiles {
    fn of(latencies: &Latencies) -> Option<Self> {
        let usec = |time: Duration| time.as_secs_f64() * 1e6;
        let at = |share| latencies.per_mille(share).map(usec);
        Some(Percentiles {
            min: usec(latencies.least()?),
            mean: usec(latencies.mean()?),
            p50: at(500)?,
            p90: at(900)?,
            p99: at(990)?,
            p99_9: at(999)?,
            max: usec(latencies.most()?),
        })
    }
}

fn report(source: &Source, plan: &Plan, kind: Type, peer: &str, score: &Score) -> Result<()> {
    let latencies = score.latencies.as_ref();
    let times = latencies.and_then(Percentiles::of);
    let round_trips = latencies.map_or(0, Latencies::count);
    if source.json {
        let report = Report {
            schema: SCHEMA,
            version: VERSION,
            peer,
            r#type: kind,
            size: plan.size,
            iters: plan.iters,
            events: plan.events,
            sent: score.sent,
            received: score.received,
            seconds: score.elapsed.as_secs_f64(),
            checked: score.checked.map(|checked| Checked {
                messages: checked.messages,
                bytes: checked.bytes,
            }),
            round_trips,
            round_trip_usec: times,
            interrupted: score.is_stopped,
        };
        println!("{}", serde_json::to_string_pretty(&report)?);
    } else {
        let Plan { size, .. } = plan;
        println!(
            "{round_trips} round trips of {size} bytes with {peer}, {}",
            kind.words()
        );
        if let Some(times) = times {
            println!("         usec");
            for (name, time) in times.rows() {
                println!("{name:<6} {time:>10.1}");
            }
        }
        if let Some(checked) = score.checked {
            let (messages, bytes) = (checked.messages, checked.bytes);
            println!("{messages} messages checked, {bytes} bytes right");
        }
    }
    match score.is_stopped {
        true => Err(Interrupted.into()),
        false => Ok(()),
    }
}

impl Type {
    fn words(self) -> &'static str {
        match self {
            Type::Rc => "over a reliable connection",
            Type::Uc => "over an unreliable connection",
            Type::Ud => "by datagrams",
        }
    }
}

impl Percentiles {
    fn rows(&self) -> [(&'static str, f64); 7] {
        [
            ("min", self.min),
            ("mean", self.mean),
            ("50 %", self.p50),
            ("90 %", self.p90),
            ("99 %", self.p99),
            ("99.9 %", self.p99_9),
            ("max", self.max),
        ]
    }
}
