use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use nix::errno::Errno;

use super::parse::{number, target_name, virtfn};
use crate::error::{Error, Operation};
use crate::hint::Hint;
use crate::netdev::IfName;
use crate::pci::PciAddress;
use crate::selector::{PfId, netdevsim_id};
use crate::sys::{KernelFiles, Value, within};
use crate::vf::{VfCount, VfIndex};

/// A mounted sysfs.
///
/// Nothing here but [`Tree::write_num_vfs`] and [`Tree::netdevsim_num_vfs`] touches `sriov_numvfs`:
/// on PCI even reading it waits for whoever is writing it, possibly for ever.
pub(crate) struct Tree {
    root: PathBuf,
    files: Arc<dyn KernelFiles>,
}

impl Tree {
    pub(crate) fn new(root: PathBuf, files: Arc<dyn KernelFiles>) -> Self {
        Self { root, files }
    }

    /// Fails unless there is a sysfs at the root.
    pub(crate) fn check(&self) -> Result<(), Error> {
        self.list(Operation::OpenHost, &self.root.join("bus"))
            .map(drop)
    }

    /// Every device on this host that can have VFs.
    pub(crate) fn pfs(&self) -> Result<Vec<PfId>, Error> {
        let mut pfs = Vec::new();
        for name in self.names_on("pci")? {
            if let Ok(address) = name.parse() {
                pfs.push(PfId::Pci(address));
            }
        }
        for name in self.names_on("netdevsim")? {
            pfs.extend(netdevsim_id(&name).map(PfId::Netdevsim));
        }
        let mut found = Vec::new();
        for pf in pfs {
            if self.can_have_vfs(pf)? {
                found.push(pf);
            }
        }
        found.sort();
        Ok(found)
    }

    pub(crate) fn exists(&self, pf: PfId) -> Result<bool, Error> {
        self.is_there(&self.device(pf))
    }

    pub(crate) fn can_have_vfs(&self, pf: PfId) -> Result<bool, Error> {
        self.is_there(&self.device(pf).join(match pf {
            PfId::Pci(_) => "sriov_totalvfs",
            PfId::Netdevsim(_) => "sriov_numvfs",
        }))
    }

    /// The PF of a PCI function that is a VF.
    pub(crate) fn pf_of_vf(&self, function: PciAddress) -> Result<Option<PciAddress>, Error> {
        let path = self.device(PfId::Pci(function)).join("physfn");
        self.link_name(Operation::FindPfs, &path)?
            .map(|name| parse_address(Operation::FindPfs, &path, &name))
            .transpose()
    }

    /// How many VFs the device can have; `None` where there is no such number (netdevsim).
    pub(crate) fn total_vfs(&self, pf: PfId) -> Result<Option<u16>, Error> {
        match pf {
            PfId::Pci(_) => self
                .number(Operation::ReadPf, &self.device(pf).join("sriov_totalvfs"))
                .map(Some),
            PfId::Netdevsim(_) => Ok(None),
        }
    }

    /// The functions of a PF's VFs, by ascending index; `None` where VFs have none (netdevsim).
    pub(crate) fn functions(&self, pf: PfId) -> Result<Option<Vec<(VfIndex, PciAddress)>>, Error> {
        if let PfId::Netdevsim(_) = pf {
            return Ok(None);
        }
        let device = self.device(pf);
        let mut functions = Vec::new();
        for name in self.list(Operation::ReadVfs, &device)? {
            let Some(index) = virtfn(&name) else {
                continue;
            };
            let path = device.join(&name);
            // A VF that goes while we look is no VF any more.
            if let Some(target) = self.link_name(Operation::ReadVfs, &path)? {
                let address = parse_address(Operation::ReadVfs, &path, &target)?;
                functions.push((index, address));
            }
        }
        functions.sort();
        Ok(Some(functions))
    }

    /// Whether a function is on its bus, so that drivers can be bound to it.
    pub(crate) fn is_on_bus(&self, function: PciAddress) -> Result<bool, Error> {
        self.is_there(&self.device(PfId::Pci(function)))
    }

    /// The number of VFs of a simulated device, whose attribute never makes its reader wait.
    pub(crate) fn netdevsim_num_vfs(&self, id: u32) -> Result<u16, Error> {
        let path = self.device(PfId::Netdevsim(id)).join("sriov_numvfs");
        self.number(Operation::ReadVfs, &path)
    }

    /// The driver bound to a device.
    pub(crate) fn driver(&self, device: PfId) -> Result<Option<String>, Error> {
        self.link_name(Operation::ReadPf, &self.device(device).join("driver"))
    }

    /// The names of a device's network devices, as far as they are in the network namespace this
    /// sysfs was mounted in. `None`: its driver makes none.
    pub(crate) fn netdev_names(&self, device: PfId) -> Result<Option<Vec<IfName>>, Error> {
        let path = self.device(device).join("net");
        let names = match self.files.list(&path) {
            Ok(names) => names,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(failed(Operation::ReadPf, path, error)),
        };
        Ok(Some(
            names
                .iter()
                .filter_map(|name| name.to_str()?.parse().ok())
                .collect(),
        ))
    }

