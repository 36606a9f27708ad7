//! The programs, whose options are those of rdma-core's.

use std::process::ExitCode;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use clap::{CommandFactory, FromArgMatches, Parser};
use netprims_rdma::{Endpoint, Gid, GidIndex, Mtu, PortNum};

use crate::game::Score;
use crate::latencies::Latencies;
use crate::meeting::{Meeting, listen, reach};
use crate::plan::{Kind, Plan, Role};
use crate::side::Side;

/// How long a client tries to reach a server that is not there yet.
const MEETING: Duration = Duration::from_secs(30);

#[derive(Debug, Parser)]
struct Options {
    /// Host to connect to; without it, be the server
    host: Option<String>,
    /// TCP port to listen on or connect to
    #[arg(short, long, default_value_t = 18515)]
    port: u16,
    /// RDMA device; the first one by default
    #[arg(short = 'd', long, value_name = "DEV")]
    ib_dev: Option<String>,
    /// Port of the device
    #[arg(short = 'i', long, value_name = "PORT", default_value = "1")]
    ib_port: PortNum,
    /// Bytes per message; the same on both sides [default: 4096, datagrams 1024]
    #[arg(short, long)]
    size: Option<u32>,
    /// Path MTU of a connection: 256, 512, 1024, 2048 or 4096; the same on both sides [default: 1024]
    #[arg(short, long)]
    mtu: Option<Mtu>,
    /// Queue pairs on the shared receive queue; the same on both sides [default: 16]
    #[arg(short = 'q', long, value_name = "COUNT")]
    num_qp: Option<u32>,
    /// Receives to keep posted. Each has a buffer of its own (the C programs post one buffer 500
    /// times)
    #[arg(short, long, default_value_t = 16)]
    rx_depth: u32,
    /// Messages each way; the same on both sides
    #[arg(short = 'n', long, default_value_t = 1000)]
    iters: u32,
    /// InfiniBand service level
    #[arg(short = 'l', long, default_value_t = 0)]
    sl: u8,
    /// Sleep until something has arrived, instead of polling
    #[arg(short, long)]
    events: bool,
    /// Index of the local GID; on Ethernet, chosen by default
    #[arg(short, long, value_name = "INDEX")]
    gid_idx: Option<GidIndex>,
    /// Check every byte of every message
    #[arg(short = 'c', long)]
    chk: bool,
    /// Measure each round trip, and print percentiles
    #[arg(short = 't', long)]
    times: bool,
    /// Seconds without a word from the peer after which the game is over
    #[arg(long, value_name = "SECONDS", default_value_t = 30)]
    patience: u64,
}

/// Runs the program of a kind, with the arguments of this process.
#[must_use]
pub fn program(kind: Kind) -> ExitCode {
    let name = kind.program();
    let about = format!("RDMA ping-pong {}; plays with ibv_{name}", kind.by());
    let is_shared = kind == Kind::Srq;
    let command = Options::command()
        .name(name)
        .about(about)
        .mut_arg("num_qp", |argument| argument.hide(!is_shared))
        .mut_arg("mtu", |argument| argument.hide(kind == Kind::Ud));
    let options = Options::from_arg_matches(&command.get_matches());
    let options = options.unwrap_or_else(|error| error.exit());
    match run(kind, &options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{name}: {error:#}");
            ExitCode::FAILURE
        }
    }
}

impl Kind {
    fn program(self) -> &'static str {
        match self {
            Kind::Rc => "rc_pingpong",
            Kind::Uc => "uc_pingpong",
            Kind::Ud => "ud_pingpong",
            Kind::Srq => "srq_pingpong",
        }
    }

    fn by(self) -> &'static str {
        match self {
            Kind::Rc => "over a reliable connection",
            Kind::Uc => "over an unreliable connection",
            Kind::Ud => "by datagrams",
            Kind::Srq => "over reliable connections with a shared receive queue",
        }
    }
}

