//! Numbers that drivers return, as enums that hold every value.

/// Declares an enum for a C enum: known values have names, all others are `Unknown`.
macro_rules! driver_enum {
    (
        $(#[$meta:meta])*
        pub enum $name:ident {
            $($(#[$variant_meta:meta])* $variant:ident = $raw:literal, $alias:literal, $text:literal;)+
        }
    ) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum $name {
            $($(#[$variant_meta])* #[doc(alias = $alias)] $variant,)+
            /// A value that this version of the crate has no name for.
            Unknown(u32),
        }

        impl $name {
            /// What C calls the values, and their numbers.
            #[cfg(test)]
            pub(crate) const IN_C: &'static [(&'static str, u32)] = &[$(($alias, $raw)),+];

            #[inline]
            pub(crate) const fn from_raw(raw: u32) -> Self {
                match raw {
                    $($raw => $name::$variant,)+
                    other => $name::Unknown(other),
                }
            }

            /// The number that C has for it.
            #[must_use]
            pub const fn raw(self) -> u32 {
                match self {
                    $($name::$variant => $raw,)+
                    $name::Unknown(raw) => raw,
                }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                match self {
                    $($name::$variant => f.write_str($text),)+
                    $name::Unknown(raw) => write!(f, "unknown value {raw}"),
                }
            }
        }
    };
}

/// Declares a set of flags for bits of C's: known ones have names, and the others stay.
macro_rules! driver_flags {
    (
        $(#[$meta:meta])*
        pub struct $name:ident {
            $($(#[$flag_meta:meta])* $flag:ident = $raw:expr, $alias:literal, $text:literal;)+
        }
    ) => {
        $(#[$meta])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash)]
        pub struct $name(u64);

        impl $name {
            $($(#[$flag_meta])* #[doc(alias = $alias)] pub const $flag: $name = $name($raw);)+

            /// What C calls the flags, and their numbers.
            #[cfg(test)]
            pub(crate) const IN_C: &'static [(&'static str, u64)] = &[$(($alias, $raw)),+];

            pub(crate) const fn from_raw(raw: u64) -> Self {
                $name(raw)
            }

            /// All bits, those without a name included.
            #[must_use]
            pub const fn raw(self) -> u64 {
                self.0
            }

            /// Whether it has all of these.
            #[must_use]
            pub const fn contains(self, flags: $name) -> bool {
                self.0 & flags.0 == flags.0
            }

            /// What the flags with a name mean, and the bits without one.
            fn texts(self) -> (Vec<&'static str>, u64) {
                let mut left = self.0;
                let mut texts = Vec::new();
                for (raw, text) in [$(($raw, $text)),+] {
                    if left & raw != 0 {
                        left &= !raw;
                        texts.push(text);
                    }
                }
                (texts, left)
            }
        }

        impl std::ops::BitOr for $name {
            type Output = Self;

            fn bitor(self, other: Self) -> Self {
                $name(self.0 | other.0)
            }
        }

        impl std::fmt::Display for $name {
            /// What the flags mean, between commas; bits without a name as a number.
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                let (texts, unknown) = self.texts();
                f.write_str(&texts.join(", "))?;
                match (texts.is_empty(), unknown) {
                    (_, 0) => Ok(()),
                    (true, unknown) => write!(f, "{unknown:#x}"),
                    (false, unknown) => write!(f, ", {unknown:#x}"),
                }
            }
        }

        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                write!(f, "{}({self})", stringify!($name))
            }
        }
    };
}

pub(crate) use {driver_enum, driver_flags};
