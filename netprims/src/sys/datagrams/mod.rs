//! Batches of datagrams: `sendmmsg` and `recvmmsg`.
//!
//! [`Sender`] and [`Receiver`] own the arrays the kernel reads and writes. Every pointer to what the caller has is
//! written right before the system call that uses it, from what is borrowed then; those to what they own themselves are
//! written once where it stays in place. Between calls nothing follows a pointer. Addresses and control messages are
//! bytes here: what they say is for the layer above.

pub(crate) mod control;
mod fixed;
#[cfg(test)]
pub(crate) mod no_offload;
#[cfg(test)]
mod oracle;
mod receiver;
mod sender;
mod single;

use std::ffi::c_int;

pub(crate) use receiver::{Arrival, Receiver};
pub(crate) use sender::{Queue, Sender, Went};
pub(crate) use single::receive_one;

/// As many messages as one call takes (`UIO_MAXIOV` in `include/uapi/linux/uio.h`); the kernel ignores the rest.
pub(crate) const MOST: usize = 1024;

/// Bytes of the longest address, a `struct sockaddr_in6`.
pub(crate) const NAME: usize = size_of::<libc::sockaddr_in6>();

/// Room for the control messages of an outgoing message: all the crate writes, at once.
pub(crate) const CONTROL_OUT: usize = 192;

/// Room for the control messages of an incoming one: all that the options of UDP and TCP sockets add, at once, take
/// about 400 bytes.
pub(crate) const CONTROL_IN: usize = 512;

/// Bytes that begin where a C struct may.
#[derive(Clone, Copy, Debug)]
#[repr(C, align(8))]
struct Aligned<const N: usize>([u8; N]);

const _: () = assert!(align_of::<Aligned<1>>() >= align_of::<libc::cmsghdr>());
const _: () = assert!(align_of::<Aligned<1>>() >= align_of::<libc::sockaddr_in6>());

const NO_DATA: libc::iovec = libc::iovec {
    iov_base: std::ptr::null_mut(),
    iov_len: 0,
};

/// As the C library counts: musl has other types than glibc. What does not fit is 0, which is the lesser harm: nothing
/// is read or written.
fn count<T: TryFrom<usize> + Default>(number: usize) -> T {
    T::try_from(number).unwrap_or_default()
}

fn to_usize(number: impl TryInto<usize>) -> usize {
    number.try_into().unwrap_or(0)
}

/// Flags, of which the C libraries' opinions on the sign differ.
fn flags<T: TryFrom<c_int> + Default>(flags: c_int) -> T {
    T::try_from(flags).unwrap_or_default()
}

/// An address as socket2 hands it to the kernel.
#[cfg(test)]
pub(crate) fn bytes_of(address: &socket2::SockAddr) -> &[u8] {
    let bytes = address.as_ptr().cast();
    // SAFETY: socket2 keeps at least `len` bytes behind that pointer, which are initialised, belong to `address`, and are
    // borrowed with it.
    unsafe { std::slice::from_raw_parts(bytes, to_usize(address.len())) }
}

fn empty() -> libc::msghdr {
    // SAFETY: `msghdr` is a plain C struct of pointers and numbers: all zeroes is the value without name, data and
    // control messages.
    unsafe { std::mem::zeroed() }
}