    /// Bus and device a network device belongs to, if it has that number here.
    pub(crate) fn parent(&self, name: &IfName, ifindex: u32) -> Option<(String, String)> {
        let path = self.root.join("class/net").join(name.as_str());
        let index: u32 = number(&self.files.read(&path.join("ifindex")).ok()?)?;
        let device = self.files.read_link(&path.join("device")).ok()?;
        let bus = self.files.read_link(&path.join("device/subsystem")).ok()?;
        (index == ifindex).then_some((
            target_name(&bus)?.to_owned(),
            target_name(&device)?.to_owned(),
        ))
    }

    /// Writes `sriov_numvfs`, waiting for the kernel at most `patience`.
    pub(crate) fn write_num_vfs(
        &self,
        pf: PfId,
        count: VfCount,
        patience: Duration,
    ) -> Result<(), Error> {
        let path = self.device(pf).join("sriov_numvfs");
        let (files, file) = (Arc::clone(&self.files), path.clone());
        let value = Value::number(count.value());
        let result = within(patience, move || files.write(&file, &value));
        let source = match result {
            Ok(Some(Ok(()))) => return Ok(()),
            Ok(Some(Err(source))) | Err(source) => source,
            Ok(None) => {
                return Err(Error::Timeout {
                    operation: Operation::CreateVfs,
                    pf,
                    waiting_for: format!("the kernel's answer to writing {}", path.display()),
                    after: patience,
                    hint: Some(Hint::StuckWriter),
                });
            }
        };
        let hint = errno(&source).and_then(|errno| Hint::for_creation(pf, errno));
        Err(Error::Sysfs {
            operation: Operation::CreateVfs,
            path,
            source,
            hint,
        })
    }

    fn device(&self, id: PfId) -> PathBuf {
        self.root
            .join("bus")
            .join(id.bus())
            .join("devices")
            .join(id.to_string())
    }

    /// The devices on a bus; none if the kernel does not know the bus.
    fn names_on(&self, bus: &str) -> Result<Vec<String>, Error> {
        let path = self.root.join("bus").join(bus).join("devices");
        match self.files.list(&path) {
            Ok(names) => Ok(names
                .into_iter()
                .filter_map(|name| name.into_string().ok())
                .collect()),
            // The root itself must be there, or every host would look as if it had no PFs.
            Err(error)
                if error.kind() == io::ErrorKind::NotFound
                    && self.is_there(&self.root.join("bus"))? =>
            {
                Ok(Vec::new())
            }
            Err(error) => Err(failed(Operation::FindPfs, path, error)),
        }
    }

    fn is_there(&self, path: &Path) -> Result<bool, Error> {
        self.files
            .exists(path)
            .map_err(|error| failed(Operation::FindPfs, path.to_owned(), error))
    }

    fn list(&self, operation: Operation, path: &Path) -> Result<Vec<std::ffi::OsString>, Error> {
        self.files
            .list(path)
            .map_err(|error| failed(operation, path.to_owned(), error))
    }

    fn number(&self, operation: Operation, path: &Path) -> Result<u16, Error> {
        let bytes = self
            .files
            .read(path)
            .map_err(|error| failed(operation, path.to_owned(), error))?;
        number(&bytes).ok_or_else(|| {
            let value = String::from_utf8_lossy(&bytes);
            malformed(operation, path, &value, "number from 0 to 65535")
        })
    }

    /// The last component of where a link points; `None` if there is no link.
    fn link_name(&self, operation: Operation, path: &Path) -> Result<Option<String>, Error> {
        match self.files.read_link(path) {
            Ok(target) => target_name(&target)
                .map(|name| Some(name.to_owned()))
                .ok_or_else(|| {
                    malformed(
                        operation,
                        path,
                        &target.to_string_lossy(),
                        "link to a device",
                    )
                }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(failed(operation, path.to_owned(), error)),
        }
    }
}

fn parse_address(operation: Operation, path: &Path, name: &str) -> Result<PciAddress, Error> {
    name.parse()
        .map_err(|_| malformed(operation, path, name, "PCI address"))
}

fn errno(error: &io::Error) -> Option<Errno> {
    error.raw_os_error().map(Errno::from_raw)
}

fn failed(operation: Operation, path: PathBuf, source: io::Error) -> Error {
    let hint = errno(&source).and_then(Hint::for_sysfs);
    Error::Sysfs {
        operation,
        path,
        source,
        hint,
    }
}

fn malformed(operation: Operation, path: &Path, value: &str, expected: &'static str) -> Error {
    Error::Malformed {
        operation,
        object: path.display().to_string(),
        value: value.chars().take(80).collect(),
        expected,
    }
}
