use std::fmt;

use crate::config::{VfConfig, VfMac, VfVlan};
use crate::mac::MacAddr;
use crate::vlan::Vlan;

/// What a VF shall be. What is not said is left as it is.
///
/// A plain value: nothing happens until [`Pf::configure_vfs`](crate::Pf::configure_vfs).
///
/// # Examples
///
/// ```
/// use netprims_sriov::VfSpec;
///
/// let spec = VfSpec::new()
///     .mac("02:00:00:00:00:01".parse()?)
///     .vlan("100:3".parse()?);
/// # Ok::<(), netprims_sriov::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct VfSpec {
    mac: Option<MacAddr>,
    vlan: Option<Option<Vlan>>,
}

impl VfSpec {
    /// Leaves everything as it is.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            mac: None,
            vlan: None,
        }
    }

    /// Assigns the VF an address.
    ///
    /// Most drivers hand it to the VF when the VF's driver probes, not before: a VF that already
    /// has a network device keeps using its old address until its driver is bound again. igb and
    /// ixgbe hand it over only while the PF is up ([`Pf::bring_up`](crate::Pf::bring_up)). From then
    /// on the VF's side can no longer change it.
    #[must_use]
    pub const fn mac(mut self, mac: MacAddr) -> Self {
        self.mac = Some(mac);
        self
    }

    /// Puts the VF into a VLAN.
    #[must_use]
    pub const fn vlan(mut self, vlan: Vlan) -> Self {
        self.vlan = Some(Some(vlan));
        self
    }

    /// Takes the VF out of any VLAN.
    #[must_use]
    pub const fn untagged(mut self) -> Self {
        self.vlan = Some(None);
        self
    }

    /// The attributes to set, in the order in which to set them.
    pub(crate) fn attributes(&self) -> impl Iterator<Item = VfAttribute> + use<> {
        [
            self.mac.map(VfAttribute::Mac),
            self.vlan.map(VfAttribute::Vlan),
        ]
        .into_iter()
        .flatten()
    }
}

/// One attribute of a VF with the value it shall have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum VfAttribute {
    /// The VF's address.
    #[doc(alias = "IFLA_VF_MAC")]
    Mac(MacAddr),
    /// The VF's VLAN, or none.
    #[doc(alias = "IFLA_VF_VLAN")]
    #[doc(alias = "IFLA_VF_VLAN_LIST")]
    Vlan(Option<Vlan>),
}

impl VfAttribute {
    /// Whether the kernel reports the value that was wanted.
    pub(crate) fn is_in(self, config: &VfConfig) -> bool {
        match self {
            Self::Mac(mac) => config.mac == VfMac::Set(mac),
            Self::Vlan(None) => config.vlan == VfVlan::Untagged,
            Self::Vlan(Some(vlan)) => config.vlan == VfVlan::Tagged(vlan),
        }
    }

    /// The same attribute as the kernel reports it, for a person.
    pub(crate) fn reported(self, config: &VfConfig) -> String {
        match self {
            Self::Mac(_) => format!("MAC {}", config.mac),
            Self::Vlan(_) => format!("VLAN {}", config.vlan),
        }
    }
}

impl fmt::Display for VfAttribute {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Mac(mac) => write!(f, "MAC {mac}"),
            Self::Vlan(Some(vlan)) => write!(f, "VLAN {vlan}"),
            Self::Vlan(None) => f.write_str("VLAN none"),
        }
    }
}
