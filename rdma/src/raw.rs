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

pub(crate) use driver_enum;
