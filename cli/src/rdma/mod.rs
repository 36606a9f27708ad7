//! `netprims rdma`.

mod bw;
mod list;
mod peer;
mod ping;
mod source;

use anyhow::Result;
use clap::Subcommand;

/// What can be done with RDMA devices.
#[derive(Subcommand)]
pub(crate) enum Task {
    /// List devices with their limits, their ports, and the addresses traffic can come from
    List(list::List),
    /// Measure how long a message and its answer take, between two machines
    #[command(subcommand)]
    Ping(ping::Ping),
    /// Measure how much can be moved, between two machines
    #[command(subcommand)]
    Bw(bw::Bw),
}

pub(crate) fn run(task: &Task) -> Result<()> {
    match task {
        Task::List(list) => list.run(),
        Task::Ping(ping) => ping.run(),
        Task::Bw(bw) => bw.run(),
    }
}
