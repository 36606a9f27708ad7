use std::fmt;

/// A setting that is in effect as requested and may not do what its user expects.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum Warning {
    /// Setting the receive buffer turned TCP's autotuning off, and the buffer is smaller than autotuning would have
    /// let it grow.
    #[non_exhaustive]
    AutotuningOff {
        /// The option, by its C name.
        option: &'static str,
        /// The buffer in effect, in bytes as the kernel counts them.
        effective: u64,
        /// The sysctl with autotuning's ceiling, its third number.
        sysctl: &'static str,
        /// That ceiling in bytes.
        ceiling: u64,
    },
    /// The window scale was agreed in the handshake before the buffer grew, so the window may not follow it.
    WindowScaleFixed,
    /// Busy polling has no queue to poll: the connection's packets come from a device without NAPI, such as loopback
    /// or veth, or none has come yet.
    NoNapi,
    /// A sysctl keeps the option from having its effect.
    #[non_exhaustive]
    WithoutEffect {
        /// The option, by its C name.
        option: &'static str,
        /// The sysctl.
        sysctl: &'static str,
        /// Its value.
        value: String,
        /// How it does.
        reason: &'static str,
    },
    /// The kernel takes the option from a socket that has no use for it. The one warning that is an error of a
    /// [`strict`](super::Tuning::strict) tuning.
    #[non_exhaustive]
    OtherSockets {
        /// The option, by its C name.
        option: &'static str,
        /// On which sockets it has an effect.
        sockets: &'static str,
    },
    /// When and how often to probe an idle connection was said, and not that it is to be probed.
    KeepaliveOff,
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AutotuningOff { option, effective, sysctl, ceiling } => write!(
                f,
                "{option}: autotuning is off now, and {effective} bytes is less than the {ceiling} bytes it could \
                 have reached ({sysctl}); without the option the buffer would grow as needed"
            ),
            Self::WindowScaleFixed => f.write_str(
                "SO_RCVBUF: the window scale was agreed in the handshake; set the buffer before connect or listen \
                 for a window above 64 KiB",
            ),
            Self::WithoutEffect { option, sysctl, value, reason } => {
                write!(f, "{option}: {sysctl} is {value}: {reason}")
            }
            Self::OtherSockets { option, sockets } => {
                write!(f, "{option}: it has an effect on {sockets} sockets, which this is not")
            }
            Self::KeepaliveOff => f.write_str(
                "SO_KEEPALIVE is off: TCP_KEEPIDLE, TCP_KEEPINTVL and TCP_KEEPCNT have no effect without it",
            ),
            Self::NoNapi => f.write_str(
                "SO_BUSY_POLL: the socket has no NAPI id, so there is nothing to poll: its packets come over \
                 loopback, veth or another device without NAPI, or none has come yet",
            ),
        }
    }
}
