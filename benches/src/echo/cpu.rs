//! Processor time per request: ours against C on liburing, and against what else a Rust program would use.

use anyhow::{Context as _, Result};

use super::server::Server;
use crate::cpus::{self, HERE};
use crate::interleave::rounds;
use crate::row::Row;
use crate::stats::median;
use crate::tools::Tools;

/// The most that ours may use, as a multiple of the peer's.
const RAW_GOAL: f64 = 1.05;
const BEST_GOAL: f64 = 1.00;

const RAW: &str = "liburing";
const OTHERS: [&str; 4] = ["epoll", "tokio", "monoio", "compio"];

const ROUNDS: u32 = 61;
const REQUESTS: u32 = 3_000;

pub(crate) fn run(tools: &Tools) -> Result<Vec<Row>> {
    let cpus = cpus::Pair::choose()?;
    cpus::pin(HERE, cpus.near)?;
    let names: Vec<&str> = ["ours", RAW].into_iter().chain(OTHERS).collect();
    let mut servers = Vec::new();
    for name in &names {
        let program = match *name {
            "ours" => Tools::our_echo()?,
            name => tools.echo(name)?,
        };
        let mut server = Server::start(&[program], cpus.far).with_context(|| (*name).to_owned())?;
        // The first requests make tables grow and caches warm.
        server.serve(REQUESTS).with_context(|| (*name).to_owned())?;
        servers.push(server);
    }
    let times = rounds(ROUNDS, names.len(), |side| {
        let server = servers.get_mut(side).context("no such server")?;
        let before = server.cpu_time()?;
        server.serve(REQUESTS)?;
        let used = server.cpu_time()? - before;
        Ok(used.as_secs_f64() * 1e6 / f64::from(REQUESTS))
    })?;
    for server in servers {
        server.finish()?;
    }
    for (name, times) in names.iter().zip(&times) {
        println!(
            "ring-echo-cpu: {name} {:.2} usec per request",
            median(times)
        );
    }
    let [ours, raw, others @ ..] = &times[..] else {
        anyhow::bail!("no times");
    };
    let (best_name, best) = OTHERS
        .iter()
        .zip(others)
        .min_by(|(_, a), (_, b)| median(a).total_cmp(&median(b)))
        .context("no peers")?;
    Ok(vec![
        Row::at_most("ring-echo-cpu/raw", ours, (RAW, raw), RAW_GOAL),
        Row::at_most(
            "ring-echo-cpu/best-of-others",
            ours,
            (best_name, best),
            BEST_GOAL,
        ),
    ])
}