fn plan(kind: Kind, options: &Options) -> Result<Plan> {
    let usual = Plan::new(kind);
    ensure!(
        kind != Kind::Ud || options.mtu.is_none(),
        "datagrams have no path MTU"
    );
    Ok(Plan {
        device: options.ib_dev.clone(),
        port: options.ib_port,
        gid_index: options.gid_idx,
        mtu: options.mtu.or(usual.mtu),
        service_level: options.sl,
        size: options.size.unwrap_or(usual.size),
        iters: options.iters,
        receives: options.rx_depth,
        queue_pairs: options.num_qp.unwrap_or(usual.queue_pairs),
        events: options.events,
        check: options.chk,
        latencies: options.times,
        patience: Duration::from_secs(options.patience),
        ..usual
    })
}

fn run(kind: Kind, options: &Options) -> Result<()> {
    let plan = plan(kind, options)?;
    // First of all: a client that comes early waits in the backlog.
    let listener = match options.host {
        None => Some(listen(options.port)?),
        Some(_) => None,
    };
    let side = Side::open(&plan)?;
    if let Some(chosen) = side.chosen() {
        eprintln!("using {chosen}");
    }
    for local in side.endpoints() {
        println!("  local address:  {}", address_line(local));
    }
    let ((game, remote), role) = match (&listener, &options.host) {
        (Some(listener), _) => {
            let (stream, _) = listener.accept().context("waiting for the client")?;
            (Meeting::new(stream).as_server(side)?, Role::Server)
        }
        (None, host) => {
            let host = host.as_deref().context("no host")?;
            let stream = reach(host, options.port, MEETING)?;
            (Meeting::new(stream).as_client(side)?, Role::Client)
        }
    };
    drop(listener);
    for remote in &remote {
        println!("  remote address: {}", address_line(remote));
    }
    // Nobody stops it but by a signal, after which the kernel cleans up.
    let score = game.play(role, &AtomicBool::new(false))?;
    report(&plan, &score);
    Ok(())
}

fn address_line(endpoint: &Endpoint) -> String {
    let Endpoint {
        lid, qpn, psn, gid, ..
    } = endpoint;
    let gid = gid.unwrap_or(Gid::new([0; 16]));
    format!("LID {lid}, QPN {qpn}, PSN {psn}, GID {gid}")
}

fn report(plan: &Plan, score: &Score) {
    let iters = plan.iters;
    let bytes = u64::from(plan.size) * u64::from(iters) * 2;
    let seconds = score.elapsed.as_secs_f64();
    let megabits = Duration::from_micros(bytes.saturating_mul(8)).as_secs_f64() / seconds;
    println!("{bytes} bytes in {seconds:.2} seconds = {megabits:.2} Mbit/sec");
    let per_iteration = seconds * 1e6 / f64::from(iters);
    println!("{iters} iters in {seconds:.2} seconds = {per_iteration:.2} usec/iter");
    if let Some(checked) = score.checked {
        let (messages, bytes) = (checked.messages, checked.bytes);
        println!("{messages} messages checked, {bytes} bytes right");
    }
    if let Some(line) = score.latencies.as_ref().and_then(times) {
        println!("{line}");
    }
}

/// The percentiles of round trips, in microseconds.
fn times(latencies: &Latencies) -> Option<String> {
    let usec = |time: Duration| format!("{:.1}", time.as_secs_f64() * 1e6);
    let at = |share| latencies.per_mille(share).map(usec);
    let (least, most) = (usec(latencies.least()?), usec(latencies.most()?));
    let (half, nine, ninetynine, rare) = (at(500)?, at(900)?, at(990)?, at(999)?);
    let count = latencies.count();
    Some(format!(
        "{count} round trips, usec: min {least}, 50% {half}, 90% {nine}, 99% {ninetynine}, 99.9% \
         {rare}, max {most}"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_options_are_understood() {
        Options::command().debug_assert();
        let options = Options::parse_from(["x", "-e", "-c", "-q", "3", "-n", "7", "host"]);
        let plan = plan(Kind::Srq, &options).unwrap();
        assert_eq!((plan.queue_pairs, plan.iters, plan.size), (3, 7, 4096));
        assert!(plan.events && plan.check && !plan.latencies);
    }

    #[test]
    fn percentiles_stand_in_one_line() {
        let mut latencies = Latencies::new();
        assert_eq!(times(&latencies), None);
        (1..=100).for_each(|n| latencies.record(Duration::from_micros(n)));
        let line = times(&latencies).unwrap();
        assert!(
            line.starts_with("100 round trips, usec: min 1.0, 50% 50."),
            "{line}"
        );
    }
}
