//! `recvmmsg`.

use std::ffi::c_int;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

use super::fixed::Fixed;
use super::{Aligned, CONTROL_IN, NAME, count, empty, flags, to_usize};
use crate::sys::rights;

/// The arrays of `recvmmsg` and the buffers messages arrive in, for use again and again.
///
/// Invariants:
///
/// - The `nth` header points to the `nth` of `names`, `data` and `controls`, and the `nth` iovec to the `nth` chunk of
///   `size` bytes of `buffers`, with their lengths. `new` writes the pointers, and nobody else does. They are followed by
///   nothing but the system call in [`receive`](Self::receive).
/// - The lengths are as `new` wrote them, except in the first `arrived + 1` headers, where the kernel has written its
///   own.
pub(crate) struct Receiver {
    headers: Fixed<libc::mmsghdr>,
    /// Only the kernel reads them.
    _data: Fixed<libc::iovec>,
    names: Fixed<Aligned<NAME>>,
    controls: Fixed<Aligned<CONTROL_IN>>,
    /// `size` bytes for each message, one after the other.
    pub(super) buffers: Fixed<u8>,
    /// Never 0.
    size: usize,
    /// How many messages the last call brought.
    arrived: usize,
}

// SAFETY: the raw pointers are what keeps the type from being `Send`. They lead to what the receiver owns, which stays in
// place when it is moved. By the invariant nothing follows them outside of `receive`, which borrows the receiver for
// writing.
unsafe impl Send for Receiver {}

// SAFETY: the methods that take `&self` read numbers from the headers, and bytes of the other arrays by index; none
// follows or hands out a pointer.
unsafe impl Sync for Receiver {}

/// A message that arrived.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Arrival<'a> {
    pub(crate) bytes: &'a [u8],
    pub(crate) name: &'a [u8],
    pub(crate) control: &'a [u8],
    /// The rest of the message was thrown away.
    pub(crate) data_cut: bool,
    /// The kernel had more control messages than it delivered.
    pub(crate) control_cut: bool,
}

impl Receiver {
    /// Room for that many messages a call, of that many bytes each, which is at least one.
    pub(crate) fn new(messages: usize, size: usize) -> Self {
        let size = size.max(1);
        let names = Fixed::new(vec![Aligned([0; NAME]); messages]);
        let controls = Fixed::new(vec![Aligned([0; CONTROL_IN]); messages]);
        // What overflows is more memory than there is.
        let buffers = Fixed::new(vec![0_u8; messages.saturating_mul(size)]);
        let chunk = |nth| libc::iovec {
            iov_base: buffers.pointer(nth * size).cast(),
            iov_len: size,
        };
        let data = Fixed::new((0..messages).map(chunk).collect());
        let header = |nth| {
            let mut header = empty();
            header.msg_name = names.pointer(nth).cast();
            header.msg_iov = data.pointer(nth);
            header.msg_iovlen = count(1);
            header.msg_control = controls.pointer(nth).cast();
            set_lengths(&mut header);
            libc::mmsghdr {
                msg_hdr: header,
                msg_len: 0,
            }
        };
        Self {
            headers: Fixed::new((0..messages).map(header).collect()),
            _data: data,
            names,
            controls,
            buffers,
            size,
            arrived: 0,
        }
    }

    pub(crate) fn capacity(&self) -> usize {
        self.headers.len()
    }

    pub(crate) fn size(&self) -> usize {
        self.size
    }

