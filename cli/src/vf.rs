//! `netprims vf`.

use crate::table::Table;
use anyhow::Result;
use clap::Subcommand;
use netprims_sriov::{Host, PfSelector, VfState};

/// What can be asked about PFs and VFs.
#[derive(Subcommand)]
pub(crate) enum Task {
    /// List the physical functions
    List,
    /// Show the virtual functions of one physical function
    Show {
        /// Its PCI address, netdev, MAC address, or netdevsimN
        pf: PfSelector,
    },
}

pub(crate) fn run(task: &Task) -> Result<()> {
    match task {
        Task::List => list(),
        Task::Show { pf } => show(pf),
    }
}

fn list() -> Result<()> {
    let mut table = Table::new(&["PF", "driver", "netdev", "VFs", "of"]);
    for pf in Host::open()?.pfs()? {
        let state = pf.snapshot()?;
        let netdev = state
            .netdev
            .as_ref()
            .map_or_else(|| "-".to_owned(), |netdev| netdev.name.to_string());
        let total = state
            .total_vfs
            .map_or_else(|| "?".to_owned(), |total| total.to_string());
        let driver = state.driver.as_deref().unwrap_or("-");
        table.row(&[&state.id, &driver, &netdev, &state.num_vfs, &total]);
    }
    table.print();
    Ok(())
}

fn show(pf: &PfSelector) -> Result<()> {
    let state = Host::open()?.pf(pf)?.snapshot()?;
    let mut table = Table::new(&[
        "VF",
        "function",
        "driver",
        "MAC",
        "VLAN",
        "spoof check",
        "trust",
        "link",
    ]);
    for vf in &state.vfs {
        row(&mut table, vf);
    }
    table.print();
    Ok(())
}

fn row(table: &mut Table, vf: &VfState) {
    let or_dash = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
    let tri = |value: Option<bool>| match value {
        Some(true) => "on",
        Some(false) => "off",
        None => "?",
    };
    let function = or_dash(vf.pci.map(|pci| pci.to_string()));
    let driver = or_dash(vf.driver.clone());
    match &vf.config {
        Some(config) => {
            let link = config
                .link_state
                .map_or_else(|| "?".to_owned(), |link| link.to_string());
            let (spoof, trust) = (tri(config.spoof_check), tri(config.trust));
            table.row(&[
                &vf.index,
                &function,
                &driver,
                &config.mac,
                &config.vlan,
                &spoof,
                &trust,
                &link,
            ]);
        }
        None => table.row(&[&vf.index, &function, &driver, &"?", &"?", &"?", &"?", &"?"]),
    }
}
