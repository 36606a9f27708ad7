use std::fmt;

/// Which packets the kernel stamps with the time, and what it reports of the stamps.
///
/// ```
/// use netprims::tuning::{Timestamping, Tuning};
///
/// const STAMPS: Timestamping = Timestamping::RX_SOFTWARE.and(Timestamping::SOFTWARE);
/// const TUNING: Tuning = Tuning::new().timestamping(STAMPS);
/// ```
///
/// With `serde` it is a list of the names, in lower case.
///
/// Source: `Documentation/networking/timestamping.rst`, `include/uapi/linux/net_tstamp.h`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Timestamping(u32);

const NAMES: [(&str, Timestamping); 13] = [
    ("tx_hardware", Timestamping::TX_HARDWARE),
    ("tx_software", Timestamping::TX_SOFTWARE),
    ("rx_hardware", Timestamping::RX_HARDWARE),
    ("rx_software", Timestamping::RX_SOFTWARE),
    ("software", Timestamping::SOFTWARE),
    ("raw_hardware", Timestamping::RAW_HARDWARE),
    ("opt_id", Timestamping::OPT_ID),
    ("tx_sched", Timestamping::TX_SCHED),
    ("tx_ack", Timestamping::TX_ACK),
    ("opt_cmsg", Timestamping::OPT_CMSG),
    ("opt_tsonly", Timestamping::OPT_TSONLY),
    ("opt_pktinfo", Timestamping::OPT_PKTINFO),
    ("opt_tx_swhw", Timestamping::OPT_TX_SWHW),
];

impl Timestamping {
    /// Nothing.
    pub const NONE: Self = Self(0);
    /// Sent packets, by the NIC.
    #[doc(alias = "SOF_TIMESTAMPING_TX_HARDWARE")]
    pub const TX_HARDWARE: Self = Self(0x1);
    /// Sent packets, when the driver has them.
    #[doc(alias = "SOF_TIMESTAMPING_TX_SOFTWARE")]
    pub const TX_SOFTWARE: Self = Self(0x2);
    /// Received packets, by the NIC.
    #[doc(alias = "SOF_TIMESTAMPING_RX_HARDWARE")]
    pub const RX_HARDWARE: Self = Self(0x4);
    /// Received packets, when they enter the kernel.
    #[doc(alias = "SOF_TIMESTAMPING_RX_SOFTWARE")]
    pub const RX_SOFTWARE: Self = Self(0x8);
    /// Report the kernel's stamps.
    #[doc(alias = "SOF_TIMESTAMPING_SOFTWARE")]
    pub const SOFTWARE: Self = Self(0x10);
    /// Report the NIC's stamps, by its own clock.
    #[doc(alias = "SOF_TIMESTAMPING_RAW_HARDWARE")]
    pub const RAW_HARDWARE: Self = Self(0x40);
    /// Number the stamps of sent packets. On TCP only a connected socket may ask for it.
    #[doc(alias = "SOF_TIMESTAMPING_OPT_ID")]
    pub const OPT_ID: Self = Self(0x80);
    /// Sent packets, when they enter the queueing discipline.
    #[doc(alias = "SOF_TIMESTAMPING_TX_SCHED")]
    pub const TX_SCHED: Self = Self(0x100);
    /// Sent bytes, when the peer has acknowledged them. TCP only.
    #[doc(alias = "SOF_TIMESTAMPING_TX_ACK")]
    pub const TX_ACK: Self = Self(0x200);
    /// Send the stamp with every control message that can carry it.
    #[doc(alias = "SOF_TIMESTAMPING_OPT_CMSG")]
    pub const OPT_CMSG: Self = Self(0x400);
    /// Return the stamp without the packet.
    #[doc(alias = "SOF_TIMESTAMPING_OPT_TSONLY")]
    pub const OPT_TSONLY: Self = Self(0x800);
    /// Name the interface with a hardware stamp.
    #[doc(alias = "SOF_TIMESTAMPING_OPT_PKTINFO")]
    pub const OPT_PKTINFO: Self = Self(0x2000);
    /// Report both stamps of a sent packet.
    #[doc(alias = "SOF_TIMESTAMPING_OPT_TX_SWHW")]
    pub const OPT_TX_SWHW: Self = Self(0x4000);

    /// Both.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether all of `other` is in it.
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// The kernel's flags. Flags this crate does not name are kept.
    pub const fn raw(self) -> u32 {
        self.0
    }

    pub(super) fn of_raw(raw: u32) -> Self {
        Self(raw)
    }

    fn names(self) -> impl Iterator<Item = &'static str> {
        let in_it = move |(_, flag): &&(&str, Self)| self.contains(*flag);
        NAMES.iter().filter(in_it).map(|(name, _)| *name)
    }
}

impl fmt::Display for Timestamping {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let known = NAMES.iter().fold(0, |known, (_, flag)| known | flag.0);
        let mut names: Vec<_> = self.names().map(str::to_owned).collect();
        if self.0 & !known != 0 {
            names.push(format!("{:#x}", self.0 & !known));
        }
        if names.is_empty() {
            names.push("nothing".to_owned());
        }
        f.write_str(&names.join("+"))
    }
}

#[cfg(feature = "serde")]
impl serde::Serialize for Timestamping {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.names())
    }
}

#[cfg(feature = "serde")]
impl<'de> serde::Deserialize<'de> for Timestamping {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let names = Vec::<String>::deserialize(deserializer)?;
        names.iter().try_fold(Self::NONE, |all, name| {
            let found = NAMES.iter().find(|(known, _)| known == name);
            let (_, flag) = found
                .ok_or_else(|| serde::de::Error::custom(format!("no timestamping {name:?}")))?;
            Ok(all.and(*flag))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_shown_by_its_names() {
        let stamps = Timestamping::RX_SOFTWARE.and(Timestamping::SOFTWARE);
        assert_eq!(stamps.to_string(), "rx_software+software");
        assert_eq!(Timestamping::NONE.to_string(), "nothing");
        assert_eq!(Timestamping::of_raw(1 << 30).to_string(), "0x40000000");
        assert!(stamps.contains(Timestamping::SOFTWARE));
        assert!(!stamps.contains(Timestamping::OPT_ID));
    }
}
