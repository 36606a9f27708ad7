//! Protection domains.

use std::num::NonZeroU32;
use std::sync::Arc;

use nix::sys::resource::{Resource, getrlimit};

use crate::cq::Cq;
use crate::device::verb_error;
use crate::error::{Error, Result};
use crate::mr::Mr;
use crate::qp::{self, Qp, QpDepth, Reset};
use crate::sys::{Errno, PdHandle, Region};

/// A protection domain: queue pairs in it can use memory registered in it, and no other.
///
/// Clones are the same domain; it ends when nothing made in it is left.
#[doc(alias = "ibv_pd")]
#[derive(Clone, Debug)]
pub struct Pd {
    handle: Arc<PdHandle>,
}

impl Pd {
    pub(crate) fn new(handle: Arc<PdHandle>) -> Self {
        Pd { handle }
    }

    /// Allocates and registers memory for `count` buffers of `size` bytes each, for this host's own
    /// sends and receives only: the device refuses every remote access to it.
    ///
    /// The pages are pinned: they count against the memlock limit (`ulimit -l`) unless the process
    /// has CAP_IPC_LOCK.
    ///
    /// # Errors
    ///
    /// - [`Error::OutOfRange`]: `count` or `size` is 0, or their product exceeds the address space.
    /// - [`Error::Verb`]; ENOMEM: above the memlock limit (the error says which and by how much),
    ///   or out of memory.
    #[doc(alias = "ibv_reg_mr")]
    pub fn register_local(&self, count: u32, size: u32) -> Result<Mr> {
        let total = u64::from(count) * u64::from(size);
        let (Some(slots), Some(slot_size)) = (NonZeroU32::new(count), NonZeroU32::new(size)) else {
            let rule = "more than 0 buffers of more than 0 bytes";
            return Err(Error::OutOfRange {
                what: "memory of",
                value: total,
                rule,
            });
        };
        match Region::register(&self.handle, slots, slot_size) {
            None => {
                let rule = "less than the address space";
                Err(Error::OutOfRange {
                    what: "memory of",
                    value: total,
                    rule,
                })
            }
            Some(Ok(region)) => Ok(Mr::new(region)),
            Some(Err(errno)) => Err(self.not_registered(count, size, errno)),
        }
    }

    /// Creates a reliable-connected queue pair. Its sends complete on `send_cq`, its receives on
    /// `recv_cq`; both may be the same.
    ///
    /// # Errors
    ///
    /// - [`Error::CqFull`]: a completion queue has not enough room left.
    /// - [`Error::OtherContext`]: a completion queue belongs to another open device.
    /// - [`Error::OutOfRange`]: a queue deeper than 2^24.
    /// - [`Error::Verb`]; EINVAL or ENOMEM: more than the device can.
    #[doc(alias = "ibv_create_qp")]
    pub fn create_qp(&self, send_cq: &Cq, recv_cq: &Cq, depth: QpDepth) -> Result<Qp<Reset>> {
        qp::create(&self.handle, send_cq, recv_cq, depth)
    }

    fn not_registered(&self, count: u32, size: u32, errno: Errno) -> Error {
        let object = format!(
            "of {count} × {size} bytes on {}",
            self.handle.context().device()
        );
        let mut error = verb_error("ibv_reg_mr", object, errno);
        if let (Error::Verb { hint, .. }, libc::ENOMEM) = (&mut error, errno.number()) {
            if let Ok((soft, _)) = getrlimit(Resource::RLIMIT_MEMLOCK) {
                *hint = format!(
                    " (the memlock limit is {soft} bytes; raise it with `ulimit -l` or \
                     LimitMEMLOCK=, or grant CAP_IPC_LOCK)"
                );
            }
        }
        error
    }
}
