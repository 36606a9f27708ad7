use std::fmt;

/// Whether a sender sends without copying.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum State {
    /// It does.
    ZeroCopy,
    /// The kernel copied the last sends all the same, as it does over loopback, and a plain send is cheaper then: sends are
    /// plain, but for one in 256, which tries again. See [`give_up_after`](crate::zerocopy::ZeroCopyOptions::give_up_after).
    GivenUp,
    /// A TCP socket refuses such sends, as kernel TLS does (`EOPNOTSUPP`): all sends are plain.
    Refused,
    /// A datagram could not be sent, and the kernel did not say whether it counted it
    /// ([`NotSent`](crate::zerocopy::NotSent)). Sends are plain until it does: a count that is off by one would give back the
    /// wrong buffers. If it was not counted that is for good: make another socket, or connect this kind.
    InDoubt,
    /// The kernel gave back a send that is not this sender's: somebody else sends with `MSG_ZEROCOPY` on the socket. No
    /// buffer of a zero-copy send is given back any more, and sends are plain.
    Disturbed,
}

/// Why no zero-copy send has room.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Limit {
    /// As many buffers are in flight as the sender was made for.
    InFlight,
    /// The kernel's answer was `ENOBUFS`: the notifications of what is in flight take all of `net.core.optmem_max` or, for
    /// a process without CAP_IPC_LOCK, the pages all of `RLIMIT_MEMLOCK`. The sysctl is of the socket's network namespace,
    /// by default 128 KiB; before Linux 6.8 it is the machine's, by default 20 KiB, which is some 25 datagrams.
    #[doc(alias = "ENOBUFS")]
    Kernel,
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::InFlight => {
                "as many buffers are in flight as the sender was made for; reap, or make it with a larger in_flight"
            }
            Self::Kernel => {
                "ENOBUFS; reap, or raise net.core.optmem_max and, without CAP_IPC_LOCK, RLIMIT_MEMLOCK"
            }
        })
    }
}
