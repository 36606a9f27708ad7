/// Why data sent with the first segment of a connection (TCP Fast Open) did not arrive with it, seen from the client.
///
/// Source: `enum tcp_fastopen_client_fail` in `include/uapi/linux/tcp.h`, Linux 5.5.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FastOpenFailure {
    /// No failure, not tried, or not told; always so before Linux 5.5.
    #[doc(alias = "TFO_STATUS_UNSPEC")]
    Unspecified,
    /// There was no cookie for the server.
    #[doc(alias = "TFO_COOKIE_UNAVAILABLE")]
    NoCookie,
    /// The server did not acknowledge the data with the connection.
    #[doc(alias = "TFO_DATA_NOT_ACKED")]
    NotAcknowledged,
    /// The first segment had to be sent again, after a timeout.
    #[doc(alias = "TFO_SYN_RETRANSMITTED")]
    SentAgain,
}

impl FastOpenFailure {
    /// The lowest two bits.
    pub(super) fn from_bits(bits: u8) -> Self {
        match bits & 3 {
            0 => Self::Unspecified,
            1 => Self::NoCookie,
            2 => Self::NotAcknowledged,
            _ => Self::SentAgain,
        }
    }
}
