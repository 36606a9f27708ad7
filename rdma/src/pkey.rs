//! Partition keys.

use std::fmt;

use crate::context::Context;
use crate::device::verb_error;
use crate::error::Result;
use crate::port::PortNum;

/// A partition key: which of the subnet's partitions a port belongs to, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Pkey(u16);

impl Pkey {
    /// The default partition, as a full member: what RoCE devices have.
    pub const DEFAULT: Pkey = Pkey(0xffff);

    /// From its 16 bits.
    #[must_use]
    pub const fn new(bits: u16) -> Self {
        Pkey(bits)
    }

    /// Its 16 bits.
    #[must_use]
    pub const fn bits(self) -> u16 {
        self.0
    }

    /// The number of the partition, of 15 bits; 0 is none.
    #[must_use]
    pub const fn partition(self) -> u16 {
        self.0 & 0x7fff
    }

    /// Whether the port is a full member: limited ones can talk to full ones only.
    #[must_use]
    pub const fn is_full_member(self) -> bool {
        self.0 & 0x8000 != 0
    }
}

impl fmt::Display for Pkey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "0x{:04x}", self.0)
    }
}

impl Context {
    /// One line of a port's table of partition keys.
    ///
    /// # Errors
    ///
    /// [`Error::Verb`](crate::Error::Verb): there is no such port or line.
    #[doc(alias = "ibv_query_pkey")]
    pub fn query_pkey(&self, port: PortNum, index: u16) -> Result<Pkey> {
        let queried = self.handle().query_pkey(port.number(), index);
        queried.map(Pkey).map_err(|errno| {
            let object = format!("of {} port {port} index {index}", self.device_name());
            verb_error("ibv_query_pkey", object, errno)
        })
    }

    /// Every filled line of a port's table of partition keys, with its index.
    ///
    /// # Errors
    ///
    /// [`Error::Verb`](crate::Error::Verb).
    pub fn pkey_table(&self, port: PortNum) -> Result<Vec<(u16, Pkey)>> {
        let lines = 0..self.query_port(port)?.pkey_table_len;
        let lines = lines.map(|index| Ok((index, self.query_pkey(port, index)?)));
        let filled = |line: &Result<(u16, Pkey)>| {
            line.as_ref().map_or(true, |(_, key)| key.partition() != 0)
        };
        lines.filter(filled).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn membership_is_the_highest_bit() {
        assert_eq!(Pkey::DEFAULT.partition(), 0x7fff);
        assert!(Pkey::DEFAULT.is_full_member());
        assert!(!Pkey::new(0x7fff).is_full_member());
        assert_eq!(Pkey::new(0x8001).to_string(), "0x8001");
    }
}
