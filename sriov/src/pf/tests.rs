//! The PF against a kernel of our own: its sysfs in a folder, its netlink in memory.

mod configuring;
mod creating;
mod finding;
mod looking;

use std::io;
use std::sync::mpsc;
use std::time::Duration;

use rstest::rstest;

use super::*;
use crate::config::{LinkState, VfMac, VfVlan};
use crate::error::NotAPf;
use crate::hint::Hint;
use crate::netlink::fake::{Answer, FakeKernel, FakeLink, FakeState, FakeVf};
use crate::pci::PciAddress;
use crate::selector::PfSelector;
use crate::spec::VfSpec;
use crate::sysfs::fake::FakeSysfs;
use crate::vf::{VfCount, VfIndex, VfNetdev};

const PF: &str = "0000:01:00.0";
const IFINDEX: u32 = 5;

struct Machine {
    sysfs: FakeSysfs,
    kernel: FakeKernel,
}

impl Machine {
    /// One PF on PCI with 7 VFs to be had, called eth0.
    fn new() -> Self {
        let machine = Self {
            sysfs: FakeSysfs::new(),
            kernel: FakeKernel::default(),
        };
        machine.sysfs.function(PF, Some("7\n"));
        machine.kernel.add(
            FakeLink::new(IFINDEX, "eth0")
                .parent("pci", PF)
                .mac([2, 0, 0, 0, 9, 9]),
        );
        machine
    }

    /// The same with VFs.
    fn with_vfs(count: u16) -> Self {
        let machine = Self::new();
        make_vfs(&machine.sysfs, count);
        machine.state().links[0].vfs = vec![FakeVf::default(); count.into()];
        machine
    }

    fn state(&self) -> std::sync::MutexGuard<'_, FakeState> {
        self.kernel.state()
    }

    fn host(&self) -> Host {
        let patience = Duration::from_millis(50);
        Host::assemble(self.sysfs.tree(), self.kernel.session(), patience)
    }

    fn find(&self, selector: &str) -> Result<Pf, Error> {
        self.host().pf(&selector.parse().unwrap())
    }

    fn pf(&self) -> Pf {
        self.find(PF).unwrap()
    }
}

fn function(index: u16) -> String {
    format!("0000:01:10.{index}")
}

fn make_vfs(sysfs: &FakeSysfs, count: u16) {
    for index in 0..count {
        sysfs.vf(PF, index, &function(index));
    }
}

fn count(n: u16) -> VfCount {
    VfCount::new(n).unwrap()
}

fn spec(index: u16, mac: &str, vlan: &str) -> (VfIndex, VfSpec) {
    let spec = VfSpec::new().mac(mac.parse().unwrap());
    (
        VfIndex::new(index),
        match vlan {
            "" => spec,
            "none" => spec.untagged(),
            vlan => spec.vlan(vlan.parse().unwrap()),
        },
    )
}

#[test]
fn a_pf_and_its_host_can_go_to_other_threads() {
    fn shared<T: Send + Sync + 'static>() {}
    shared::<Pf>();
    shared::<PciAddress>();
}
