//! What two sides must tell each other before they can connect.

use std::fmt;

use crate::error::{Error, Result};
use crate::gid::Gid;
use crate::port::Lid;

/// One side of a connection, as the other side must know it.
///
/// How it gets there is the program's business: a TCP connection, a configuration file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Endpoint {
    /// The queue pair's number.
    pub qpn: Qpn,
    /// The number of the first packet it sends.
    pub psn: Psn,
    /// Its port's LID; 0 on Ethernet.
    pub lid: Lid,
    /// Its port's GID; needed on Ethernet and across InfiniBand subnets.
    pub gid: Option<Gid>,
}

impl Endpoint {
    /// A queue pair and its first packet, with no address.
    #[must_use]
    pub const fn new(qpn: Qpn, psn: Psn) -> Self {
        Endpoint {
            qpn,
            psn,
            lid: Lid(0),
            gid: None,
        }
    }

    /// At this LID. Default: 0.
    #[must_use]
    pub const fn at_lid(mut self, lid: Lid) -> Self {
        self.lid = lid;
        self
    }

    /// At this GID. Default: none.
    #[must_use]
    pub const fn at_gid(mut self, gid: Gid) -> Self {
        self.gid = Some(gid);
        self
    }
}

const MAX_24_BITS: u32 = (1 << 24) - 1;

/// The number of a queue pair: 24 bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Qpn(u32);

impl Qpn {
    /// Not one queue pair, but all that are attached to the group that a datagram is sent to.
    pub const MULTICAST: Qpn = Qpn(MAX_24_BITS);

    /// # Errors
    ///
    /// [`Error::OutOfRange`] above 24 bits.
    pub fn new(number: u32) -> Result<Self> {
        in_24_bits("queue pair number", number).map(Qpn)
    }

    /// A driver's own number, whatever it is.
    pub(crate) fn from_driver(number: u32) -> Self {
        Qpn(number)
    }

    /// The number.
    #[must_use]
    pub const fn number(self) -> u32 {
        self.0
    }
}

impl fmt::Display for Qpn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "0x{:06x}", self.0)
    }
}

/// The number of a packet: 24 bits. A connection starts at a random one, so that packets of an
/// earlier connection are not taken for its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Psn(u32);

impl Psn {
    /// # Errors
    ///
    /// [`Error::OutOfRange`] above 24 bits.
    pub fn new(number: u32) -> Result<Self> {
        in_24_bits("packet sequence number", number).map(Psn)
    }

    /// The low 24 bits of a number, such as a random one.
    #[must_use]
    pub const fn truncate(number: u32) -> Self {
        Psn(number & MAX_24_BITS)
    }

    /// The number.
    #[must_use]
    pub const fn number(self) -> u32 {
        self.0
    }
}

impl fmt::Display for Psn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "0x{:06x}", self.0)
    }
}

fn in_24_bits(what: &'static str, number: u32) -> Result<u32> {
    if number > MAX_24_BITS {
        return Err(Error::OutOfRange {
            what,
            value: u64::from(number),
            rule: "at most 0xffffff",
        });
    }
    Ok(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_24_bits() {
        assert_eq!(Qpn::new(0xff_ffff).unwrap().to_string(), "0xffffff");
        assert!(Qpn::new(0x100_0000).is_err());
        assert!(Psn::new(u32::MAX).is_err());
        assert_eq!(Psn::truncate(0x1234_5678).number(), 0x34_5678);
    }
}
