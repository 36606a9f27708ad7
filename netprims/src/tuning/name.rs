//! Names that the kernel keeps in 16 bytes, the terminating NUL included.

use std::fmt;

/// 1 to 15 printable ASCII characters, no spaces.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Name {
    bytes: [u8; MAX_LEN],
    len: u8,
}

const MAX_LEN: usize = 15;

/// A text that is no name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Refused {
    /// Its first bytes.
    start: [u8; MAX_LEN + 1],
    len: u8,
    is_cut: bool,
    reason: &'static str,
}

impl Name {
    /// Checks a name, which may not have the `forbidden` bytes either.
    pub(super) const fn new(text: &str, forbidden: &[u8]) -> Result<Self, Refused> {
        let text_bytes = text.as_bytes();
        if text_bytes.is_empty() {
            return Err(Refused::new(text, "a name has at least one byte"));
        }
        if text_bytes.len() > MAX_LEN {
            return Err(Refused::new(text, "a name has at most 15 bytes"));
        }
        let mut bytes = [0; MAX_LEN];
        // Counts along as a u8: a cast of the length would have to be argued.
        let mut len = 0_u8;
        let mut i = 0;
        while i < text_bytes.len() {
            let byte = text_bytes[i];
            if !byte.is_ascii_graphic() || contains(forbidden, byte) {
                return Err(Refused::new(text, "it has a byte that no name has"));
            }
            bytes[i] = byte;
            len += 1;
            i += 1;
        }
        Ok(Self { bytes, len })
    }

    pub(super) fn as_str(&self) -> &str {
        // Only ASCII gets in, so the fallback is never taken.
        std::str::from_utf8(&self.bytes[..usize::from(self.len)]).unwrap_or("?")
    }
}

impl Refused {
    pub(super) const fn new(text: &str, reason: &'static str) -> Self {
        let text = text.as_bytes();
        let mut start = [0; MAX_LEN + 1];
        let mut len = 0_u8;
        let mut i = 0;
        while i < text.len() && i < start.len() {
            start[i] = text[i];
            len += 1;
            i += 1;
        }
        let is_cut = i < text.len();
        Self {
            start,
            len,
            is_cut,
            reason,
        }
    }
}

const fn contains(bytes: &[u8], byte: u8) -> bool {
    let mut i = 0;
    while i < bytes.len() {
        if bytes[i] == byte {
            return true;
        }
        i += 1;
    }
    false
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let start = &self.start[..usize::from(self.len)];
        let more = if self.is_cut { "…" } else { "" };
        write!(f, "\"{}\"{more}: {}", start.escape_ascii(), self.reason)
    }
}

/// What types that wrap a [`Name`] have in common, and the error of their `new`.
macro_rules! named {
    ($named:ident, $invalid:ident, $option:literal) => {
        impl $named {
            /// The name.
            pub fn as_str(&self) -> &str {
                self.0.as_str()
            }
        }

        impl std::str::FromStr for $named {
            type Err = $invalid;

            fn from_str(name: &str) -> Result<Self, Self::Err> {
                Self::new(name)
            }
        }

        impl std::fmt::Display for $named {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl std::fmt::Debug for $named {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.debug_tuple(stringify!($named))
                    .field(&self.as_str())
                    .finish()
            }
        }

        impl std::fmt::Display for $invalid {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                write!(f, concat!($option, " = {}"), self.0)
            }
        }

        impl std::error::Error for $invalid {}

        #[cfg(feature = "serde")]
        impl serde::Serialize for $named {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }

        #[cfg(feature = "serde")]
        impl<'de> serde::Deserialize<'de> for $named {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let name = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
                Self::new(&name).map_err(serde::de::Error::custom)
            }
        }
    };
}
pub(super) use named;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rstest::rstest;

    const BAD: &str = "it has a byte that no name has";

    #[rstest]
    #[case("b\0br", "\"b\\x00br\"", BAD)]
    #[case("b br", "\"b br\"", BAD)]
    #[case("böse", "\"b\\xc3\\xb6se\"", BAD)]
    #[case("a/b", "\"a/b\"", BAD)]
    #[case("", "\"\"", "a name has at least one byte")]
    #[case(
        "sixteen--letters",
        "\"sixteen--letters\"",
        "a name has at most 15 bytes"
    )]
    #[case(
        "longer-than-sixteen",
        "\"longer-than-sixt\"…",
        "a name has at most 15 bytes"
    )]
    fn what_is_refused_is_shown(#[case] text: &str, #[case] shown: &str, #[case] reason: &str) {
        let refused = Name::new(text, b"/").err().unwrap();
        assert_eq!(refused.to_string(), format!("{shown}: {reason}"));
    }

    proptest! {
        #[test]
        fn a_name_is_what_was_given_or_refused(text in "\\PC{0,20}|[!-~]{0,20}") {
            let valid = (1..=15).contains(&text.len())
                && text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'/');
            let name = Name::new(&text, b"/");
            prop_assert_eq!(name.as_ref().ok().map(Name::as_str), valid.then_some(text.as_str()));
        }
    }
}
