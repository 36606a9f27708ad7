/// How the sender takes what it sees of the network.
///
/// Source: `enum tcp_ca_state` in `include/uapi/linux/tcp.h`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum CongestionState {
    /// Nothing bad lately.
    #[doc(alias = "TCP_CA_Open")]
    Open,
    /// Acknowledgements out of order: loss, or reordering.
    #[doc(alias = "TCP_CA_Disorder")]
    Disorder,
    /// The window is being reduced: the network marked congestion, or a queue of this host dropped.
    #[doc(alias = "TCP_CA_CWR")]
    WindowReduced,
    /// Sending again what acknowledgements show to be lost.
    #[doc(alias = "TCP_CA_Recovery")]
    Recovery,
    /// Sending again after a timeout.
    #[doc(alias = "TCP_CA_Loss")]
    Loss,
    /// One this crate does not know, by its number.
    Unknown(u8),
}

impl From<u8> for CongestionState {
    /// By the kernel's number.
    fn from(number: u8) -> Self {
        match number {
            0 => Self::Open,
            1 => Self::Disorder,
            2 => Self::WindowReduced,
            3 => Self::Recovery,
            4 => Self::Loss,
            unknown => Self::Unknown(unknown),
        }
    }
}
