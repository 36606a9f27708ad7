use crate::gate::sh;
use std::fs;
use std::path::PathBuf;

/// The guest's two igb PFs; their VFs are removed and their links set down on drop.
#[derive(Debug)]
pub struct Igb {
    pfs: Vec<IgbPf>,
}

/// One igb PF.
#[derive(Debug, Clone)]
pub struct IgbPf {
    /// Its PCI address, as sysfs writes it.
    pub pci: String,
    /// Its netdev.
    pub netdev: String,
}

impl Igb {
    pub(crate) fn find() -> Igb {
        let listed = fs::read_dir("/sys/bus/pci/drivers/igb").expect("the igb driver");
        let mut pfs: Vec<IgbPf> = listed
            .flatten()
            .filter(|entry| entry.path().join("sriov_totalvfs").exists())
            .map(|entry| {
                let netdevs = fs::read_dir(entry.path().join("net")).expect("the PF's netdev");
                let netdev = netdevs.flatten().next().expect("the PF's netdev");
                IgbPf {
                    pci: entry.file_name().to_string_lossy().into_owned(),
                    netdev: netdev.file_name().to_string_lossy().into_owned(),
                }
            })
            .collect();
        pfs.sort_by(|a, b| a.pci.cmp(&b.pci));
        assert_eq!(pfs.len(), 2, "the guest has two igb PFs");
        Igb { pfs }
    }

    /// The PFs, by PCI address.
    pub fn pfs(&self) -> &[IgbPf] {
        &self.pfs
    }
}

impl IgbPf {
    /// The PF's folder in sysfs.
    pub fn sysfs(&self) -> PathBuf {
        PathBuf::from(format!("/sys/bus/pci/devices/{}", self.pci))
    }

    /// Sets the PF's link up.
    pub fn up(&self) {
        sh(&format!("ip link set {} up", self.netdev));
    }
}

impl Drop for Igb {
    fn drop(&mut self) {
        for pf in &self.pfs {
            let _ = fs::write(pf.sysfs().join("sriov_numvfs"), "0");
            let _ = fs::write(pf.sysfs().join("sriov_drivers_autoprobe"), "1");
            let down = ["link", "set", &pf.netdev, "down"];
            let _ = std::process::Command::new("ip").args(down).output();
        }
    }
}
