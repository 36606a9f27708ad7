//! Benchmarks against named peers, both sides in one run.
//!
//! `cargo xtask bench` starts this program where the device is: in the lab for RDMA, on this machine for the ring. There
//! it moves to a network namespace of its own first.

mod allocations;
mod callgrind;
mod cpus;
mod echo;
mod interleave;
mod namespace;
mod peer;
mod row;
mod running;
mod scratch;
mod spin_latency;
mod stats;
#[expect(unsafe_code, reason = "a counting allocator")]
mod sys;
mod syscalls;
mod tools;
mod verbs_allocations;
mod verbs_instructions;
mod verbs_pingpong;
mod zero_copy;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};

use crate::row::Row;
use crate::sys::counting_allocator::Counting;
use crate::tools::Tools;

#[derive(Parser)]
#[command(about = "Ratios against named peers; run by `cargo xtask bench`")]
struct Options {
    #[command(subcommand)]
    bench: Bench,
    /// Also write the rows here, as JSON
    #[arg(long, global = true, value_name = "FILE")]
    json: Option<PathBuf>,
    #[command(flatten)]
    tools: Tools,
}

#[derive(Subcommand)]
enum Bench {
    /// Time and system calls per iteration of a reliable-connected ping-pong: ours against
    /// rdma-core's
    VerbsPingpong(verbs_pingpong::Options),
    /// Instructions per request of an echo server: ours against one in C on liburing
    RingEchoInstructions,
    /// Processor time per request of an echo server: ours against the one in C, epoll, tokio, monoio and compio
    RingEchoCpu,
    /// Bytes per second of processor time, in datagrams of 65 507 bytes to a device that takes them without a copy and drops
    /// them: zero-copy against send(2)
    #[command(name = "zc-udp-64k")]
    ZcUdp64k,
    /// Throughput of 1 KiB datagrams: the automatic policy against plain sends
    ZcAutoSmall,
    /// Throughput of a stream over loopback: the automatic policy against plain sends
    ZcAutoLoopback,
    /// Median round trip over loopback: rings that spin against blocking sockets
    SpinLatency,
    /// Allocations per operation in steady state
    Allocations,
    /// Instructions of a request and its completion, on a stand-in for libibverbs: ours against C, sideway and ibverbs
    VerbsInstructions,
    /// System calls per iteration of a reliable-connected ping-pong: ours against rdma-core's
    VerbsSyscalls(verbs_pingpong::Options),
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn main() -> ExitCode {
    match run(&Options::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("benches: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(options: &Options) -> Result<()> {
    if !matches!(
        options.bench,
        Bench::VerbsPingpong(_) | Bench::VerbsSyscalls(_)
    ) {
        namespace::enter()?;
    }
    let rows = match &options.bench {
        Bench::VerbsPingpong(options) => verbs_pingpong::run(options)?,
        Bench::RingEchoInstructions => echo::instructions(&options.tools)?,
        Bench::RingEchoCpu => echo::cpu(&options.tools)?,
        Bench::ZcUdp64k => zero_copy::udp_64k()?,
        Bench::ZcAutoSmall => zero_copy::auto_small()?,
        Bench::ZcAutoLoopback => zero_copy::auto_loopback()?,
        Bench::SpinLatency => spin_latency::run()?,
        Bench::Allocations => allocations::run()?,
        Bench::VerbsInstructions => verbs_instructions::run(&options.tools)?,
        Bench::VerbsSyscalls(options) => verbs_pingpong::syscalls(options)?,
    };
    for row in &rows {
        println!("{row}");
    }
    match &options.json {
        Some(path) => Row::write_all(&rows, path),
        None => Ok(()),
    }
}
