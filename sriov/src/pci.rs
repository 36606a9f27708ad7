use std::fmt;
use std::str::FromStr;

use crate::error::Error;

/// Where a function sits on PCI: domain, bus, device, function, as in `0000:3b:00.1`.
///
/// Domains have 32 bits: controllers behind Intel VMD or Hyper-V get numbers above `ffff`, which
/// the kernel prints with more than four digits.
///
/// Parses from the kernel's form, and from the short form without a domain that `lspci` prints
/// (domain 0).
///
/// # Examples
///
/// ```
/// use netprims_sriov::PciAddress;
///
/// let address: PciAddress = "10000:3b:00.1".parse()?;
/// assert_eq!((address.domain(), address.bus()), (0x10000, 0x3b));
/// assert_eq!("3b:00.1".parse::<PciAddress>()?.to_string(), "0000:3b:00.1");
/// # Ok::<(), netprims_sriov::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PciAddress {
    domain: u32,
    bus: u8,
    device: u8,
    function: u8,
}

impl PciAddress {
    /// Puts an address together.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidValue`] if `device` is above 31 or `function` above 7.
    pub fn new(domain: u32, bus: u8, device: u8, function: u8) -> Result<Self, Error> {
        let address = Self {
            domain,
            bus,
            device,
            function,
        };
        if device > 31 || function > 7 {
            return Err(invalid(&address.to_string()));
        }
        Ok(address)
    }

    /// The PCI domain (segment).
    #[must_use]
    pub const fn domain(self) -> u32 {
        self.domain
    }

    /// The bus within the domain.
    #[must_use]
    pub const fn bus(self) -> u8 {
        self.bus
    }

    /// The device on the bus, 0 to 31.
    #[must_use]
    pub const fn device(self) -> u8 {
        self.device
    }

    /// The function of the device, 0 to 7.
    #[must_use]
    pub const fn function(self) -> u8 {
        self.function
    }
}

impl FromStr for PciAddress {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        parse(text).ok_or_else(|| invalid(text))
    }
}

impl fmt::Display for PciAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:04x}:{:02x}:{:02x}.{:x}",
            self.domain, self.bus, self.device, self.function
        )
    }
}

fn parse(text: &str) -> Option<PciAddress> {
    let (rest, function) = text.rsplit_once('.')?;
    let (rest, device) = rest.rsplit_once(':')?;
    let (domain, bus) = match rest.split_once(':') {
        Some((domain, bus)) => (hex(domain, 4..=8)?, bus),
        None => (0, rest),
    };
    PciAddress::new(
        domain,
        u8::try_from(hex(bus, 2..=2)?).ok()?,
        u8::try_from(hex(device, 2..=2)?).ok()?,
        u8::try_from(hex(function, 1..=1)?).ok()?,
    )
    .ok()
}

fn hex(digits: &str, lengths: std::ops::RangeInclusive<usize>) -> Option<u32> {
    // from_str_radix alone would take a sign.
    let plain = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    (plain && lengths.contains(&digits.len()))
        .then(|| u32::from_str_radix(digits, 16).ok())
        .flatten()
}

fn invalid(text: &str) -> Error {
    Error::InvalidValue {
        what: "PCI address",
        value: text.to_owned(),
        rule: "DOMAIN:BUS:DEVICE.FUNCTION in hexadecimal, like 0000:3b:00.1 (device up to 1f, \
               function up to 7)",
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("")]
    #[case("3b")]
    #[case("3b:00")]
    #[case("0000:3b:00")]
    #[case("0000:3b:20.0")]
    #[case("0000:3b:00.8")]
    #[case("0000:3b:00.00")]
    #[case("000:3b:00.0")]
    #[case("100000000:3b:00.0")]
    #[case("0000:+b:00.0")]
    #[case("0000:0000:3b:00.0")]
    #[case("0000:3b:00.0 ")]
    fn refuses_what_is_not_an_address(#[case] text: &str) {
        assert!(text.parse::<PciAddress>().is_err());
    }

    proptest! {
        #[test]
        fn prints_what_it_parses(domain: u32, bus: u8, device in 0_u8..32, function in 0_u8..8) {
            let address = PciAddress::new(domain, bus, device, function).unwrap();
            prop_assert_eq!(address.to_string().parse::<PciAddress>().unwrap(), address);
        }

        #[test]
        fn never_panics_on_text(text in "[0-9a-f:.+é]*") {
            let _ = text.parse::<PciAddress>();
        }
    }
}
