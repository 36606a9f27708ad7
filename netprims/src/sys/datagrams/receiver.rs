//! `recvmmsg`.

use std::ffi::c_int;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

use super::{Aligned, CONTROL_IN, NAME, NO_DATA, count, empty, flags, to_usize};
use crate::sys::rights;

/// The arrays of `recvmmsg` and the buffers messages arrive in, for use again and again.
///
/// Invariant: the pointers in `headers` and `data` are followed by nothing but the system call in
/// [`receive`](Self::receive), which writes all of them right before.
pub(crate) struct Receiver {
    headers: Box<[libc::mmsghdr]>,
    data: Box<[libc::iovec]>,
    names: Box<[Aligned<NAME>]>,
    controls: Box<[Aligned<CONTROL_IN>]>,
    /// `size` bytes for each message, one after the other.
    pub(super) buffers: Box<[u8]>,
    /// Never 0.
    size: usize,
    /// How many messages the last call brought.
    arrived: usize,
}

// SAFETY: the raw pointers are what keeps the type from being `Send`. By the invariant nothing follows them outside of
// `receive`, which borrows the receiver for writing: meanwhile it cannot be moved.
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
        let header = libc::mmsghdr {
            msg_hdr: empty(),
            msg_len: 0,
        };
        let size = size.max(1);
        Self {
            headers: vec![header; messages].into(),
            data: vec![NO_DATA; messages].into(),
            names: vec![Aligned([0; NAME]); messages].into(),
            controls: vec![Aligned([0; CONTROL_IN]); messages].into(),
            buffers: vec![0; messages * size].into(),
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
        self.arrived = 0;
        let buffers = self.buffers.chunks_exact_mut(self.size);
        let parts = self.data.iter_mut().zip(buffers);
        let parts = parts.zip(self.names.iter_mut().zip(self.controls.iter_mut()));
        for (header, ((data, buffer), (name, control))) in self.headers.iter_mut().zip(parts) {
            data.iov_base = buffer.as_mut_ptr().cast();
            data.iov_len = buffer.len();
            let header = &mut header.msg_hdr;
            header.msg_name = name.0.as_mut_ptr().cast();
            header.msg_namelen = count(NAME);
            header.msg_iov = data;
            header.msg_iovlen = count(1);
            header.msg_control = control.0.as_mut_ptr().cast();
            header.msg_controllen = count(CONTROL_IN);
            header.msg_flags = 0;
        }
        let now = if wait { 0 } else { libc::MSG_DONTWAIT };
        let how = flags(libc::MSG_WAITFORONE | libc::MSG_CMSG_CLOEXEC | now);
        let messages = count(self.headers.len());
        let headers = self.headers.as_mut_ptr();
        let forever = std::ptr::null_mut();
        // SAFETY: the kernel reads and writes `messages` headers, which is how many `headers` points to. To each
        // message's name, data and control messages it writes at most the length the header and the iovec say. The loop
        // above has just pointed every header and iovec to an element of `names`, `data` and `controls` and to a chunk of
        // `buffers`, with that element's length: there are as many of each as there are headers (`new`). All of it
        // belongs to `self`, which is borrowed for writing, is used for nothing else until the call is over, and takes
        // every bit pattern. No time is given. The socket is open: its owner is borrowed.
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
        let header = self.headers.get(nth)?;
        let buffer = self.buffers.get(nth * self.size..)?.get(..self.size)?;
        // The kernel's lengths, believed as far as the memory goes. That of the name is of the whole name, even if it
        // was cut.
        let name = to_usize(header.msg_hdr.msg_namelen).min(NAME);
        let flags: c_int = header.msg_hdr.msg_flags;
        Some(Arrival {
            bytes: buffer.get(..to_usize(header.msg_len).min(self.size))?,
            name: self.names.get(nth)?.0.get(..name)?,
            control: self.control(nth)?,
            data_cut: flags & libc::MSG_TRUNC != 0,
            control_cut: flags & libc::MSG_CTRUNC != 0,
        })
    }

    /// Closes what the last call has opened.
    fn close_descriptors(&self) {
        for control in (0..self.arrived).filter_map(|nth| self.control(nth)) {
            // SAFETY: the kernel has written these bytes in the call that has just ended: they are of a message that
            // arrived, and as many as it says it wrote. `receive` comes here once after each call, before anybody else
            // sees them.
            unsafe { rights::close_all(control) };
        }
    }

    fn control(&self, nth: usize) -> Option<&[u8]> {
        let header = self.headers.get(nth)?;
        let len = to_usize(header.msg_hdr.msg_controllen).min(CONTROL_IN);
        self.controls.get(nth)?.0.get(..len)
    }

    /// How many messages the last call brought.
    pub(crate) fn arrived(&self) -> usize {
        self.arrived
    }

    /// Fills every byte the kernel may write, so that what it wrote shows.
    #[cfg(test)]
    pub(super) fn paint(&mut self, canary: u8) {
        self.buffers.fill(canary);
        for name in &mut self.names {
            name.0.fill(canary);
        }
        for control in &mut self.controls {
            control.0.fill(canary);
        }
    }
}
