use std::thread;
use std::time::{Duration, Instant};

use super::Pf;
use crate::error::{Error, Operation};
use crate::hint::Hint;
use crate::selector::PfId;
use crate::vf::VfCount;

/// How long the functions of new VFs may take to appear on their bus. The kernel adds them before
/// it answers the write; this allows for a driver that does not wait.
const SETTLE: Duration = Duration::from_secs(5);

impl Pf {
    /// Creates the PF's VFs, 0 to `count` - 1, and returns when their functions are there.
    ///
    /// Drivers of VFs are bound by the kernel as far as `sriov_drivers_autoprobe` says so, which is
    /// the default, and may still be at work when this returns. On many devices (igb, ixgbe) the PF
    /// resets and its link goes down and up.
    ///
    /// Never destroys a VF. If another process creates VFs at the same moment, one of the two fails
    /// with EBUSY, unless both ask for the same number: the kernel takes the second request for
    /// satisfied, and both succeed.
    ///
    /// Needs root: sysfs goes by the file's owner, not by capabilities.
    ///
    /// # Errors
    ///
    /// - [`Error::TooManyVfs`] if the device cannot have so many; nothing was written.
    /// - [`Error::VfsExist`] if it has VFs, even as many as asked for; nothing was written.
    /// - [`Error::Sysfs`] if the kernel refuses. Beyond `write(2)`: EACCES not root; EROFS sysfs
    ///   read-only; ENOENT no driver bound that supports SR-IOV; EBUSY VFs appeared meanwhile, or a
    ///   reset; ENOMEM no address space or bus numbers, or above netdevsim's `max_vfs`; ENOSPC no
    ///   interrupt vectors; EPERM above the driver's limit; EINVAL, EOPNOTSUPP the driver refuses.
    ///   [`Error::hint`] says what to do.
    /// - [`Error::VfsMissing`] if the kernel reports success and there are fewer or none.
    /// - [`Error::Timeout`] if the kernel does not answer within
    ///   [`HostBuilder::patience`](crate::HostBuilder::patience).
    #[doc(alias = "sriov_numvfs")]
    #[doc(alias = "pci_enable_sriov")]
    pub fn create_vfs(&self, count: VfCount) -> Result<(), Error> {
        self.can_create_vfs(count)?;
        self.host
            .tree()
            .write_num_vfs(self.id, count, self.host.patience())?;
        self.wait_for_functions(count)
    }

    /// Whether [`Pf::create_vfs`] would try: the same checks, and nothing is written.
    ///
    /// For a caller that prepares something before, such as [`Pf::bring_up`]. Needs no privilege.
    ///
    /// # Errors
    ///
    /// [`Error::TooManyVfs`] and [`Error::VfsExist`] as there, [`Error::Sysfs`] if the device cannot
    /// be read.
    pub fn can_create_vfs(&self, count: VfCount) -> Result<(), Error> {
        match self.host.tree().total_vfs(self.id)? {
            Some(total) if count.value() > total => {
                return Err(Error::TooManyVfs {
                    pf: self.id,
                    wanted: count,
                    total,
                });
            }
            _ => {}
        }
        match self.existing_vfs()? {
            0 => Ok(()),
            existing => Err(Error::VfsExist {
                pf: self.id,
                wanted: count,
                existing,
            }),
        }
    }

    /// How many VFs there are by any sign of them.
    ///
    /// While VFs are destroyed their links go first, and the kernel's own number last: it may wait
    /// in between, for ever, for whoever holds one of them.
    fn existing_vfs(&self) -> Result<u16, Error> {
        let linked = match (self.id, self.host.tree().functions(self.id)?) {
            (PfId::Netdevsim(id), _) => self.host.tree().netdevsim_num_vfs(id)?,
            (PfId::Pci(_), linked) => {
                u16::try_from(linked.unwrap_or_default().len()).unwrap_or(u16::MAX)
            }
        };
        let links = self.host.links(Operation::CreateVfs)?;
        let reported = match links.of_pf(self.id) {
            Some(netdev) => self.vf_list(Operation::CreateVfs, netdev.ifindex)?.count,
            None => 0,
        };
        Ok(linked.max(reported))
    }

    /// How many VFs are ready for use: on PCI, those whose function is on its bus.
    fn usable_vfs(&self) -> Result<u16, Error> {
        let tree = self.host.tree();
        match self.id {
            PfId::Netdevsim(id) => tree.netdevsim_num_vfs(id),
            PfId::Pci(_) => {
                let mut usable: u16 = 0;
                for (_, function) in tree.functions(self.id)?.unwrap_or_default() {
                    usable = usable.saturating_add(tree.is_on_bus(function)?.into());
                }
                Ok(usable)
            }
        }
    }

    fn wait_for_functions(&self, count: VfCount) -> Result<(), Error> {
        let limit = SETTLE.min(self.host.patience());
        let start = Instant::now();
        let mut pause = Duration::from_millis(1);
        loop {
            let usable = self.usable_vfs()?;
            if usable == count.value() {
                return Ok(());
            }
            if start.elapsed() >= limit {
                return Err(Error::VfsMissing {
                    pf: self.id,
                    wanted: count,
                    created: usable,
                    hint: (usable == 0).then_some(Hint::PfDown),
                });
            }
            thread::sleep(pause);
            pause = (pause * 2).min(Duration::from_millis(100));
        }
    }
}
