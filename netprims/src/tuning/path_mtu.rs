use std::fmt;

/// How a socket finds the largest packet its path takes, and whether it lets routers cut packets.
///
/// Source: ip(7), `include/uapi/linux/in.h`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum PathMtu {
    /// Not at all; routers may cut every packet.
    #[doc(alias = "IP_PMTUDISC_DONT")]
    Dont,
    /// By what routers report; this host cuts a datagram that is larger.
    #[doc(alias = "IP_PMTUDISC_WANT")]
    Want,
    /// By what routers report; a datagram that is larger is refused with `EMSGSIZE`.
    #[doc(alias = "IP_PMTUDISC_DO")]
    Do,
    /// As `Do`, but without heed to what routers reported, for programs that probe the path themselves.
    #[doc(alias = "IP_PMTUDISC_PROBE")]
    Probe,
    /// The interface's MTU; what routers report is not believed, and larger datagrams are refused.
    #[doc(alias = "IP_PMTUDISC_INTERFACE")]
    Interface,
    /// As `Interface`, but larger datagrams are cut.
    #[doc(alias = "IP_PMTUDISC_OMIT")]
    Omit,
    /// A mode this crate does not know. Asking for it is left to the kernel to refuse.
    #[cfg_attr(feature = "serde", serde(skip_deserializing))]
    Unknown(u32),
}

impl PathMtu {
    pub(super) fn raw(self) -> u32 {
        match self {
            Self::Dont => 0,
            Self::Want => 1,
            Self::Do => 2,
            Self::Probe => 3,
            Self::Interface => 4,
            Self::Omit => 5,
            Self::Unknown(raw) => raw,
        }
    }

    pub(super) fn of_raw(raw: u32) -> Self {
        match raw {
            0 => Self::Dont,
            1 => Self::Want,
            2 => Self::Do,
            3 => Self::Probe,
            4 => Self::Interface,
            5 => Self::Omit,
            raw => Self::Unknown(raw),
        }
    }
}

impl fmt::Display for PathMtu {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dont => f.write_str("dont"),
            Self::Want => f.write_str("want"),
            Self::Do => f.write_str("do"),
            Self::Probe => f.write_str("probe"),
            Self::Interface => f.write_str("interface"),
            Self::Omit => f.write_str("omit"),
            Self::Unknown(raw) => write!(f, "mode {raw}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_is_a_mode() {
        for raw in (0..10).chain([u32::MAX]) {
            assert_eq!(PathMtu::of_raw(raw).raw(), raw);
        }
    }
}
