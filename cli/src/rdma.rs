//! `netprims rdma`.

use crate::table::Table;
use anyhow::Result;
use clap::Subcommand;
use netprims_rdma::{Device, PortNum};

/// What can be asked about RDMA devices.
#[derive(Subcommand)]
pub(crate) enum Task {
    /// List devices, their ports, and the addresses traffic can come from
    List,
}

pub(crate) fn run(task: &Task) -> Result<()> {
    match task {
        Task::List => list(),
    }
}

fn list() -> Result<()> {
    let mut table = Table::new(&[
        "device", "port", "state", "MTU", "GID", "type", "address", "netdev", "",
    ]);
    for device in Device::list()? {
        let context = device.open()?;
        for number in 1..=context.query_device()?.ports() {
            let port = PortNum::new(number)?;
            let info = context.query_port(port)?;
            let chosen = context
                .select_gid(port)
                .ok()
                .map(|choice| choice.entry.index);
            for entry in context.gid_table(port)? {
                let netdev = entry.netdev().unwrap_or_default();
                let mark = if chosen == Some(entry.index) {
                    "chosen by default"
                } else {
                    ""
                };
                table.row(&[
                    &device.name(),
                    &port,
                    &info.state,
                    &info.active_mtu,
                    &entry.index,
                    &entry.kind,
                    &entry.gid,
                    &netdev,
                    &mark,
                ]);
            }
        }
    }
    table.print();
    Ok(())
}
