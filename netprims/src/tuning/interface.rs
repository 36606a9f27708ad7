use std::fmt;
use std::str::FromStr;

/// The name of a network interface: 1 to 15 bytes of printable ASCII, without `/` and `:`, and neither `.` nor `..`.
///
/// ```
/// use netprims::tuning::{Interface, Tuning};
///
/// const LOOPBACK: Interface = match Interface::new("lo") {
///     Ok(name) => name,
///     Err(_) => panic!("a valid name"),
/// };
/// const TUNING: Tuning = Tuning::new().interface(LOOPBACK);
/// assert!(Interface::new("sixteen--letters").is_err());
/// ```
///
/// Whether there is such an interface shows when it is set. The kernel lets names have bytes beyond ASCII; this type
/// does not.
#[doc(alias = "IFNAMSIZ")]
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Interface {
    bytes: [u8; MAX_LEN],
    len: u8,
}

/// `IFNAMSIZ` is 16 with the terminating NUL.
const MAX_LEN: usize = 15;

/// Why a text is no name of an interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidInterface {
    /// The name is empty.
    #[error("SO_BINDTODEVICE: an empty interface name")]
    Empty,
    /// The name has more than 15 bytes.
    #[error("SO_BINDTODEVICE: an interface name of more than 15 bytes")]
    TooLong,
    /// The name has a byte that no name has: NUL, a space, `/`, `:`, or it is `.` or `..`.
    #[error("SO_BINDTODEVICE: an interface name with a byte that no name has")]
    BadByte,
}

impl Interface {
    /// Checks a name.
    ///
    /// # Errors
    ///
    /// [`InvalidInterface`] if it is empty, too long, or has a byte no name can have.
    pub const fn new(name: &str) -> Result<Self, InvalidInterface> {
        let name = name.as_bytes();
        if name.is_empty() {
            return Err(InvalidInterface::Empty);
        }
        let mut bytes = [0; MAX_LEN];
        // Counts along as a u8: a cast of the length would have to be argued.
        let mut len = 0_u8;
        let mut i = 0;
        while i < name.len() {
            if i == MAX_LEN {
                return Err(InvalidInterface::TooLong);
            }
            if !name[i].is_ascii_graphic() || matches!(name[i], b'/' | b':') {
                return Err(InvalidInterface::BadByte);
            }
            bytes[i] = name[i];
            len += 1;
            i += 1;
        }
        if matches!(name, b"." | b"..") {
            return Err(InvalidInterface::BadByte);
        }
        Ok(Self { bytes, len })
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        // Only ASCII gets in, so the fallback is never taken.
        std::str::from_utf8(&self.bytes[..usize::from(self.len)]).unwrap_or("?")
    }
}

impl FromStr for Interface {
    type Err = InvalidInterface;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Self::new(name)
    }
}

impl fmt::Display for Interface {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for Interface {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Interface").field(&self.as_str()).finish()
    }
}

#[cfg(feature = "serde")]
impl serde::Serialize for Interface {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

#[cfg(feature = "serde")]
impl<'de> serde::Deserialize<'de> for Interface {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        Self::new(&name).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("eth0", Ok("eth0"))]
    #[case("eth0.100", Ok("eth0.100"))]
    #[case("..", Err(InvalidInterface::BadByte))]
    #[case("a/b", Err(InvalidInterface::BadByte))]
    #[case("eth0:1", Err(InvalidInterface::BadByte))]
    #[case("fifteen-letters", Ok("fifteen-letters"))]
    #[case("sixteen--letters", Err(InvalidInterface::TooLong))]
    #[case("", Err(InvalidInterface::Empty))]
    #[case("e\0th", Err(InvalidInterface::BadByte))]
    #[case("e th", Err(InvalidInterface::BadByte))]
    #[case("öre", Err(InvalidInterface::BadByte))]
    fn checks_the_name(#[case] name: &str, #[case] want: Result<&str, InvalidInterface>) {
        let got = Interface::new(name);
        assert_eq!(
            got.as_ref().map(Interface::as_str).map_err(|error| *error),
            want
        );
    }
}
