use std::fmt;

/// A protocol in the kernel, on top of TCP.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum Ulp {
    /// TLS records: `CONFIG_TLS`, the module `tls`. Keys are given to it afterwards.
    Tls,
}

impl fmt::Display for Ulp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Tls => "tls",
        })
    }
}
