use std::fmt;
use std::str::FromStr;

use crate::error::Error;

/// The address of one Ethernet function: 48 bits, neither a group address nor all zero.
///
/// The kernel asks the same of a station address (`is_valid_ether_addr` in
/// `include/linux/etherdevice.h`), but some drivers take an all-zero or a multicast address for a VF
/// without a word; this type cannot hold one.
///
/// Parses from `02:00:00:00:00:01` and `02-00-00-00-00-01`, in either case; prints the first form
/// in lower case.
///
/// # Examples
///
/// ```
/// use netprims_sriov::MacAddr;
///
/// let mac: MacAddr = "02:00:00:00:00:0a".parse()?;
/// assert_eq!(mac.checked_add(1)?.to_string(), "02:00:00:00:00:0b");
/// assert!("01:00:5e:00:00:01".parse::<MacAddr>().is_err());
/// # Ok::<(), netprims_sriov::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MacAddr([u8; 6]);

impl MacAddr {
    /// Takes six octets, first on the wire first.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidValue`] for an all-zero address and for a group (multicast or broadcast)
    /// address.
    pub fn new(octets: [u8; 6]) -> Result<Self, Error> {
        let rule = if octets == [0; 6] {
            "an all-zero address names no function"
        } else if octets[0] & 1 == 1 {
            "a group address (lowest bit of the first octet set) cannot belong to a function"
        } else {
            return Ok(Self(octets));
        };
        Err(Error::InvalidValue {
            what: "MAC address",
            value: format_octets(octets),
            rule,
        })
    }

    /// The six octets, first on the wire first.
    #[must_use]
    pub const fn octets(self) -> [u8; 6] {
        self.0
    }

    /// Whether the address was assigned locally rather than by the maker of the device (second
    /// lowest bit of the first octet).
    #[must_use]
    pub const fn is_local(self) -> bool {
        self.0[0] & 2 == 2
    }

    /// The address `n` further on within the same 24-bit vendor prefix.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidValue`] if that would run past the last address of the prefix, into
    /// addresses that belong to somebody else.
    pub fn checked_add(self, n: u32) -> Result<Self, Error> {
        let [a, b, c, d, e, f] = self.0;
        u32::from_be_bytes([0, d, e, f])
            .checked_add(n)
            .map(u32::to_be_bytes)
            .and_then(|[overflow, d, e, f]| (overflow == 0).then_some(Self([a, b, c, d, e, f])))
            .ok_or_else(|| Error::InvalidValue {
                what: "MAC address range",
                value: format!("{self} + {n}"),
                rule: "the range must stay within the first address's 24-bit vendor prefix",
            })
    }
}

impl FromStr for MacAddr {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let invalid = || Error::InvalidValue {
            what: "MAC address",
            value: text.to_owned(),
            rule: "six pairs of hexadecimal digits separated by ':' or '-', like 02:00:00:00:00:01",
        };
        let separator = if text.contains('-') { '-' } else { ':' };
        let mut octets = [0; 6];
        let mut pairs = text.split(separator);
        for octet in &mut octets {
            let pair = pairs.next().ok_or_else(invalid)?;
            if pair.len() != 2 || !pair.bytes().all(|byte| byte.is_ascii_hexdigit()) {
                return Err(invalid());
            }
            *octet = u8::from_str_radix(pair, 16).map_err(|_| invalid())?;
        }
        if pairs.next().is_some() {
            return Err(invalid());
        }
        Self::new(octets)
    }
}

impl fmt::Display for MacAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&format_octets(self.0))
    }
}

pub(crate) fn format_octets([a, b, c, d, e, f]: [u8; 6]) -> String {
    format!("{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{f:02x}")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::zero("00:00:00:00:00:00")]
    #[case::multicast("01:00:5e:00:00:01")]
    #[case::broadcast("ff:ff:ff:ff:ff:ff")]
    #[case::short("02:00:00:00:00")]
    #[case::long("02:00:00:00:00:00:01")]
    #[case::one_digit("2:00:00:00:00:01")]
    #[case::sign("+2:00:00:00:00:01")]
    #[case::mixed("02-00:00:00:00:01")]
    #[case::empty("")]
    fn refuses_what_is_not_a_station_address(#[case] text: &str) {
        assert!(matches!(
            text.parse::<MacAddr>(),
            Err(Error::InvalidValue { .. })
        ));
    }

    #[test]
    fn adds_up_to_the_end_of_the_vendor_prefix_and_no_further() {
        let mac: MacAddr = "02:00:00:ff:ff:fe".parse().unwrap();
        assert_eq!(mac.checked_add(1).unwrap().to_string(), "02:00:00:ff:ff:ff");
        assert!(mac.checked_add(2).is_err());
        assert!(mac.checked_add(u32::MAX).is_err());
    }

    proptest! {
        #[test]
        fn prints_what_it_parses(octets: [u8; 6]) {
            if let Ok(mac) = MacAddr::new(octets) {
                prop_assert_eq!(mac.to_string().parse::<MacAddr>().unwrap(), mac);
                let dashed = mac.to_string().replace(':', "-").to_uppercase();
                prop_assert_eq!(dashed.parse::<MacAddr>().unwrap(), mac);
            } else {
                prop_assert!(octets == [0; 6] || octets[0] & 1 == 1);
            }
        }

        #[test]
        fn never_panics_on_text(text in ".*") {
            let _ = text.parse::<MacAddr>();
        }
    }
}
