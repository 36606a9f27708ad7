use super::{Pf, PfState};
use crate::error::{Error, Operation};
use crate::netlink::{Links, VfList, read_vfs};
use crate::pci::PciAddress;
use crate::selector::PfId;
use crate::vf::{VfIndex, VfNetdev, VfState};

impl Pf {
    /// Looks at the PF and all its VFs.
    ///
    /// Never waits for whoever is creating or destroying VFs, as reading `sriov_numvfs` would:
    /// VFs are counted by their links in sysfs, or by what the PF's network device says. While
    /// somebody changes the PF the result may show a moment in between.
    ///
    /// Needs no privilege.
    ///
    /// # Errors
    ///
    /// - [`Error::Sysfs`] if the device went away or sysfs cannot be read.
    /// - [`Error::Netlink`], [`Error::Socket`] or [`Error::Answer`] if the kernel's list cannot be
    ///   had.
    #[doc(alias = "IFLA_VFINFO_LIST")]
    pub fn snapshot(&self) -> Result<PfState, Error> {
        let tree = self.host.tree();
        let links = self.host.links(Operation::ReadPf)?;
        let netdev = links.of_pf(self.id).cloned();
        let reported = match &netdev {
            Some(netdev) => Some(self.vf_list(Operation::ReadVfs, netdev.ifindex)?),
            None => None,
        };
        let functions: Vec<(VfIndex, Option<PciAddress>)> = match tree.functions(self.id)? {
            Some(functions) => functions
                .into_iter()
                .map(|(index, function)| (index, Some(function)))
                .collect(),
            None => (0..self.functionless_vfs(reported.as_ref())?)
                .map(|index| (VfIndex::new(index), None))
                .collect(),
        };
        let vfs = functions
            .into_iter()
            .map(|(index, pci)| {
                Ok(VfState {
                    index,
                    pci,
                    driver: match pci {
                        Some(function) => tree.driver(PfId::Pci(function))?,
                        None => None,
                    },
                    netdev: self.vf_netdev(&links, pci)?,
                    config: reported
                        .as_ref()
                        .and_then(|reported| reported.config(index).copied()),
                })
            })
            .collect::<Result<Vec<_>, Error>>()?;
        let listed = u16::try_from(vfs.len()).unwrap_or(u16::MAX);
        Ok(PfState {
            id: self.id,
            driver: tree.driver(self.id)?,
            netdev,
            total_vfs: tree.total_vfs(self.id)?,
            num_vfs: reported.map_or(listed, |reported| reported.count.max(listed)),
            vfs,
        })
    }

    /// The kernel's list of VFs.
    pub(super) fn vf_list(
        &self,
        operation: Operation,
        ifindex: std::num::NonZeroU32,
    ) -> Result<VfList, Error> {
        self.host.ask(operation, Some(self.id), |session| {
            read_vfs(session, ifindex)
        })
    }

    /// How many VFs the PF has that are no PCI functions.
    fn functionless_vfs(&self, reported: Option<&VfList>) -> Result<u16, Error> {
        match (self.id, reported) {
            (_, Some(reported)) => Ok(reported.count),
            (PfId::Netdevsim(id), None) => self.host.tree().netdevsim_num_vfs(id),
            (PfId::Pci(_), None) => Ok(0),
        }
    }

    fn vf_netdev(&self, links: &Links, function: Option<PciAddress>) -> Result<VfNetdev, Error> {
        let Some(function) = function else {
            return Ok(VfNetdev::Absent);
        };
        if let Some(netdev) = links.of_function(function) {
            return Ok(VfNetdev::Here(netdev.clone()));
        }
        // The folder exists, empty, as long as a network driver is bound.
        let names = self.host.tree().netdev_names(PfId::Pci(function))?;
        Ok(names.map_or(VfNetdev::Absent, |_| VfNetdev::ElsewhereOrProbing))
    }
}
