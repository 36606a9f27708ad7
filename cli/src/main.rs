//! The command `netprims`.

mod exit;
mod interrupt;
mod rdma;
mod table;
mod vf;

use clap::{Parser, Subcommand};
use std::process::ExitCode;

/// RDMA devices and SR-IOV virtual functions of this machine.
#[derive(Parser)]
#[command(name = "netprims", version, after_help = exit::HELP)]
struct Arguments {
    #[command(subcommand)]
    command: Area,
}

#[derive(Subcommand)]
enum Area {
    /// RDMA devices: what there is, how fast it answers, how much it moves
    #[command(subcommand)]
    Rdma(rdma::Task),
    /// SR-IOV physical and virtual functions
    #[command(subcommand)]
    Vf(vf::Task),
}

fn main() -> ExitCode {
    let done = match Arguments::parse().command {
        Area::Rdma(task) => rdma::run(&task),
        Area::Vf(task) => vf::run(&task),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("netprims: {error:#}");
            exit::code(&error)
        }
    }
}
