//! Benchmarks against named peers, both sides in one run.
//!
//! They run where the device is: `cargo xtask bench` starts this program in the lab.

mod peer;
mod row;
mod stats;
mod syscalls;
mod verbs_pingpong;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};

use crate::row::Row;

#[derive(Parser)]
#[command(about = "Ratios against named peers; run by `cargo xtask bench`")]
struct Options {
    #[command(subcommand)]
    bench: Bench,
    /// Also write the rows here, as JSON
    #[arg(long, global = true, value_name = "FILE")]
    json: Option<PathBuf>,
}

#[derive(Subcommand)]
enum Bench {
    /// Time and system calls per iteration of a reliable-connected ping-pong: ours against
    /// rdma-core's
    VerbsPingpong(verbs_pingpong::Options),
}

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
    let rows = match &options.bench {
        Bench::VerbsPingpong(options) => verbs_pingpong::run(options)?,
    };
    for row in &rows {
        println!("{row}");
    }
    match &options.json {
        Some(path) => Row::write_all(&rows, path),
        None => Ok(()),
    }
}
