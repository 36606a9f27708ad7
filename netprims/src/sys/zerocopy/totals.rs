/// What became of all that a sender was given.
///
/// `zero_copied`, `copied` and `plain` add up to the bytes the socket took, once nothing is in flight.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Totals {
    /// Buffers of which the socket took at least a part.
    pub buffers: u64,
    /// Bytes the device read from the buffers.
    pub zero_copied: u64,
    /// Bytes of zero-copy sends that the kernel copied all the same, as over loopback.
    pub copied: u64,
    /// Bytes of plain sends: below the threshold, or where no zero-copy send was possible or worth it
    /// ([`State`](crate::zerocopy::State)).
    pub plain: u64,
    /// Sends that were plain for want of room ([`Limit`](crate::zerocopy::Limit)).
    pub full: u64,
    /// Notifications of sends that are not this sender's. Zero, unless somebody else sends on the socket with
    /// `MSG_ZEROCOPY`.
    pub strays: u64,
}
