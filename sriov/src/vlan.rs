use std::fmt;
use std::num::NonZeroU16;
use std::str::FromStr;

use crate::error::Error;

/// A VLAN as the PF tags it onto everything a VF sends (and strips from what it receives).
///
/// Parses from `ID`, `ID:QOS` and `ID:QOS:PROTO`, as in `100`, `100:3` and `100:3:802.1ad`; prints
/// the shortest form that says everything.
///
/// # Examples
///
/// ```
/// use netprims_sriov::{Qos, Vlan, VlanId, VlanProto};
///
/// let vlan = Vlan::new(VlanId::new(100)?).qos(Qos::new(3)?).proto(VlanProto::Dot1Ad);
/// assert_eq!(vlan, "100:3:802.1ad".parse()?);
/// # Ok::<(), netprims_sriov::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Vlan {
    id: VlanId,
    qos: Qos,
    proto: VlanProto,
}

impl Vlan {
    /// VLAN `id` with priority 0 and the protocol 802.1Q.
    #[must_use]
    pub const fn new(id: VlanId) -> Self {
        Self {
            id,
            qos: Qos::DEFAULT,
            proto: VlanProto::Dot1Q,
        }
    }

    /// Sets the priority. Default: 0.
    #[must_use]
    pub const fn qos(mut self, qos: Qos) -> Self {
        self.qos = qos;
        self
    }

    /// Sets the protocol. Default: 802.1Q, the only one that most drivers take.
    #[must_use]
    pub const fn proto(mut self, proto: VlanProto) -> Self {
        self.proto = proto;
        self
    }

    /// The VLAN's number.
    #[must_use]
    pub const fn vlan_id(self) -> VlanId {
        self.id
    }

    /// The priority written into the tag.
    #[must_use]
    pub const fn vlan_qos(self) -> Qos {
        self.qos
    }

    /// The protocol of the tag.
    #[must_use]
    pub const fn vlan_proto(self) -> VlanProto {
        self.proto
    }
}

impl From<VlanId> for Vlan {
    fn from(id: VlanId) -> Self {
        Self::new(id)
    }
}

impl FromStr for Vlan {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let mut parts = text.splitn(3, ':');
        let mut vlan = Self::new(parts.next().unwrap_or_default().parse()?);
        if let Some(qos) = parts.next() {
            vlan.qos = qos.parse()?;
        }
        if let Some(proto) = parts.next() {
            vlan.proto = proto.parse()?;
        }
        Ok(vlan)
    }
}

impl fmt::Display for Vlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.id)?;
        if self.qos != Qos::DEFAULT || self.proto != VlanProto::Dot1Q {
            write!(f, ":{}", self.qos)?;
        }
        if self.proto != VlanProto::Dot1Q {
            write!(f, ":{}", self.proto)?;
        }
        Ok(())
    }
}

/// The number of a VLAN: 1 to 4094.
///
/// 0 means "no VLAN" to the kernel and 4095 is reserved (IEEE 802.1Q §9.6); both are refused here
/// because drivers accept them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct VlanId(NonZeroU16);

impl VlanId {
    /// Takes a number from 1 to 4094.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidValue`] for any other number.
    pub fn new(id: u16) -> Result<Self, Error> {
        Self::from_text_or_number(id, || id.to_string())
    }

    /// The number.
    #[must_use]
    pub const fn value(self) -> u16 {
        self.0.get()
    }

    /// The VLAN `n` further on.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidValue`] past 4094.
    pub fn checked_add(self, n: u16) -> Result<Self, Error> {
        Self::from_text_or_number(self.value().saturating_add(n), || format!("{self} + {n}"))
    }

    fn from_text_or_number(id: u16, shown: impl FnOnce() -> String) -> Result<Self, Error> {
        NonZeroU16::new(id)
            .filter(|id| id.get() <= 4094)
            .map(Self)
            .ok_or_else(|| Error::InvalidValue {
                what: "VLAN id",
                value: shown(),
                rule: "a number from 1 to 4094",
            })
    }
}

impl FromStr for VlanId {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        Self::from_text_or_number(text.parse().unwrap_or(0), || text.to_owned())
    }
}

impl fmt::Display for VlanId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The priority in a VLAN tag (802.1p): 0 to 7.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Qos(u8);

impl Qos {
    /// Best effort, the priority of untagged traffic.
    pub const DEFAULT: Self = Self(0);

