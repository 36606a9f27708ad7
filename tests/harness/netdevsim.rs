use std::fs;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

static NEXT: AtomicU32 = AtomicU32::new(40);

/// A netdevsim device; it is deleted on drop, and its VFs with it.
#[derive(Debug)]
pub struct Netdevsim {
    id: u32,
}

impl Netdevsim {
    pub(crate) fn add(ports: u32) -> Netdevsim {
        let id = NEXT.fetch_add(1, Ordering::Relaxed);
        fs::write("/sys/bus/netdevsim/new_device", format!("{id} {ports}"))
            .expect("add a netdevsim device");
        Netdevsim { id }
    }

    /// The N of `netdevsimN`.
    pub fn id(&self) -> u32 {
        self.id
    }

    /// The netdev of its first port.
    pub fn netdev(&self) -> String {
        let folder = self.sysfs().join("net");
        let entries = fs::read_dir(&folder).expect("list the device's netdevs");
        let mut names: Vec<String> = entries
            .flatten()
            .map(|e| e.file_name().to_string_lossy().into_owned())
            .collect();
        names.sort();
        names.into_iter().next().expect("a netdev")
    }

    /// The device's folder in sysfs.
    pub fn sysfs(&self) -> PathBuf {
        PathBuf::from(format!("/sys/bus/netdevsim/devices/netdevsim{}", self.id))
    }

    /// Allows this many VFs (4 unless told otherwise).
    pub fn allow_vfs(&self, count: u32) {
        let path = format!("/sys/kernel/debug/netdevsim/netdevsim{}/max_vfs", self.id);
        fs::write(path, count.to_string()).expect("set max_vfs");
    }
}

impl Drop for Netdevsim {
    fn drop(&mut self) {
        let _ = fs::write("/sys/bus/netdevsim/del_device", self.id.to_string());
    }
}