    /// `recvmmsg`: waits for the first message if `wait` and the socket say so, and takes what else is there. What an
    /// earlier call brought is gone, whatever comes of this one.
    ///
    /// Descriptors that a Unix socket brings are closed: nobody asked for any.
    pub(crate) fn receive(&mut self, socket: BorrowedFd<'_>, wait: bool) -> io::Result<usize> {
        // Those of the last call, and the one behind, in case it failed half way.
        for header in self.headers.all_mut().iter_mut().take(self.arrived + 1) {
            set_lengths(&mut header.msg_hdr);
        }
        self.arrived = 0;
        let now = if wait { 0 } else { libc::MSG_DONTWAIT };
        let how = flags(libc::MSG_WAITFORONE | libc::MSG_CMSG_CLOEXEC | now);
        let messages = count(self.headers.len());
        let headers = self.headers.pointer(0);
        let forever = std::ptr::null_mut();
        // SAFETY: the kernel reads and writes `messages` headers, which is how many `headers` points to. To each
        // message's name, data and control messages it writes at most the length the header and the iovec say. By the
        // first invariant these are elements of `names`, `data` and `controls` and a chunk of `buffers`, which are in
        // place; by the second the lengths are theirs, since the loop above has just set those the kernel had changed:
        // it writes to headers of messages it delivers, and counts these, but for one it fails at. All of it belongs to
        // `self`, which is borrowed for writing, is used for nothing else until the call is over, and takes every bit
        // pattern. No time is given. The socket is open: its owner is borrowed.
        let result = unsafe { libc::recvmmsg(socket.as_raw_fd(), headers, messages, how, forever) };
        // Negative is an error.
        let arrived = usize::try_from(result).map_err(|_| io::Error::last_os_error())?;
        self.arrived = arrived.min(self.headers.len());
        self.close_descriptors();
        Ok(self.arrived)
    }

    /// The `nth` message of the last call.
    pub(crate) fn arrival(&self, nth: usize) -> Option<Arrival<'_>> {
        if nth >= self.arrived {
            return None;
        }
        let header = self.headers.all().get(nth)?;
        let buffer = self
            .buffers
            .all()
            .get(nth * self.size..)?
            .get(..self.size)?;
        // The kernel's lengths, believed as far as the memory goes. That of the name is of the whole name, even if it
        // was cut.
        let name = to_usize(header.msg_hdr.msg_namelen).min(NAME);
        let flags: c_int = header.msg_hdr.msg_flags;
        Some(Arrival {
            bytes: buffer.get(..to_usize(header.msg_len).min(self.size))?,
            name: self.names.all().get(nth)?.0.get(..name)?,
            control: self.control(nth)?,
            data_cut: flags & libc::MSG_TRUNC != 0,
            control_cut: flags & libc::MSG_CTRUNC != 0,
        })
    }

    /// Closes what the last call has opened.
    fn close_descriptors(&mut self) {
        for nth in 0..self.arrived {
            let len = self.control_len(nth);
            let control = self.controls.all_mut().get_mut(nth);
            let control = control.and_then(|control| control.0.get_mut(..len));
            // SAFETY: the kernel has written these bytes in the call that has just ended: they are of a message that
            // arrived, and as many as it says it wrote. `receive` comes here once after each call, before anybody else
            // sees them.
            unsafe { rights::close_all(control.unwrap_or_default()) };
        }
    }

    fn control(&self, nth: usize) -> Option<&[u8]> {
        let len = self.control_len(nth);
        self.controls.all().get(nth)?.0.get(..len)
    }

    /// The kernel's length, believed as far as the memory goes.
    fn control_len(&self, nth: usize) -> usize {
        let header = self.headers.all().get(nth);
        header.map_or(0, |header| {
            to_usize(header.msg_hdr.msg_controllen).min(CONTROL_IN)
        })
    }

    /// How many messages the last call brought.
    pub(crate) fn arrived(&self) -> usize {
        self.arrived
    }

    #[cfg(test)]
    pub(super) fn names(&self) -> Vec<&[u8]> {
        self.names.all().iter().map(|name| &name.0[..]).collect()
    }

    #[cfg(test)]
    pub(super) fn controls(&self) -> Vec<&[u8]> {
        let controls = self.controls.all().iter();
        controls.map(|control| &control.0[..]).collect()
    }

    /// Fills every byte the kernel may write, so that what it wrote shows.
    #[cfg(test)]
    pub(super) fn paint(&mut self, canary: u8) {
        self.buffers.all_mut().fill(canary);
        for name in self.names.all_mut() {
            name.0.fill(canary);
        }
        for control in self.controls.all_mut() {
            control.0.fill(canary);
        }
    }
}

/// What the kernel may write to.
fn set_lengths(header: &mut libc::msghdr) {
    header.msg_namelen = count(NAME);
    header.msg_controllen = count(CONTROL_IN);
    header.msg_flags = 0;
}
