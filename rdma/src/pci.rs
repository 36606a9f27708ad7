//! Where in the machine a device is.

use std::fmt;
use std::fs;
use std::path::Path;
use std::str::FromStr;

use crate::device::Device;
use crate::error::Error;

/// The address of a device on the PCI bus.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub struct PciAddress {
    /// The domain, 0 on most machines.
    pub domain: u32,
    /// The bus.
    pub bus: u8,
    /// The device on the bus: 0 to 31.
    pub device: u8,
    /// The device's function: 0 to 7.
    pub function: u8,
}

impl fmt::Display for PciAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let PciAddress {
            domain,
            bus,
            device,
            function,
        } = self;
        write!(f, "{domain:04x}:{bus:02x}:{device:02x}.{function:x}")
    }
}

impl FromStr for PciAddress {
    type Err = Error;

    /// From the form that the kernel uses, such as `0000:3b:00.0`.
    fn from_str(text: &str) -> Result<Self, Error> {
        parse(text).ok_or_else(|| Error::Malformed {
            what: "PCI address",
            text: text.to_owned(),
        })
    }
}

fn parse(text: &str) -> Option<PciAddress> {
    let (domain, rest) = text.split_once(':')?;
    let (bus, rest) = rest.split_once(':')?;
    let (device, function) = rest.split_once('.')?;
    if domain.len() < 4 || bus.len() != 2 || device.len() != 2 || function.len() != 1 {
        return None;
    }
    if !text
        .chars()
        .all(|c| c.is_ascii_hexdigit() || ":.".contains(c))
    {
        return None;
    }
    let small = |text, most| u8::from_str_radix(text, 16).ok().filter(|n| *n <= most);
    Some(PciAddress {
        domain: u32::from_str_radix(domain, 16).ok()?,
        bus: small(bus, u8::MAX)?,
        device: small(device, 31)?,
        function: small(function, 7)?,
    })
}

impl Device {
    /// Where on the PCI bus it is; `None` for one that is not there, as a Soft-RoCE device, or where sysfs
    /// does not say.
    #[must_use]
    pub fn pci_address(&self) -> Option<PciAddress> {
        pci_address(&self.sysfs())
    }

    /// The NUMA node it is closest to: memory and threads there reach it fastest. `None` where there is
    /// only one, or the kernel does not say.
    #[must_use]
    pub fn numa_node(&self) -> Option<u32> {
        numa_node(&self.sysfs())
    }
}

/// Of the device that is behind a folder of `/sys/class/infiniband`.
fn pci_address(folder: &Path) -> Option<PciAddress> {
    let target = fs::read_link(folder.join("device")).ok()?;
    parse(target.file_name()?.to_str()?)
}

/// As above; the kernel says -1 for none.
fn numa_node(folder: &Path) -> Option<u32> {
    let text = fs::read_to_string(folder.join("device/numa_node")).ok()?;
    text.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;
    use std::os::unix::fs::symlink;
    use std::path::PathBuf;

    #[rstest]
    #[case("0000:3b:00.1", true)]
    #[case("10000:e1:1f.7", true)]
    #[case("0000:3b:20.0", false)]
    #[case("0000:3b:00.8", false)]
    #[case("3b:00.0", false)]
    #[case("0000:3b:00", false)]
    #[case("+000:3b:00.0", false)]
    #[case("vmbus_0_11", false)]
    fn addresses_are_read_as_the_kernel_writes_them(#[case] text: &str, #[case] is_one: bool) {
        let address = text.parse::<PciAddress>();
        assert_eq!(address.is_ok(), is_one);
        if let Ok(address) = address {
            assert_eq!(address.to_string(), text);
        }
    }

    /// A folder like that of a device, on a bus.
    fn folder(name: &str, device: &str, node: &str) -> PathBuf {
        let root =
            std::env::temp_dir().join(format!("netprims-rdma-{}-{name}", std::process::id()));
        fs::create_dir_all(root.join(device)).unwrap();
        fs::write(root.join(device).join("numa_node"), node).unwrap();
        symlink(root.join(device), root.join("device")).unwrap();
        root
    }

    #[test]
    fn a_device_on_the_bus_is_found_with_its_node() {
        let root = folder("node", "0000:3b:00.1", "1\n");
        assert_eq!(pci_address(&root).unwrap().to_string(), "0000:3b:00.1");
        assert_eq!(numa_node(&root), Some(1));
        fs::remove_dir_all(root).unwrap();
    }

    #[test]
    fn one_elsewhere_or_without_a_node_says_so() {
        let root = folder("none", "vmbus_0_11", "-1\n");
        assert_eq!(pci_address(&root), None);
        assert_eq!(numa_node(&root), None);
        assert_eq!(pci_address(Path::new("/nonesuch")), None);
        assert_eq!(numa_node(Path::new("/nonesuch")), None);
        fs::remove_dir_all(root).unwrap();
    }
}
