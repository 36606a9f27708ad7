use std::fmt;

use crate::mac::{MacAddr, format_octets};
use crate::vlan::Vlan;

/// How a PF treats one VF, as its driver reports it (`IFLA_VF_*` in `linux/if_link.h`).
///
/// Where a field is an `Option`, `None` means that the driver does not say, which is neither on nor
/// off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct VfConfig {
    /// The address the PF gives the VF.
    ///
    /// Some drivers (igb) show here the address the VF gave itself, so an address is no proof that
    /// one was assigned.
    #[doc(alias = "IFLA_VF_MAC")]
    pub mac: VfMac,
    /// The VLAN the PF puts the VF in.
    #[doc(alias = "IFLA_VF_VLAN_LIST")]
    pub vlan: VfVlan,
    /// Whether the VF may send only from its own address.
    #[doc(alias = "IFLA_VF_SPOOFCHK")]
    pub spoof_check: Option<bool>,
    /// Whether the VF may do what needs trust, such as going promiscuous.
    #[doc(alias = "IFLA_VF_TRUST")]
    pub trust: Option<bool>,
    /// Whether the VF may read the RSS table and key.
    #[doc(alias = "IFLA_VF_RSS_QUERY_EN")]
    pub rss_query: Option<bool>,
    /// What the VF sees as the state of its link.
    #[doc(alias = "IFLA_VF_LINK_STATE")]
    pub link_state: Option<LinkState>,
}

/// A VF's address as the kernel reports it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum VfMac {
    /// All zero: none assigned.
    Unset,
    /// This one.
    Set(MacAddr),
    /// Six octets that no function can have as its address.
    Unknown([u8; 6]),
    /// The PF is not an Ethernet device.
    NotEthernet,
}

impl fmt::Display for VfMac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unset => f.pad("none"),
            Self::Set(mac) => f.pad(&mac.to_string()),
            Self::Unknown(octets) => f.pad(&format_octets(*octets)),
            Self::NotEthernet => f.pad("not Ethernet"),
        }
    }
}

/// A VF's VLAN as the kernel reports it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum VfVlan {
    /// None: the VF's frames pass as they are.
    Untagged,
    /// This one.
    Tagged(Vlan),
    /// Numbers that make no VLAN, such as the reserved id 4095, which some drivers accept.
    Unknown {
        /// The VLAN id as reported.
        id: u32,
        /// The priority as reported.
        qos: u32,
        /// The protocol as reported, in host byte order.
        proto: u16,
    },
}

impl fmt::Display for VfVlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Untagged => f.pad("none"),
            Self::Tagged(vlan) => f.pad(&vlan.to_string()),
            Self::Unknown { id, qos, proto } => f.pad(&format!("{id}:{qos}:{proto:#06x}")),
        }
    }
}

/// What a VF sees as the state of its link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum LinkState {
    /// The state of the PF's link.
    #[doc(alias = "IFLA_VF_LINK_STATE_AUTO")]
    Auto,
    /// Always up: VFs reach each other even while the PF's link is down.
    #[doc(alias = "IFLA_VF_LINK_STATE_ENABLE")]
    Up,
    /// Always down.
    #[doc(alias = "IFLA_VF_LINK_STATE_DISABLE")]
    Down,
    /// A state this crate does not know.
    Unknown(u32),
}

impl LinkState {
    pub(crate) const fn from_raw(raw: u32) -> Self {
        match raw {
            0 => Self::Auto,
            1 => Self::Up,
            2 => Self::Down,
            raw => Self::Unknown(raw),
        }
    }
}

impl fmt::Display for LinkState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => f.pad("auto"),
            Self::Up => f.pad("up"),
            Self::Down => f.pad("down"),
            Self::Unknown(raw) => f.pad(&format!("unknown ({raw})")),
        }
    }
}
