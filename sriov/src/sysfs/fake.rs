//! A sysfs in a temporary folder, and a driver behind its `sriov_numvfs` that does as it is told.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use super::tree::Tree;
use crate::sys::{KernelFiles, SysfsFiles, Value};

/// What the driver does with a number of VFs written to it.
type Driver = Box<dyn FnMut(&FakeSysfs, &str) -> io::Result<()> + Send>;

/// Clones share one tree.
#[derive(Clone)]
pub(crate) struct FakeSysfs(Arc<State>);

struct State {
    folder: tempfile::TempDir,
    driver: Mutex<Option<Driver>>,
    writes: Mutex<Vec<String>>,
    reads: Mutex<Vec<PathBuf>>,
}

impl FakeSysfs {
    pub(crate) fn new() -> Self {
        let sysfs = Self(Arc::new(State {
            folder: tempfile::tempdir().unwrap(),
            driver: Mutex::default(),
            writes: Mutex::default(),
            reads: Mutex::default(),
        }));
        for folder in ["bus/pci/devices", "bus/netdevsim/devices", "class/net"] {
            fs::create_dir_all(sysfs.path(folder)).unwrap();
        }
        sysfs
    }

    pub(crate) fn tree(&self) -> Tree {
        Tree::new(self.0.folder.path().to_owned(), Arc::new(self.clone()))
    }

    pub(crate) fn path(&self, path: &str) -> PathBuf {
        self.0.folder.path().join(path)
    }

    /// A PCI function; a PF if it is given a total.
    pub(crate) fn function(&self, address: &str, total_vfs: Option<&str>) {
        let device = format!("devices/pci0000:00/{address}");
        fs::create_dir_all(self.path(&device)).unwrap();
        symlink(
            format!("../../../{device}"),
            self.path(&format!("bus/pci/devices/{address}")),
        )
        .unwrap();
        if let Some(total) = total_vfs {
            self.attribute(address, "sriov_totalvfs", total);
            self.attribute(address, "sriov_numvfs", "0\n");
        }
    }

    pub(crate) fn attribute(&self, address: &str, name: &str, value: &str) {
        let path = format!("bus/pci/devices/{address}/{name}");
        fs::write(self.path(&path), value).unwrap();
    }

    /// A VF's function, with the links between it and its PF.
    pub(crate) fn vf(&self, pf: &str, index: u16, address: &str) {
        self.function(address, None);
        self.link(pf, &format!("virtfn{index}"), address);
        self.link(address, "physfn", pf);
    }

    /// A link in a PCI function's folder.
    pub(crate) fn link(&self, address: &str, name: &str, target: &str) {
        let path = format!("bus/pci/devices/{address}/{name}");
        symlink(format!("../{target}"), self.path(&path)).unwrap();
    }

    /// The folder a network driver makes; with a name unless the device is in another namespace.
    pub(crate) fn net(&self, address: &str, name: Option<&str>) {
        let path = format!("bus/pci/devices/{address}/net");
        fs::create_dir(self.path(&path)).unwrap();
        if let Some(name) = name {
            fs::create_dir(self.path(&format!("{path}/{name}"))).unwrap();
        }
    }

    pub(crate) fn netdevsim(&self, id: u32, num_vfs: &str) {
        let device = format!("bus/netdevsim/devices/netdevsim{id}");
        fs::create_dir_all(self.path(&device)).unwrap();
        fs::write(self.path(&format!("{device}/sriov_numvfs")), num_vfs).unwrap();
    }

    /// What happens at a write, in place of the file changing.
    pub(crate) fn drive(
        &self,
        driver: impl FnMut(&FakeSysfs, &str) -> io::Result<()> + Send + 'static,
    ) {
        *self.0.driver.lock().unwrap() = Some(Box::new(driver));
    }

    /// What was written, in order.
    pub(crate) fn writes(&self) -> Vec<String> {
        self.0.writes.lock().unwrap().clone()
    }

    pub(crate) fn was_read(&self, attribute: &str) -> bool {
        let reads = self.0.reads.lock().unwrap();
        reads.iter().any(|path| path.ends_with(attribute))
    }
}

impl KernelFiles for FakeSysfs {
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        self.0.reads.lock().unwrap().push(path.to_owned());
        SysfsFiles.read(path)
    }

    fn write(&self, path: &Path, value: &Value) -> io::Result<()> {
        assert!(path.starts_with(self.0.folder.path()));
        let text = value.to_string();
        self.0.writes.lock().unwrap().push(text.clone());
        match self.0.driver.lock().unwrap().as_mut() {
            Some(driver) => driver(self, &text),
            None => SysfsFiles.write(path, value),
        }
    }

    fn read_link(&self, path: &Path) -> io::Result<PathBuf> {
        SysfsFiles.read_link(path)
    }

    fn list(&self, path: &Path) -> io::Result<Vec<OsString>> {
        SysfsFiles.list(path)
    }

    fn exists(&self, path: &Path) -> io::Result<bool> {
        SysfsFiles.exists(path)
    }
}
