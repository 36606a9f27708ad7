//! Work requests that `ibv_post_send` does not know.

use super::ffi::{self, selectivity, send_flag, send_ops};
use super::work::RemoteAddress;

/// What an extended queue pair can be asked for. It names no memory of this process.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ExtendedWork {
    pub(super) kind: ExtendedKind,
    flags: u32,
}

/// The kinds of [`ExtendedWork`].
#[derive(Clone, Copy, Debug)]
pub(super) enum ExtendedKind {
    AtomicWrite {
        at: RemoteAddress,
        value: [u8; 8],
    },
    Flush {
        at: RemoteAddress,
        len: usize,
        placement: u8,
        level: u8,
    },
}

impl ExtendedWork {
    const fn new(kind: ExtendedKind) -> Self {
        ExtendedWork {
            kind,
            flags: send_flag::SIGNALED,
        }
    }

    pub(crate) const fn atomic_write(at: RemoteAddress, value: [u8; 8]) -> Self {
        ExtendedWork::new(ExtendedKind::AtomicWrite { at, value })
    }

    /// Flushes `len` bytes. `placement` is bits of `enum ibv_placement_type`.
    pub(crate) const fn flush(at: RemoteAddress, len: usize, placement: u8) -> Self {
        let level = selectivity::RANGE;
        ExtendedWork::new(ExtendedKind::Flush {
            at,
            len,
            placement,
            level,
        })
    }

    /// Flushes all of the memory with this key.
    pub(crate) const fn flush_region(rkey: u32, placement: u8) -> Self {
        ExtendedWork::new(ExtendedKind::Flush {
            at: RemoteAddress { addr: 0, rkey },
            len: 0,
            placement,
            level: selectivity::MR,
        })
    }

    pub(crate) const fn unsignalled(mut self) -> Self {
        self.flags &= !send_flag::SIGNALED;
        self
    }

    /// Waits for the reads, atomics and flushes posted before it.
    pub(crate) const fn fenced(mut self) -> Self {
        self.flags |= send_flag::FENCE;
        self
    }

    pub(super) const fn is_signalled(&self) -> bool {
        self.flags & send_flag::SIGNALED != 0
    }

    pub(super) const fn flags(&self) -> u32 {
        self.flags
    }
}

/// Which extended work a queue pair is made for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ExtendedOps {
    pub(crate) atomic_write: bool,
    pub(crate) flush: bool,
}

impl ExtendedOps {
    pub(crate) const NONE: ExtendedOps = ExtendedOps {
        atomic_write: false,
        flush: false,
    };

    /// What these are, in words.
    pub(crate) const fn name(self) -> &'static str {
        match (self.atomic_write, self.flush) {
            (true, true) => "atomic writes and flushes",
            (true, false) => "atomic writes",
            (false, _) => "flushes",
        }
    }

    pub(crate) const fn is_empty(self) -> bool {
        !self.atomic_write && !self.flush
    }

    /// Bits of `enum ibv_qp_create_send_ops_flags`.
    pub(super) const fn bits(self) -> u64 {
        let atomic_write = if self.atomic_write {
            send_ops::ATOMIC_WRITE
        } else {
            0
        };
        let flush = if self.flush { send_ops::FLUSH } else { 0 };
        atomic_write | flush
    }
}

/// Where a flush takes what was written, as bits of `enum ibv_placement_type`.
pub(crate) mod placement {
    pub(crate) use super::ffi::placement::{GLOBAL, PERSISTENT};
}
