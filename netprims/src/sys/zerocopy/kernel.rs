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
/// - of a datagram whose zero-copy send failed and was counted, have posted the notification, unless [`leaves_parts`]
///   says that it may be late;
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

/// Whether a part of a datagram may be under way although its zero-copy send failed.
///
/// The kernel counts a datagram when it is built and does not take that back when it then cannot be handed down: a
/// firewall or a full device queue makes the send fail, and its notification comes all the same. It has come when the
/// send returns, if no part is left. What is listed here fails before the datagram is built, or for the whole of it;
/// what is not may fail for a fragment, with others on their way.
/// Source: `udp_sendmsg`, `__ip_append_data` and `ip_do_fragment` in `net/ipv4`.
pub(super) fn leaves_parts(errno: i32, tells_device_errors: bool) -> bool {
    match errno {
        libc::EINTR
        | libc::EMSGSIZE
        | libc::EINVAL
        | libc::EPERM
        | libc::EACCES
        | libc::EDESTADDRREQ
        | libc::ECONNREFUSED
        | libc::ENETUNREACH
        | libc::EHOSTUNREACH
        | libc::EPIPE
        | libc::EFAULT
        | libc::EOPNOTSUPP
        | libc::EAFNOSUPPORT => false,
        // Without IP_RECVERR the kernel keeps a full device queue to itself (`udp_send_skb`): it is short of memory.
        libc::ENOBUFS => tells_device_errors,
        _ => true,
    }
}
