use std::fmt;

/// What both ends agreed on when they connected, and what was seen since.
///
/// Source: `TCPI_OPT_*` in `include/uapi/linux/tcp.h`.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct TcpOptions {
    bits: u8,
}

impl TcpOptions {
    pub(super) const fn from_bits(bits: u8) -> Self {
        Self { bits }
    }

    /// As the kernel wrote them.
    pub const fn bits(self) -> u8 {
        self.bits
    }

    /// Segments carry timestamps.
    #[doc(alias = "TCPI_OPT_TIMESTAMPS")]
    pub const fn timestamps(self) -> bool {
        self.has(1)
    }

    /// The receiver tells which segments came out of order (SACK).
    #[doc(alias = "TCPI_OPT_SACK")]
    pub const fn selective_acks(self) -> bool {
        self.has(2)
    }

    /// Windows are scaled, by [`window_scale`](super::TcpInfo::window_scale).
    #[doc(alias = "TCPI_OPT_WSCALE")]
    pub const fn window_scaling(self) -> bool {
        self.has(4)
    }

    /// Explicit congestion notification was agreed on.
    #[doc(alias = "TCPI_OPT_ECN")]
    pub const fn ecn(self) -> bool {
        self.has(8)
    }

    /// A packet came that the network may mark for congestion.
    #[doc(alias = "TCPI_OPT_ECN_SEEN")]
    pub const fn ecn_seen(self) -> bool {
        self.has(16)
    }

    /// Data went with the first segment and was acknowledged with the second (TCP Fast Open). Linux 3.7.
    #[doc(alias = "TCPI_OPT_SYN_DATA")]
    pub const fn syn_data(self) -> bool {
        self.has(32)
    }

    /// Timestamps count microseconds. Linux 6.7.
    #[doc(alias = "TCPI_OPT_USEC_TS")]
    pub const fn microsecond_timestamps(self) -> bool {
        self.has(64)
    }

    /// The connection was accepted by TCP Fast Open, with data or without. Linux 6.16.
    #[doc(alias = "TCPI_OPT_TFO_CHILD")]
    pub const fn fastopen_accepted(self) -> bool {
        self.has(128)
    }

    const fn has(self, bit: u8) -> bool {
        self.bits & bit != 0
    }
}

impl fmt::Debug for TcpOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = [
            "timestamps",
            "selective_acks",
            "window_scaling",
            "ecn",
            "ecn_seen",
            "syn_data",
            "microsecond_timestamps",
            "fastopen_accepted",
        ];
        let set = (0..).zip(names).filter(|(bit, _)| self.has(1 << bit));
        f.debug_set().entries(set.map(|(_, name)| name)).finish()
    }
}

/// By how many bits the windows in segments are shifted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WindowScale {
    /// Of those the peer announces. 0 to 14.
    #[doc(alias = "tcpi_snd_wscale")]
    pub send: u8,
    /// Of those this end announces. 0 to 14.
    #[doc(alias = "tcpi_rcv_wscale")]
    pub receive: u8,
}

impl WindowScale {
    /// A byte of two bit fields, of which a compiler puts the first into the lower half on a little-endian machine.
    pub(super) const fn from_bits(bits: u8) -> Self {
        let [low, high] = [bits & 15, bits >> 4];
        if cfg!(target_endian = "little") {
            Self {
                send: low,
                receive: high,
            }
        } else {
            Self {
                send: high,
                receive: low,
            }
        }
    }
}
