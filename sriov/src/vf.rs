use std::fmt;
use std::num::NonZeroU16;
use std::str::FromStr;

use crate::config::VfConfig;
use crate::error::Error;
use crate::netdev::Netdev;
use crate::pci::PciAddress;

/// Which VF of its PF: 0 is the first. The number in `virtfnN` and in `ip link set … vf N`.
///
/// The SR-IOV capability counts VFs in 16 bits (PCI Express 6.0, 9.3.3.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct VfIndex(u16);

impl VfIndex {
    /// The VF with this number. Whether a PF has it is known only when it is asked.
    #[must_use]
    pub const fn new(index: u16) -> Self {
        Self(index)
    }

    /// The number.
    #[must_use]
    pub const fn value(self) -> u16 {
        self.0
    }
}

impl FromStr for VfIndex {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        text.parse().map(Self).map_err(|_| Error::InvalidValue {
            what: "VF index",
            value: text.to_owned(),
            rule: "a number from 0 to 65535",
        })
    }
}

impl fmt::Display for VfIndex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// How many VFs to create: at least one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct VfCount(NonZeroU16);

impl VfCount {
    /// Takes a number from 1 to 65535.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidValue`] for 0: writing that would destroy VFs, which is not creating.
    pub fn new(count: u16) -> Result<Self, Error> {
        NonZeroU16::new(count)
            .map(Self)
            .ok_or_else(|| invalid_count("0"))
    }

    /// The number.
    #[must_use]
    pub const fn value(self) -> u16 {
        self.0.get()
    }

    /// The indices of that many VFs, from the first.
    pub fn indices(self) -> impl Iterator<Item = VfIndex> {
        (0..self.value()).map(VfIndex)
    }
}

impl FromStr for VfCount {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        text.parse().map(Self).map_err(|_| invalid_count(text))
    }
}

impl fmt::Display for VfCount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

fn invalid_count(value: &str) -> Error {
    Error::InvalidValue {
        what: "number of VFs",
        value: value.to_owned(),
        rule: "a number from 1 to 65535",
    }
}

/// One VF as it was when the PF was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct VfState {
    /// Which one.
    pub index: VfIndex,
    /// Its PCI function. `None` on netdevsim, whose VFs are numbers without a device.
    pub pci: Option<PciAddress>,
    /// The driver bound to its function. `None`: no driver, or no function.
    pub driver: Option<String>,
    /// Its own network device.
    pub netdev: VfNetdev,
    /// How the PF treats it. `None`: the kernel did not report this VF, which it does while the
    /// VF resets, or the PF has no network device in this namespace to ask.
    pub config: Option<VfConfig>,
}

/// The network device a VF presents.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum VfNetdev {
    /// None: no driver, or one such as `vfio-pci` that makes no network devices.
    Absent,
    /// This one. Its [`mac`](Netdev::mac) is the address the VF uses now, which need not be the
    /// one the PF assigned.
    Here(Netdev),
    /// A network driver holds the function, but its device is not in this namespace: it was moved
    /// to another one, or the driver is still at work on it.
    ElsewhereOrProbing,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_vfs_in_16_bits_from_one() {
        assert!(VfCount::new(0).is_err());
        assert!("0".parse::<VfCount>().is_err());
        assert!("65536".parse::<VfCount>().is_err());
        assert!("-1".parse::<VfIndex>().is_err());
        let indices: Vec<_> = "3".parse::<VfCount>().unwrap().indices().collect();
        assert_eq!(indices, [VfIndex::new(0), VfIndex::new(1), VfIndex::new(2)]);
    }
}
