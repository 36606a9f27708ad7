use std::io;
use std::net::SocketAddr;

use super::message::Message;

/// The kernel's side of a socket that sends without copying.
///
/// # Safety
///
/// The engine lends memory on the word of an implementation. It must
///
/// - count a zero-copy send that succeeds, with bytes in it, exactly once, and one that fails on a stream, or with
///   `EAGAIN`, not at all;
/// - of a datagram whose zero-copy send failed and was counted, have posted the notification, unless it may leave in
///   [several packets](Kernel::is_one_packet) and [`may_leave_parts`] says so of the error;
/// - not count one that failed with `ENOBUFS`, unless it [tells device errors](Kernel::tells_device_errors);
/// - return from [`message`](Kernel::message) only what the kernel posted, unchanged, each message once;
/// - after the last notification of a send let nobody read its memory, and never write it.
pub(crate) unsafe trait Kernel {
    /// Sends from memory; again if a signal interrupts. After a zero-copy send the memory is read until the send's notification has come.
    fn send(&mut self, bytes: &[u8], to: Option<SocketAddr>, zero_copy: bool) -> io::Result<usize>;

    /// Takes the next message of the error queue; `None` if it is empty.
    fn message(&mut self) -> io::Result<Option<Received>>;

    /// Whether a byte stream: may take a part, and counts no failed send.
    fn is_stream(&self) -> bool;

    /// Whether a send's `ENOBUFS` may come from a device's queue.
    fn tells_device_errors(&self) -> bool;

    /// Whether a datagram is surely longer than a packet on its way. The kernel copies such a one in any case.
    fn is_cut(&self, bytes: usize, to: Option<SocketAddr>) -> bool;

    /// Whether a datagram surely leaves in one packet, and did so just now.
    fn is_one_packet(&self, bytes: usize, to: Option<SocketAddr>) -> bool;
}

/// A message of the error queue.
#[expect(
    clippy::large_enum_variant,
    reason = "a box for every timestamp would be an allocation for every send"
)]
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Received {
    /// The kernel is done with the sends it has counted from `first` to `last`.
    Done { first: u32, last: u32, copied: bool },
    /// Something else.
    Other(Message),
}

/// What fails before a datagram is built, or reaches no socket. To look for its notification would be in vain, and take
/// others from the queue that a waiting user is to be woken for.
pub(super) fn is_never_counted(errno: i32, tells_device_errors: bool) -> bool {
    match errno {
        libc::EAGAIN | libc::EBADF | libc::ENOTSOCK => true,
        // Without IP_RECVERR the kernel keeps a full device queue to itself (`udp_send_skb`): it is short of memory.
        libc::ENOBUFS => !tells_device_errors,
        _ => false,
    }
}

/// Whether some packets of a datagram may be under way although its zero-copy send failed.
///
/// The kernel counts a datagram when it is built, takes that back if building fails, and does not take it back when it
/// then cannot be handed down: a firewall or a full device queue makes the send fail, and its notification comes all the
/// same. It has come when the send returns, if no packet is left. One of several may fail with others on their way, with
/// whatever a route's program, a tunnel, a neighbour or a device says. What is listed here comes from nowhere there: wrong
/// arguments, and the errors an ICMP message left on the socket (`icmp_err_convert`).
/// Source: `udp_sendmsg`, `__ip_append_data` and `ip_do_fragment` in `net/ipv4`, `msg_zerocopy_put_abort`.
pub(super) fn may_leave_parts(errno: i32) -> bool {
    !matches!(
        errno,
        libc::EINTR
            | libc::EDESTADDRREQ
            | libc::ENOTCONN
            | libc::EPIPE
            | libc::EFAULT
            | libc::EAFNOSUPPORT
            | libc::ECONNREFUSED
            | libc::EHOSTDOWN
            | libc::ENONET
            | libc::ENOPROTOOPT
            | libc::EPROTO
            | libc::EOPNOTSUPP
    )
}
