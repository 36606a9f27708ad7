//! `cargo xtask`: the lab, the demo, the tests and the benchmarks.

mod apt;
mod cache;
mod host;
mod kernel;
mod lab;
mod run;
mod ui;
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
    match perform(arguments.command) {
        Ok(code) => ExitCode::from(u8::try_from(code).unwrap_or(1)),
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn perform(task: Task) -> Result<i32> {
    let checkout = checkout()?;
    match task {
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
