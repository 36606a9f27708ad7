use std::fmt;

/// A service class: the six bits of the IP header that routers and queues sort by.
///
/// ```
/// use netprims::tuning::{Dscp, Tuning};
///
/// const VOICE: Tuning = Tuning::new().dscp(Dscp::EXPEDITED_FORWARDING);
/// assert!(Dscp::new(64).is_err());
/// ```
///
/// Source: RFC 2474, RFC 8622 and the registry of code points.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(try_from = "u8", into = "u8"))]
pub struct Dscp(u8);

/// A number that is no service class.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("IP_TOS = DSCP {0}: a service class has six bits, 0 to 63")]
pub struct InvalidDscp(pub u8);

impl Dscp {
    /// Best effort, which is the default.
    pub const BEST_EFFORT: Self = Self(0);
    /// Less than best effort, for what may wait (RFC 8622).
    pub const LOWER_EFFORT: Self = Self(1);
    /// Low loss and low delay (RFC 3246).
    pub const EXPEDITED_FORWARDING: Self = Self(46);

    /// Checks a number.
    ///
    /// # Errors
    ///
    /// [`InvalidDscp`] above 63.
    pub const fn new(dscp: u8) -> Result<Self, InvalidDscp> {
        if dscp < 64 {
            Ok(Self(dscp))
        } else {
            Err(InvalidDscp(dscp))
        }
    }

    /// The number.
    pub const fn value(self) -> u8 {
        self.0
    }

    /// The byte of the header, with the two bits that are not the class's (ECN) taken from `others`.
    pub(super) fn header(self, others: u32) -> u32 {
        u32::from(self.0) << 2 | others & 3
    }

    pub(super) fn of_header(byte: u32) -> Self {
        let [low, ..] = byte.to_le_bytes();
        Self(low >> 2)
    }
}

impl TryFrom<u8> for Dscp {
    type Error = InvalidDscp;

    fn try_from(dscp: u8) -> Result<Self, Self::Error> {
        Self::new(dscp)
    }
}

impl From<Dscp> for u8 {
    fn from(dscp: Dscp) -> Self {
        dscp.0
    }
}

impl fmt::Display for Dscp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DSCP {}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn six_bits_and_the_others_stay() {
        for dscp in 0..=u8::MAX {
            let Ok(class) = Dscp::new(dscp) else {
                assert!(dscp > 63);
                continue;
            };
            assert!(dscp < 64);
            assert_eq!(class.header(0b1111_1110) & 3, 2);
            assert_eq!(Dscp::of_header(class.header(1)), class);
        }
    }
}
