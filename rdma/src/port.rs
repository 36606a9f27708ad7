//! Ports of a device.

use std::fmt;
use std::str::FromStr;

use crate::error::{Error, Result};
use crate::link::{LinkSpeed, LinkWidth, PhysState, PortCaps};
use crate::sys::{PortAttr, QPF_GRH_REQUIRED};

/// The number of a port, from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PortNum(u8);

impl PortNum {
    /// Port 1, which every device has.
    pub const FIRST: PortNum = PortNum(1);

    /// # Errors
    ///
    /// [`Error::OutOfRange`] for 0.
    pub const fn new(number: u8) -> Result<Self> {
        match number {
            0 => Err(Error::OutOfRange {
                what: "port",
                value: 0,
                rule: "1 to 255",
            }),
            _ => Ok(PortNum(number)),
        }
    }

    /// The number.
    #[must_use]
    pub const fn number(self) -> u8 {
        self.0
    }
}

impl fmt::Display for PortNum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for PortNum {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let malformed = || Error::Malformed {
            what: "port number",
            text: text.to_owned(),
        };
        PortNum::new(text.parse().map_err(|_| malformed())?)
    }
}

/// The address of a port in an InfiniBand subnet; 0 on Ethernet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Lid(pub u16);

impl fmt::Display for Lid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "0x{:04x}", self.0)
    }
}

/// What a port says about itself.
#[doc(alias = "ibv_port_attr")]
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct PortInfo {
    /// Whether it can carry traffic.
    pub state: PortState,
    /// What its hardware is at.
    pub phys_state: PhysState,
    /// The largest packet payload that the hardware supports.
    pub max_mtu: Mtu,
    /// The largest packet payload that the link carries now: the most a path may use.
    pub active_mtu: Mtu,
    /// How many lanes the link has now.
    pub width: LinkWidth,
    /// The speed of each lane now.
    pub speed: LinkSpeed,
    /// How many lines the GID table has, filled or not.
    pub gid_table_len: u32,
    /// How many lines the table of partition keys has, filled or not.
    pub pkey_table_len: u16,
    /// The largest message, in bytes.
    pub max_message: u32,
    /// The port's LID.
    pub lid: Lid,
    /// How many of the low bits of a LID the port ignores: it answers to 2 to that power of them.
    pub lid_mask_bits: u8,
    /// The LID of the subnet manager.
    pub subnet_manager: Lid,
    /// The service level at which to talk to the subnet manager.
    pub subnet_manager_level: u8,
    /// How many virtual lanes it may have, coded: 1 for 1, 2 for 2, 3 for 4, 4 for 8, 5 for 15.
    pub max_virtual_lanes: u8,
    /// How long the subnet may take to bring a packet: 4.096 µs times 2 to this power.
    pub subnet_timeout: u8,
    /// Packets refused for their partition key.
    pub bad_pkeys: u32,
    /// Packets refused for their Q_Key.
    pub bad_qkeys: u32,
    /// What the port can do.
    pub capabilities: PortCaps,
    /// Whether every path of it needs a GID, also on InfiniBand.
    pub needs_gid: bool,
    /// What is below.
    pub link_layer: LinkLayer,
}

impl PortInfo {
    pub(crate) fn new(raw: PortAttr) -> Self {
        PortInfo {
            state: PortState::from_raw(raw.state),
            phys_state: PhysState::from_raw(u32::from(raw.phys_state)),
            max_mtu: Mtu::from_raw(raw.max_mtu),
            active_mtu: Mtu::from_raw(raw.active_mtu),
            width: LinkWidth::from_raw(u32::from(raw.active_width)),
            speed: LinkSpeed::from_raw(u32::from(raw.active_speed)),
            gid_table_len: u32::try_from(raw.gid_tbl_len).unwrap_or(0),
            pkey_table_len: raw.pkey_tbl_len,
            max_message: raw.max_msg_sz,
            lid: Lid(raw.lid),
            lid_mask_bits: raw.lmc,
            subnet_manager: Lid(raw.sm_lid),
            subnet_manager_level: raw.sm_sl,
            max_virtual_lanes: raw.max_vl_num,
            subnet_timeout: raw.subnet_timeout,
            bad_pkeys: raw.bad_pkey_cntr,
            bad_qkeys: raw.qkey_viol_cntr,
            capabilities: PortCaps::from_raw(u64::from(raw.port_cap_flags)),
            needs_gid: raw.flags & QPF_GRH_REQUIRED != 0,
            link_layer: LinkLayer::from_raw(u32::from(raw.link_layer)),
        }
    }