    /// Takes a number from 0 to 7.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidValue`] for any other number.
    pub fn new(priority: u8) -> Result<Self, Error> {
        if priority > 7 {
            return Err(Self::invalid(priority.to_string()));
        }
        Ok(Self(priority))
    }

    /// The number.
    #[must_use]
    pub const fn value(self) -> u8 {
        self.0
    }

    fn invalid(value: String) -> Error {
        Error::InvalidValue {
            what: "VLAN priority",
            value,
            rule: "a number from 0 to 7",
        }
    }
}

impl FromStr for Qos {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        text.parse()
            .map_err(|_| Self::invalid(text.to_owned()))
            .and_then(Self::new)
    }
}

impl fmt::Display for Qos {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The protocol (TPID) of a VLAN tag.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum VlanProto {
    /// 802.1Q, `0x8100`: the customer tag, what "VLAN" means without further words.
    #[default]
    #[doc(alias = "ETH_P_8021Q")]
    Dot1Q,
    /// 802.1ad, `0x88a8`: the service tag of QinQ. Most drivers refuse it (EPROTONOSUPPORT).
    #[doc(alias = "ETH_P_8021AD")]
    Dot1Ad,
}

impl VlanProto {
    /// The number on the wire.
    #[must_use]
    pub const fn ethertype(self) -> u16 {
        match self {
            Self::Dot1Q => 0x8100,
            Self::Dot1Ad => 0x88a8,
        }
    }

    pub(crate) const fn from_ethertype(ethertype: u16) -> Option<Self> {
        match ethertype {
            0x8100 => Some(Self::Dot1Q),
            0x88a8 => Some(Self::Dot1Ad),
            _ => None,
        }
    }
}

impl FromStr for VlanProto {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        match text.to_ascii_lowercase().as_str() {
            "802.1q" => Ok(Self::Dot1Q),
            "802.1ad" => Ok(Self::Dot1Ad),
            _ => Err(Error::InvalidValue {
                what: "VLAN protocol",
                value: text.to_owned(),
                rule: "802.1q or 802.1ad",
            }),
        }
    }
}

impl fmt::Display for VlanProto {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Dot1Q => "802.1q",
            Self::Dot1Ad => "802.1ad",
        })
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case(0, false)]
    #[case(1, true)]
    #[case(4094, true)]
    #[case(4095, false)]
    #[case(u16::MAX, false)]
    fn vlan_ids_run_from_1_to_4094(#[case] id: u16, #[case] valid: bool) {
        assert_eq!(VlanId::new(id).is_ok(), valid);
        assert_eq!(id.to_string().parse::<VlanId>().is_ok(), valid);
    }

    #[rstest]
    #[case(0, true)]
    #[case(7, true)]
    #[case(8, false)]
    #[case(255, false)]
    fn priorities_run_from_0_to_7(#[case] qos: u8, #[case] valid: bool) {
        assert_eq!(Qos::new(qos).is_ok(), valid);
        assert_eq!(qos.to_string().parse::<Qos>().is_ok(), valid);
    }

    #[test]
    fn adding_stops_at_4094() {
        let id = VlanId::new(4000).unwrap();
        assert_eq!(id.checked_add(94).unwrap().value(), 4094);
        assert!(id.checked_add(95).is_err());
        assert!(id.checked_add(u16::MAX).is_err());
    }

    #[rstest]
    #[case("100", "100")]
    #[case("100:0", "100")]
    #[case("100:3", "100:3")]
    #[case("100:3:802.1Q", "100:3")]
    #[case("100:0:802.1ad", "100:0:802.1ad")]
    fn prints_the_shortest_form(#[case] text: &str, #[case] shortest: &str) {
        let vlan: Vlan = text.parse().unwrap();
        assert_eq!(vlan.to_string(), shortest);
        assert_eq!(shortest.parse::<Vlan>().unwrap(), vlan);
    }

    #[rstest]
    #[case("")]
    #[case(":3")]
    #[case("100:")]
    #[case("100:8")]
    #[case("100:3:")]
    #[case("100:3:802.1x")]
    #[case("100:3:802.1q:")]
    #[case("4095")]
    #[case("-1")]
    #[case("65637")]
    fn refuses_what_is_not_a_vlan(#[case] text: &str) {
        assert!(text.parse::<Vlan>().is_err());
    }
}
