use std::fmt;

use crate::tuning::Dscp;

/// The byte of the IP header that tells routers how to treat a datagram: its service class and two bits of congestion
/// notification.
#[doc(alias = "IP_TOS")]
#[doc(alias = "IPV6_TCLASS")]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct TrafficClass(u8);

/// Explicit congestion notification (RFC 3168).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Ecn {
    /// The transport does not know it.
    #[default]
    NotCapable,
    /// It does, and takes part in low-latency queueing (L4S, RFC 9331).
    Ect1,
    /// It does.
    Ect0,
    /// A router on the way was congested.
    CongestionExperienced,
}

impl TrafficClass {
    /// A service class and congestion notification.
    pub const fn new(dscp: Dscp, ecn: Ecn) -> Self {
        Self(dscp.value() << 2 | ecn.bits())
    }

    /// The byte of the header.
    pub const fn from_byte(byte: u8) -> Self {
        Self(byte)
    }

    /// The byte of the header.
    pub const fn byte(self) -> u8 {
        self.0
    }

    /// The service class.
    pub fn dscp(self) -> Dscp {
        // Six bits always are one.
        Dscp::new(self.0 >> 2).unwrap_or_default()
    }

    /// Congestion notification.
    pub const fn ecn(self) -> Ecn {
        match self.0 & 3 {
            1 => Ecn::Ect1,
            2 => Ecn::Ect0,
            3 => Ecn::CongestionExperienced,
            _ => Ecn::NotCapable,
        }
    }
}

impl From<Ecn> for TrafficClass {
    /// With best effort for a service class.
    fn from(ecn: Ecn) -> Self {
        Self::new(Dscp::BEST_EFFORT, ecn)
    }
}

impl fmt::Display for TrafficClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.dscp(), self.ecn())
    }
}

impl Ecn {
    /// The two bits of the header.
    pub const fn bits(self) -> u8 {
        match self {
            Self::NotCapable => 0,
            Self::Ect1 => 1,
            Self::Ect0 => 2,
            Self::CongestionExperienced => 3,
        }
    }
}

impl fmt::Display for Ecn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotCapable => "not ECN-capable",
            Self::Ect1 => "ECT(1)",
            Self::Ect0 => "ECT(0)",
            Self::CongestionExperienced => "CE",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_is_its_two_parts() {
        for byte in 0..=u8::MAX {
            let class = TrafficClass::from_byte(byte);
            assert_eq!(class.ecn().bits(), byte & 3);
            assert_eq!(class.dscp().value(), byte >> 2);
            assert_eq!(TrafficClass::new(class.dscp(), class.ecn()).byte(), byte);
        }
        assert_eq!(TrafficClass::from(Ecn::Ect0).byte(), 2);
    }
}
