//! Receives that are not posted yet.

use std::ffi::c_int;
use std::ptr;

use super::buf::Buf;
use super::bufs::Bufs;
use super::ffi;
use super::qp::Posted;

/// What a queue gathers receives in; made by the first batch, with room for the whole queue.
#[derive(Debug, Default)]
pub(crate) struct RecvStage {
    /// With how many of `pieces` are its own.
    pub(super) entries: Vec<(Posted, usize)>,
    /// The same requests, for C. Their elements are linked to when the batch is posted.
    pub(super) requests: Vec<ffi::RecvWr>,
    pub(super) pieces: Vec<ffi::Sge>,
}

// SAFETY: the pointers in `requests` are looked at only while a batch is posted, which writes them
// first.
unsafe impl Send for RecvStage {}
// SAFETY: through `&self` nothing is done with them.
unsafe impl Sync for RecvStage {}

impl RecvStage {
    pub(super) fn clear(&mut self) {
        self.entries.clear();
        self.requests.clear();
        self.pieces.clear();
    }

    pub(super) fn reserve(&mut self, depth: u32) {
        let depth = usize::try_from(depth).unwrap_or(0);
        self.entries.reserve(depth);
        self.requests.reserve(depth);
        self.pieces.reserve(depth);
    }

    /// Adds a receive into the whole of `bufs`.
    pub(super) fn push(&mut self, bufs: Bufs, token: u64) {
        let pieces = bufs.as_slice();
        let count = c_int::try_from(pieces.len()).unwrap_or(0);
        self.pieces.extend(pieces.iter().map(Buf::whole));
        self.requests
            .push(ffi::RecvWr::new(0, ptr::null_mut(), count));
        let pieces = pieces.len();
        self.entries.push((Posted::new(bufs, token), pieces));
    }
}

/// Makes each request point to the next one, and returns the first; null if there is none.
pub(super) fn link(requests: &mut [ffi::RecvWr]) -> *mut ffi::RecvWr {
    let mut next = ptr::null_mut();
    for request in requests.iter_mut().rev() {
        request.next = next;
        next = ptr::from_mut(request);
    }
    next
}
