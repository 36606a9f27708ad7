use std::fmt;
use std::num::NonZeroU32;
use std::str::FromStr;

use crate::error::Error;
use crate::mac::MacAddr;

/// The name of a network device: what the kernel accepts as one (`dev_valid_name` in
/// `net/core/dev.c`), alternative names up to 127 bytes included.
///
/// A name serves to select and to show. It can change at any moment, so nothing in this crate uses
/// it to reach a device it has already found.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct IfName(String);

impl IfName {
    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for IfName {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self, Error> {
        let valid = (1..=127).contains(&name.len())
            && name != "."
            && name != ".."
            && !name
                .contains(|c: char| c == '/' || c == ':' || c.is_ascii_whitespace() || c == '\0');
        if !valid {
            return Err(Error::InvalidValue {
                what: "network device name",
                value: name.to_owned(),
                rule: "1 to 127 bytes without '/', ':' and white space, and not '.' or '..'",
            });
        }
        Ok(Self(name.to_owned()))
    }
}

impl fmt::Display for IfName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A network device in the namespace the [`Host`](crate::Host) was opened in, as it was when it was
/// looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Netdev {
    /// The kernel's number for it: stable for its life in this namespace, unlike its name.
    #[doc(alias = "ifi_index")]
    pub ifindex: NonZeroU32,
    /// Its name.
    pub name: String,
    /// Its Ethernet address; `None` if it has none (InfiniBand, or not assigned yet).
    pub mac: Option<MacAddr>,
    /// Whether it is administratively up.
    #[doc(alias = "IFF_UP")]
    pub up: bool,
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("eth0", true)]
    #[case("enp1s0f0np0", true)]
    #[case("", false)]
    #[case(".", false)]
    #[case("..", false)]
    #[case("a/b", false)]
    #[case("eth0:1", false)]
    #[case("a b", false)]
    #[case("a\nb", false)]
    fn takes_the_names_the_kernel_takes(#[case] name: &str, #[case] valid: bool) {
        assert_eq!(name.parse::<IfName>().is_ok(), valid);
    }
}
