/// What became of the bytes of a send.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum Usage {
    /// All of them were read from the buffer by the device.
    ZeroCopied,
    /// The kernel copied them, or a part of them: the send was plain, the socket's family or protocol needs a copy, or
    /// the packet went to a local receiver (loopback and veth always copy).
    Copied,
    /// No byte of the buffer was sent: the send failed, or took nothing.
    NotSent,
    /// The kernel does not tell (Linux 6.0).
    Unknown,
}
