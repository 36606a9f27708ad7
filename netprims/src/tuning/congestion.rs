use std::fmt;
use std::str::FromStr;

/// The name of a congestion control algorithm: 1 to 15 printable ASCII characters, no spaces.
///
/// ```
/// use netprims::tuning::{Congestion, Tuning};
///
/// const BBR: Congestion = match Congestion::new("bbr") {
///     Ok(name) => name,
///     Err(_) => panic!("a valid name"),
/// };
/// const TUNING: Tuning = Tuning::new().congestion(BBR);
/// ```
///
/// Whether the kernel has such an algorithm shows when it is set.
#[doc(alias = "TCP_CA_NAME_MAX")]
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Congestion {
    bytes: [u8; MAX_LEN],
    len: u8,
}

/// `TCP_CA_NAME_MAX` is 16 with the terminating NUL.
const MAX_LEN: usize = 15;

/// Why a text is no name of a congestion control algorithm.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidCongestion {
    /// The name is empty.
    #[error("an empty congestion control name")]
    Empty,
    /// The name has more than 15 bytes.
    #[error("a congestion control name of more than 15 bytes")]
    TooLong,
    /// The name has a byte that is not printable ASCII, such as NUL or a space.
    #[error("a congestion control name with a byte that is not printable ASCII")]
    BadByte,
}

impl Congestion {
    /// Checks a name.
    ///
    /// # Errors
    ///
    /// [`InvalidCongestion`] if it is empty, too long, or has a byte no name can have.
    pub const fn new(name: &str) -> Result<Self, InvalidCongestion> {
        let name = name.as_bytes();
        if name.is_empty() {
            return Err(InvalidCongestion::Empty);
        }
        let mut bytes = [0; MAX_LEN];
        // Counts along as a u8: a cast of the length would have to be argued.
        let mut len = 0_u8;
        let mut i = 0;
        while i < name.len() {
            if i == MAX_LEN {
                return Err(InvalidCongestion::TooLong);
            }
            if !name[i].is_ascii_graphic() {
                return Err(InvalidCongestion::BadByte);
            }
            bytes[i] = name[i];
            len += 1;
            i += 1;
        }
        Ok(Self { bytes, len })
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        // Only ASCII gets in, so the fallback is never taken.
        std::str::from_utf8(&self.bytes[..usize::from(self.len)]).unwrap_or("?")
    }
}

impl FromStr for Congestion {
    type Err = InvalidCongestion;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Self::new(name)
    }
}

impl fmt::Display for Congestion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for Congestion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Congestion").field(&self.as_str()).finish()
    }
}

#[cfg(feature = "serde")]
impl serde::Serialize for Congestion {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

#[cfg(feature = "serde")]
impl<'de> serde::Deserialize<'de> for Congestion {
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
    #[case("bbr", Ok("bbr"))]
    #[case("fifteen-letters", Ok("fifteen-letters"))]
    #[case("sixteen--letters", Err(InvalidCongestion::TooLong))]
    #[case("", Err(InvalidCongestion::Empty))]
    #[case("b\0br", Err(InvalidCongestion::BadByte))]
    #[case("b br", Err(InvalidCongestion::BadByte))]
    #[case("böse", Err(InvalidCongestion::BadByte))]
    fn checks_the_name(#[case] name: &str, #[case] want: Result<&str, InvalidCongestion>) {
        let got = Congestion::new(name);
        assert_eq!(
            got.as_ref().map(Congestion::as_str).map_err(|error| *error),
            want
        );
    }
}
