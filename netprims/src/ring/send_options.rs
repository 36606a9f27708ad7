use std::num::NonZeroU16;
use std::time::Duration;

use super::AutoPolicy;
use crate::sys::uring::Wish;

/// How to send. A [`ZcPolicy`] converts into it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(default, deny_unknown_fields))]
pub struct SendOptions {
    policy: ZcPolicy,
    within: Option<Duration>,
    segment: u16,
}

/// Whether a send should avoid the copy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum ZcPolicy {
    /// A plain send (`IORING_OP_SEND`): the kernel copies, and the buffer is free with the result.
    Never,
    /// A zero-copy send (`IORING_OP_SEND_ZC`), unless the kernel has none or the socket has refused one: then plain.
    Always,
    /// Zero-copy where it has proved to avoid the copy on this socket, and plain elsewhere: [`AutoPolicy`] says when. It is
    /// the default, since a path shows only when it is used whether it copies, and zero-copy costs more where it does:
    /// `Always` pays on a network card and not over loopback, `Never` the other way round. This one is close to the better
    /// of the two on either. [`Ring::send_stats`](super::Ring::send_stats) tells what it does now.
    Auto(AutoPolicy),
}

impl SendOptions {
    /// The defaults.
    pub const fn new() -> Self {
        Self {
            policy: ZcPolicy::Auto(AutoPolicy::new()),
            within: None,
            segment: 0,
        }
    }

    /// Whether to avoid the copy. Default: [`ZcPolicy::Auto`].
    pub const fn policy(mut self, policy: ZcPolicy) -> Self {
        self.policy = policy;
        self
    }

    /// Gives the send up after this time. Default: never. The time runs from when the kernel is given the send: at the next
    /// [`poll`](super::Ring::poll), and on a stream at its turn, so of several that are queued each has the whole time.
    ///
    /// [`Event::Sent`](super::Event::Sent) then tells `ETIMEDOUT` if nothing was taken, and else how many bytes were. Either
    /// way the message is missing in the stream, and the sends behind it are not sent
    /// ([order](super#short-sends-and-order)). The buffer comes back as always: what TCP has taken without copying is released when the peer
    /// has acknowledged it, however long that takes.
    ///
    /// It costs a request and a completion more, and the send does not share a request with others. With it, a zero-copy
    /// send takes three completions where the ring has room for two: when as many are in flight as can be, the kernel
    /// keeps some back until the ring is polled.
    ///
    /// Source: io_uring_enter(2), `IORING_OP_LINK_TIMEOUT` (Linux 5.5).
    #[doc(alias = "IORING_OP_LINK_TIMEOUT")]
    pub const fn within(mut self, limit: Duration) -> Self {
        self.within = Some(limit);
        self
    }

    pub(super) fn limit(&self) -> Option<Duration> {
        self.within
    }

    /// Has the kernel, or even the NIC, cut what is sent on a UDP socket into datagrams of so many bytes, the last of which may
    /// be shorter. Default, and 0: one datagram, or as the socket has it
    /// ([`udp_segment`](crate::tuning::Tuning::udp_segment)). Other sockets take no notice.
    ///
    /// There may be 64 datagrams, and 65 507 bytes in all over IPv4, 65 527 over IPv6; a datagram and its headers must fit
    /// the path's MTU. What is more ends with `EINVAL` or `EMSGSIZE`, and with `EIO` where the path cannot do it.
    ///
    /// Kernel: Linux 4.18. Source: udp(7).
    #[doc(alias = "UDP_SEGMENT")]
    #[doc(alias = "GSO")]
    pub const fn segment(mut self, bytes: u16) -> Self {
        self.segment = bytes;
        self
    }

    pub(super) fn segment_size(&self) -> Option<NonZeroU16> {
        NonZeroU16::new(self.segment)
    }

    pub(super) fn wish(&self) -> Wish {
        match self.policy {
            ZcPolicy::Never => Wish::Plain,
            ZcPolicy::Always => Wish::ZeroCopy,
            ZcPolicy::Auto(policy) => Wish::Auto(policy),
        }
    }
}

impl From<ZcPolicy> for SendOptions {
    fn from(policy: ZcPolicy) -> Self {
        Self::new().policy(policy)
    }
}

impl Default for ZcPolicy {
    fn default() -> Self {
        Self::Auto(AutoPolicy::new())
    }
}