    /// How many Mb/s the link carries, all lanes together; `None` where the driver gives numbers that the
    /// crate does not know.
    #[must_use]
    pub fn megabits(&self) -> Option<u32> {
        self.speed.megabits()?.checked_mul(self.width.lanes()?)
    }
}

crate::raw::driver_enum! {
    /// The state of a port.
    #[doc(alias = "ibv_port_state")]
    pub enum PortState {
        /// No change (only in requests).
        Nop = 0, "IBV_PORT_NOP", "no change";
        /// No link.
        Down = 1, "IBV_PORT_DOWN", "down";
        /// Link, not configured.
        Init = 2, "IBV_PORT_INIT", "initialising";
        /// Configured, not yet active.
        Armed = 3, "IBV_PORT_ARMED", "armed";
        /// Carries traffic.
        Active = 4, "IBV_PORT_ACTIVE", "active";
        /// Active, with a short interruption of the link.
        ActiveDefer = 5, "IBV_PORT_ACTIVE_DEFER", "active (deferred)";
    }
}

crate::raw::driver_enum! {
    /// What is below a port.
    #[doc(alias = "IBV_LINK_LAYER_ETHERNET")]
    pub enum LinkLayer {
        /// The driver does not say; InfiniBand, for drivers older than RoCE.
        Unspecified = 0, "IBV_LINK_LAYER_UNSPECIFIED", "unspecified";
        /// InfiniBand: ports have LIDs.
        InfiniBand = 1, "IBV_LINK_LAYER_INFINIBAND", "InfiniBand";
        /// Ethernet: RoCE or iWARP, addressed by GID.
        Ethernet = 2, "IBV_LINK_LAYER_ETHERNET", "Ethernet";
    }
}

crate::raw::driver_enum! {
    /// The payload of a packet, in bytes.
    #[doc(alias = "ibv_mtu")]
    pub enum Mtu {
        /// 256 bytes.
        B256 = 1, "IBV_MTU_256", "256";
        /// 512 bytes.
        B512 = 2, "IBV_MTU_512", "512";
        /// 1024 bytes: what fits in an Ethernet frame of 1500.
        B1024 = 3, "IBV_MTU_1024", "1024";
        /// 2048 bytes.
        B2048 = 4, "IBV_MTU_2048", "2048";
        /// 4096 bytes: needs Ethernet frames of about 4200.
        B4096 = 5, "IBV_MTU_4096", "4096";
    }
}

impl Mtu {
    /// How many bytes that is; `None` for a number that the crate does not know.
    #[must_use]
    pub const fn bytes(self) -> Option<u32> {
        match self {
            Mtu::B256 => Some(256),
            Mtu::B512 => Some(512),
            Mtu::B1024 => Some(1024),
            Mtu::B2048 => Some(2048),
            Mtu::B4096 => Some(4096),
            Mtu::Unknown(_) => None,
        }
    }
}

impl FromStr for Mtu {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        Ok(match text {
            "256" => Mtu::B256,
            "512" => Mtu::B512,
            "1024" => Mtu::B1024,
            "2048" => Mtu::B2048,
            "4096" => Mtu::B4096,
            _ => {
                let what = "path MTU (256, 512, 1024, 2048 or 4096)";
                return Err(Error::Malformed {
                    what,
                    text: text.to_owned(),
                });
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case(0)]
    #[case(1)]
    #[case(5)]
    #[case(6)]
    #[case(u32::MAX)]
    fn every_number_a_driver_returns_is_a_value(#[case] raw: u32) {
        assert_eq!(Mtu::from_raw(raw).raw(), raw);
        assert_eq!(PortState::from_raw(raw).raw(), raw);
        assert_eq!(LinkLayer::from_raw(raw).raw(), raw);
    }

    #[test]
    fn an_unknown_number_is_shown_as_one() {
        assert_eq!(PortState::from_raw(77).to_string(), "unknown value 77");
    }

    #[test]
    fn port_numbers_start_at_one() {
        assert!("0".parse::<PortNum>().is_err());
        assert!("256".parse::<PortNum>().is_err());
        assert_eq!("2".parse::<PortNum>().unwrap().number(), 2);
        assert!("1500".parse::<Mtu>().is_err());
    }
}
