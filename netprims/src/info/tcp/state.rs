/// The state of a TCP socket.
///
/// Source: RFC 9293, `include/net/tcp_states.h`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TcpState {
    /// Connected.
    #[doc(alias = "TCP_ESTABLISHED")]
    Established,
    /// Connecting: no answer yet.
    #[doc(alias = "TCP_SYN_SENT")]
    SynSent,
    /// Being connected to: the peer has not confirmed yet.
    #[doc(alias = "TCP_SYN_RECV")]
    SynReceived,
    /// Shut down on this side; the peer has not acknowledged that.
    #[doc(alias = "TCP_FIN_WAIT1")]
    FinWait1,
    /// Shut down on this side; the peer may still send.
    #[doc(alias = "TCP_FIN_WAIT2")]
    FinWait2,
    /// Over, waiting for late segments.
    #[doc(alias = "TCP_TIME_WAIT")]
    TimeWait,
    /// Not connected: not yet, or not any more.
    #[doc(alias = "TCP_CLOSE")]
    Closed,
    /// Shut down by the peer; this side may still send.
    #[doc(alias = "TCP_CLOSE_WAIT")]
    CloseWait,
    /// Shut down by the peer and then here; the peer has not acknowledged that.
    #[doc(alias = "TCP_LAST_ACK")]
    LastAck,
    /// Listening.
    #[doc(alias = "TCP_LISTEN")]
    Listen,
    /// Shut down on both sides at once; the peer has not acknowledged that.
    #[doc(alias = "TCP_CLOSING")]
    Closing,
    /// One this crate does not know, by its number.
    Unknown(u8),
}

impl From<u8> for TcpState {
    /// By the kernel's number.
    fn from(number: u8) -> Self {
        match number {
            1 => Self::Established,
            2 => Self::SynSent,
            3 => Self::SynReceived,
            4 => Self::FinWait1,
            5 => Self::FinWait2,
            6 => Self::TimeWait,
            7 => Self::Closed,
            8 => Self::CloseWait,
            9 => Self::LastAck,
            10 => Self::Listen,
            11 => Self::Closing,
            unknown => Self::Unknown(unknown),
        }
    }
}
