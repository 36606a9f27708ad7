use std::fmt;
use std::str::FromStr;

use crate::error::Error;
use crate::mac::MacAddr;
use crate::netdev::IfName;
use crate::pci::PciAddress;

/// Which device a PF is: its place on its bus, which does not change while it is plugged in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum PfId {
    /// A physical function on PCI.
    Pci(PciAddress),
    /// The kernel's simulated device with this number (`netdevsim`, for tests and demonstrations).
    Netdevsim(u32),
}

impl PfId {
    /// The kernel's name of the bus, as in `/sys/bus/BUS`.
    pub(crate) const fn bus(self) -> &'static str {
        match self {
            Self::Pci(_) => "pci",
            Self::Netdevsim(_) => "netdevsim",
        }
    }
}

/// Prints the kernel's name of the device, as in `/sys/bus/BUS/devices/NAME`.
impl fmt::Display for PfId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pci(address) => address.fmt(f),
            Self::Netdevsim(id) => write!(f, "netdevsim{id}"),
        }
    }
}

/// How a person or a configuration names a PF.
///
/// Parses, in this order, from a PCI address (`0000:3b:00.0` or `3b:00.0`), a MAC address, the name
/// of a simulated device (`netdevsim7`), and else the name of a network device. A network device
/// that is really called `netdevsim7` is selected by building [`PfSelector::Netdev`].
///
/// # Examples
///
/// ```
/// use netprims_sriov::PfSelector;
///
/// assert!(matches!("0000:3b:00.0".parse()?, PfSelector::Pci(_)));
/// assert!(matches!("ens1f0".parse()?, PfSelector::Netdev(_)));
/// assert!(matches!("netdevsim7".parse()?, PfSelector::Netdevsim(7)));
/// # Ok::<(), netprims_sriov::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum PfSelector {
    /// The PCI function at this address.
    Pci(PciAddress),
    /// The PF behind the network device of this name or alternative name.
    Netdev(IfName),
    /// The PF whose network device has this permanent address or, where none has, this current
    /// one.
    Mac(MacAddr),
    /// The simulated device of this number.
    Netdevsim(u32),
}

impl From<PfId> for PfSelector {
    fn from(id: PfId) -> Self {
        match id {
            PfId::Pci(address) => Self::Pci(address),
            PfId::Netdevsim(id) => Self::Netdevsim(id),
        }
    }
}

impl FromStr for PfSelector {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        // No name of a network device contains a colon, so what does was meant as an address.
        match text.matches(':').count() {
            0 => match netdevsim_id(text) {
                Some(id) => Ok(Self::Netdevsim(id)),
                None => text
                    .parse()
                    .map(Self::Mac)
                    .or_else(|_| text.parse().map(Self::Netdev)),
            },
            5 => text.parse().map(Self::Mac),
            _ => text.parse().map(Self::Pci),
        }
    }
}

impl fmt::Display for PfSelector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pci(address) => address.fmt(f),
            Self::Netdev(name) => name.fmt(f),
            Self::Mac(mac) => mac.fmt(f),
            Self::Netdevsim(id) => write!(f, "netdevsim{id}"),
        }
    }
}

/// The number in `netdevsimN`, as the kernel prints it: no sign, no leading zero.
pub(crate) fn netdevsim_id(name: &str) -> Option<u32> {
    let digits = name.strip_prefix("netdevsim")?;
    let id: u32 = digits.parse().ok()?;
    (id.to_string() == digits).then_some(id)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("0000:3b:00.0")]
    #[case("02:00:00:00:00:01")]
    #[case("netdevsim0")]
    #[case("netdevsim4294967295")]
    #[case("netdevsim")]
    #[case("netdevsim01")]
    #[case("netdevsim4294967296")]
    #[case("eth0")]
    fn prints_what_it_parses(#[case] text: &str) {
        assert_eq!(text.parse::<PfSelector>().unwrap().to_string(), text);
    }

    #[rstest]
    #[case("netdevsim01")]
    #[case("netdevsim+1")]
    #[case("netdevsim4294967296")]
    fn takes_an_odd_number_for_a_network_device(#[case] text: &str) {
        assert!(matches!(
            text.parse::<PfSelector>().unwrap(),
            PfSelector::Netdev(_)
        ));
    }

    #[rstest]
    #[case("0000:3b:00.9", "PCI address")]
    #[case("3b:00", "PCI address")]
    #[case("01:00:5e:00:00:01", "MAC address")]
    #[case("", "network device name")]
    fn says_what_it_took_a_wrong_selector_for(#[case] text: &str, #[case] taken_for: &str) {
        match text.parse::<PfSelector>() {
            Err(Error::InvalidValue { what, .. }) => assert_eq!(what, taken_for),
            other => panic!("{other:?}"),
        }
    }
}
