//! Protection domains.

use std::sync::Arc;

use crate::cq::Cq;
use crate::error::Result;
use crate::mr::Mr;
use crate::qp::{self, Qp, QpCap, Rc, Reset, Uc, Ud};
use crate::srq::Srq;
use crate::sys::PdHandle;

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
    /// - [`Error::OutOfRange`](crate::Error::OutOfRange): `count` is not 1 to 2^24 - 1, `size` is
    ///   not 1 to 2^31 - 1, or their product exceeds the address space.
    /// - [`Error::Verb`](crate::Error::Verb); ENOMEM: above the memlock limit (the error says how
    ///   much was asked for and what the limit is), or out of memory.
    #[doc(alias = "ibv_reg_mr")]
    pub fn register_local(&self, count: u32, size: u32) -> Result<Mr> {
        self.registration().local(count, size)
    }

    /// Creates a reliable-connected queue pair. Its sends complete on `send_cq`, its receives on
    /// `recv_cq`; both may be the same.
    ///
    /// # Errors
    ///
    /// - [`Error::CqFull`](crate::Error::CqFull): a completion queue has not enough room left.
    /// - [`Error::CqFailed`](crate::Error::CqFailed): polling a completion queue failed before.
    /// - [`Error::OtherContext`](crate::Error::OtherContext): a completion queue belongs to another
    ///   open device.
    /// - [`Error::OutOfRange`](crate::Error::OutOfRange): a queue deeper than 2^24, or requests of
    ///   0 or more than 1024 buffers.
    /// - [`Error::Verb`](crate::Error::Verb); EINVAL or ENOMEM: more than the device can.
    #[doc(alias = "ibv_create_qp")]
    #[doc(alias = "IBV_QPT_RC")]
    pub fn create_rc(&self, send_cq: &Cq, recv_cq: &Cq, cap: QpCap) -> Result<Qp<Rc, Reset>> {
        qp::create(&self.handle, send_cq, recv_cq, None, cap)
    }

    /// As [`create_rc`](Self::create_rc), with receives from a shared receive queue. They complete
    /// on `recv_cq`; `cap`'s receives do not count.
    ///
    /// # Errors
    ///
    /// As [`create_rc`](Self::create_rc), and [`Error::OtherDomain`](crate::Error::OtherDomain).
    /// The first queue pair that receives by a completion queue reserves room there for the whole
    /// shared queue, and the shared queue keeps that completion queue from then on until it ends: let queue pairs that come
    /// and go receive by few completion queues.
    pub fn create_rc_with_srq(
        &self,
        send_cq: &Cq,
        recv_cq: &Cq,
        srq: &Srq,
        cap: QpCap,
    ) -> Result<Qp<Rc, Reset>> {
        qp::create(&self.handle, send_cq, recv_cq, Some(srq), cap)
    }

    /// Creates an unreliable-connected queue pair.
    ///
    /// # Errors
    ///
    /// As [`create_rc`](Self::create_rc).
    #[doc(alias = "IBV_QPT_UC")]
    pub fn create_uc(&self, send_cq: &Cq, recv_cq: &Cq, cap: QpCap) -> Result<Qp<Uc, Reset>> {
        qp::create(&self.handle, send_cq, recv_cq, None, cap)
    }

    /// As [`create_uc`](Self::create_uc), with receives from a shared receive queue. They complete
    /// on `recv_cq`; `cap`'s receives do not count.
    ///
    /// # Errors
    ///
    /// As [`create_rc`](Self::create_rc), and [`Error::OtherDomain`](crate::Error::OtherDomain).
    /// The first queue pair that receives by a completion queue reserves room there for the whole
    /// shared queue.
    pub fn create_uc_with_srq(
        &self,
        send_cq: &Cq,
        recv_cq: &Cq,
        srq: &Srq,
        cap: QpCap,
    ) -> Result<Qp<Uc, Reset>> {
        qp::create(&self.handle, send_cq, recv_cq, Some(srq), cap)
    }

    /// Creates a datagram queue pair.
    ///
    /// # Errors
    ///
    /// As [`create_rc`](Self::create_rc).
    #[doc(alias = "IBV_QPT_UD")]
    pub fn create_ud(&self, send_cq: &Cq, recv_cq: &Cq, cap: QpCap) -> Result<Qp<Ud, Reset>> {
        qp::create(&self.handle, send_cq, recv_cq, None, cap)
    }

    /// As [`create_ud`](Self::create_ud), with receives from a shared receive queue. They complete
    /// on `recv_cq`; `cap`'s receives do not count.
    ///
    /// # Errors
    ///
    /// As [`create_rc`](Self::create_rc), and [`Error::OtherDomain`](crate::Error::OtherDomain).
    /// The first queue pair that receives by a completion queue reserves room there for the whole
    /// shared queue.
    pub fn create_ud_with_srq(
        &self,
        send_cq: &Cq,
        recv_cq: &Cq,
        srq: &Srq,
        cap: QpCap,
    ) -> Result<Qp<Ud, Reset>> {
        qp::create(&self.handle, send_cq, recv_cq, Some(srq), cap)
    }

    pub(crate) fn handle(&self) -> &Arc<PdHandle> {
        &self.handle
    }
}
