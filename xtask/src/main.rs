//! `cargo xtask`: the lab, the demo, the tests and the benchmarks.

mod apt;
mod bench;
mod cache;
mod checks;
mod count;
mod demo;
mod features;
mod guests;
mod headers;
mod host;
mod host_tests;
mod interrupt;
mod kernel;
mod lab;
mod ledger;
mod libraries;
mod linking;
mod msrv;
mod outside;
mod run;
mod selftest;
mod skips;
mod suite;
mod test;
mod ui;
mod unsafety;
mod verbs;
mod vm;

use anyhow::{Context, Result};
use clap::{Parser, Subcommand};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

#[derive(Parser)]
#[command(
    name = "cargo xtask",
    about = "The lab, the demo, the tests and the benchmarks"
)]
struct Arguments {
    #[command(subcommand)]
    command: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Set everything up and do the main job in the lab: RoCE traffic, VFs, zero-copy sends
    Demo,
    /// What `check` does, host tests, and the lab's tests on 6.12 and 7.2
    Test {
        /// All kernels, at full volume; resumes where an earlier run at this commit stopped
        #[arg(long)]
        full: bool,
        /// Only these kernels
        #[arg(long)]
        kernel: Vec<String>,
        /// Only lab tests whose name contains this
        filter: Option<String>,
    },
    /// The part of `test` that runs nothing: formatting, lints, documentation, the oldest compiler
    Check,
    /// Measure against named peers
    Bench {
        /// Which benchmarks; all of them if none is named
        names: Vec<String>,
        /// Also write the rows here
        #[arg(long)]
        json: Option<PathBuf>,
    },
    /// Boot kernels that have RDMA, SR-IOV and zero-copy devices, and run things there
    #[command(subcommand)]
    Lab(LabTask),
}

#[derive(Subcommand)]
enum LabTask {
    /// Run one command as root in a guest
    Run {
        /// The kernel to boot
        #[arg(long, default_value = "6.12")]
        kernel: String,
        /// Seconds the command may take
        #[arg(long, default_value_t = 600)]
        deadline: u64,
        /// The command and its arguments
        #[arg(last = true, required = true)]
        command: Vec<String>,
    },
    /// Open a root shell in a guest
    Shell {
        /// The kernel to boot
        #[arg(long, default_value = "6.12")]
        kernel: String,
    },
    /// Say what is cached, which kernels there are, and which accelerator is used
    List,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let result = interrupt::listen().and_then(|()| perform(arguments.command));
    match result {
        Err(_) if interrupt::seen() => {
            eprintln!(
                "error: interrupted; the cache is as it was, and a next run goes on from there"
            );
            ExitCode::from(130)
        }
        Ok(code) => ExitCode::from(u8::try_from(code).unwrap_or(1)),
        Err(error) => {
            let line = format!("{error:#}").replace('\n', " ");
            eprintln!("error: {line}");
            ExitCode::FAILURE
        }
    }
}

fn perform(task: Task) -> Result<i32> {
    let checkout = checkout()?;
    match task {
        Task::Demo => demo::run(&checkout),
        Task::Check => checks::run(&checkout).map(|()| 0),
        Task::Test {
            full,
            kernel,
            filter,
        } => test::run(&checkout, full, filter.as_deref(), &kernel),
        Task::Bench { names, json } => bench::run(&checkout, &names, json.as_deref()),
        Task::Lab(LabTask::Run {
            kernel,
            deadline,
            command,
        }) => lab::run(&checkout, &kernel, &command, Duration::from_secs(deadline)),
        Task::Lab(LabTask::Shell { kernel }) => lab::shell(&checkout, &kernel),
        Task::Lab(LabTask::List) => lab::list(&checkout).map(|()| 0),
    }
}

/// The checkout this program was built from.
fn checkout() -> Result<PathBuf> {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    manifest
        .parent()
        .map(Path::to_path_buf)
        .context("xtask is not inside a checkout")
}
