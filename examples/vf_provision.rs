//! Creates VFs on a PF, gives each an address and a VLAN, and prints what the kernel says of them.
//!
//! ```text
//! vf_provision netdevsim7 --num-vfs 4 --mac 02:00:00:00:00:01 --vlan 100
//! ```
//!
//! VF i gets the address MAC + i and the VLAN first + i. The PF is brought up first: some drivers
//! hand an address to a VF only then, and one makes no VFs while it is down.
//!
//! The column "address" is what the PF assigned, "in use" what the VF's own network device, if it
//! is here, uses now. On many NICs they differ at first: the VF's driver asks for its address when it
//! probes, which happened at creation, so the assigned one is used from the next probe on (a guest
//! that is given the VF, or unbinding and binding the driver here).
//!
//! A PF that has VFs is left alone, and the program says so and fails.

use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::Parser;
use netprims_sriov::{
    Error, Host, MacAddr, Pf, PfSelector, VfCount, VfNetdev, VfSpec, Vlan, VlanId,
};

/// Create VFs on a PF, configure them, and show what the kernel says of them.
#[derive(Parser)]
struct Arguments {
    /// The PF: PCI address, network device, MAC address, or netdevsimN.
    pf: PfSelector,
    /// How many VFs to create.
    #[arg(long, value_name = "N", default_value = "4")]
    num_vfs: VfCount,
    /// The address of VF 0; the others follow. Without it addresses are left as they are.
    #[arg(long, value_name = "BASE")]
    mac: Option<MacAddr>,
    /// The VLAN of VF 0; the others follow. Without it VLANs are left as they are.
    #[arg(long, value_name = "FIRST")]
    vlan: Option<VlanId>,
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("vf_provision: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> Result<()> {
    // Whatever is wrong with the ranges is found before anything is touched.
    let vfs = arguments
        .num_vfs
        .indices()
        .map(|vf| {
            let mut spec = VfSpec::new();
            if let Some(first) = arguments.mac {
                spec = spec.mac(first.checked_add(vf.value().into())?);
            }
            if let Some(first) = arguments.vlan {
                spec = spec.vlan(Vlan::new(first.checked_add(vf.value())?));
            }
            Ok((vf, spec))
        })
        .collect::<Result<Vec<_>, Error>>()?;

    let host = Host::open()?;
    let pf = host.pf(&arguments.pf)?;
    pf.can_create_vfs(arguments.num_vfs)?;
    pf.bring_up()?;
    pf.create_vfs(arguments.num_vfs)?;
    pf.configure_vfs(&vfs)
        .context("the VFs were created and are left in place, not all configured")?;
    print(&pf)
}

fn print(pf: &Pf) -> Result<()> {
    let state = pf.snapshot()?;
    let netdev = state.netdev.map_or("none".to_owned(), |netdev| netdev.name);
    println!(
        "PF {} (network device {netdev}): {} VFs",
        state.id, state.num_vfs
    );
    println!(
        "{:>4}  {:<14} {:<10} {:<19} {:<8} {:<12} in use",
        "VF", "function", "driver", "address", "vlan", "netdev"
    );
    let mut old_address = false;
    for vf in state.vfs {
        let function = vf.pci.map_or("-".to_owned(), |pci| pci.to_string());
        let (address, vlan) = vf.config.map_or_else(
            || ("not reported".to_owned(), "not reported".to_owned()),
            |config| (config.mac.to_string(), config.vlan.to_string()),
        );
        let (netdev, in_use) = match vf.netdev {
            VfNetdev::Here(netdev) => (
                netdev.name,
                netdev.mac.map_or("-".to_owned(), |mac| mac.to_string()),
            ),
            VfNetdev::ElsewhereOrProbing => ("not here".to_owned(), "-".to_owned()),
            _ => ("-".to_owned(), "-".to_owned()),
        };
        old_address |= in_use != "-" && in_use != address;
        println!(
            "{:>4}  {function:<14} {:<10} {address:<19} {vlan:<8} {netdev:<12} {in_use}",
            vf.index.value(),
            vf.driver.as_deref().unwrap_or("-"),
        );
    }
    if old_address {
        println!("A VF uses its new address once its driver probes again.");
    }
    Ok(())
}
