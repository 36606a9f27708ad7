//! What a work request asks for, apart from the memory on this side.

use std::ffi::c_int;
use std::marker::PhantomData;
use std::ptr;
use std::sync::Arc;

use super::ah::AhHandle;
use super::exposed::ExposedRegion;
use super::ffi::{self, opcode, send_flag};
use super::pd::PdHandle;
use super::window::WindowHandle;

/// Memory on the peer's side: where it begins there, and the key to it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RemoteAddress {
    pub(crate) addr: u64,
    pub(crate) rkey: u32,
}

/// What a request for the send queue asks for. It names no memory of this process; the objects it
/// names exist for `'a`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Work<'a> {
    opcode: u32,
    flags: u32,
    imm_or_rkey: u32,
    wr: [u64; 4],
    /// How many bytes it may move.
    bytes: (u32, u32),
    ah: Option<&'a Arc<AhHandle>>,
    window: Option<&'a WindowHandle>,
    objects: PhantomData<&'a ()>,
}

impl<'a> Work<'a> {
    #[inline]
    const fn new(opcode: u32, imm_or_rkey: u32, wr: [u64; 4]) -> Self {
        Work {
            opcode,
            flags: send_flag::SIGNALED,
            imm_or_rkey,
            wr,
            bytes: (0, u32::MAX),
            ah: None,
            window: None,
            objects: PhantomData,
        }
    }

    #[inline]
    pub(crate) const fn send() -> Self {
        Work::new(opcode::SEND, 0, [0; 4])
    }

    #[inline]
    pub(crate) const fn send_imm(imm: u32) -> Self {
        Work::new(opcode::SEND_WITH_IMM, imm.to_be(), [0; 4])
    }

    /// A send that takes the validity from a key of the peer's.
    #[inline]
    pub(crate) const fn send_invalidate(rkey: u32) -> Self {
        Work::new(opcode::SEND_WITH_INVALIDATE, rkey, [0; 4])
    }

    #[inline]
    pub(crate) const fn write(to: RemoteAddress) -> Self {
        Work::new(opcode::WRITE, 0, rdma(to))
    }

    #[inline]
    pub(crate) const fn write_imm(to: RemoteAddress, imm: u32) -> Self {
        Work::new(opcode::WRITE_WITH_IMM, imm.to_be(), rdma(to))
    }

    #[inline]
    pub(crate) const fn read(from: RemoteAddress) -> Self {
        Work::new(opcode::READ, 0, rdma(from))
    }

    #[inline]
    pub(crate) const fn compare_swap(at: RemoteAddress, compare: u64, swap: u64) -> Self {
        Work::new(opcode::COMPARE_SWAP, 0, atomic(at, compare, swap))
    }

    #[inline]
    pub(crate) const fn fetch_add(at: RemoteAddress, add: u64) -> Self {
        Work::new(opcode::FETCH_ADD, 0, atomic(at, add, 0))
    }

    /// Takes the validity from a key of this side.
    #[inline]
    pub(crate) const fn local_invalidate(rkey: u32) -> Self {
        Work::new(opcode::LOCAL_INVALIDATE, rkey, [0; 4])
    }

    /// Binds a window as it is prepared. It is nobody else's until the request is posted.
    #[inline]
    pub(crate) fn bind(window: &'a mut WindowHandle) -> Self {
        let mut work = Work::new(opcode::BIND_MW, 0, [0; 4]);
        work.window = Some(window);
        work
    }

    /// As it was, but as a datagram for queue pair `qpn` at `ah`.
    #[inline]
    pub(crate) fn to(mut self, ah: &'a Arc<AhHandle>, qpn: u32, qkey: u32) -> Self {
        let address = ah.raw().as_ptr().expose_provenance() as u64;
        self.wr = [address, pair(qpn, qkey), 0, 0];
        self.ah = Some(ah);
        self
    }

    /// Refused when posted with more than `most` bytes, or fewer than `least`.
    #[inline]
    pub(crate) fn moving(mut self, least: u32, most: u64) -> Self {
        self.bytes = (least, u32::try_from(most).unwrap_or(u32::MAX));
        self
    }

    /// Whether it may move so many bytes.
    #[inline]
    pub(super) const fn may_move(&self, len: u32) -> bool {
        self.bytes.0 <= len && len <= self.bytes.1
    }

    /// How many bytes it may move, at least and at most.
    pub(super) const fn bytes(&self) -> (u32, u32) {
        self.bytes
    }

    #[inline]
    pub(crate) const fn unsignalled(mut self) -> Self {
        self.flags &= !send_flag::SIGNALED;
        self
    }

    /// Waits for the reads and atomics posted before it.
    #[inline]
    pub(crate) const fn fenced(mut self) -> Self {
        self.flags |= send_flag::FENCE;
        self
    }

    /// Wakes a peer that waits for solicited messages only.
    #[inline]
    pub(crate) const fn solicited(mut self) -> Self {
        self.flags |= send_flag::SOLICITED;
        self
    }

    #[inline]
    pub(super) const fn is_signalled(&self) -> bool {
        self.flags & send_flag::SIGNALED != 0
    }

    /// Whether the objects it names are of this domain.
    #[inline]
    pub(super) fn is_of(&self, pd: &Arc<PdHandle>) -> bool {
        self.ah.is_none_or(|ah| Arc::ptr_eq(ah.pd(), pd))
            && self
                .window
                .is_none_or(|window| Arc::ptr_eq(window.pd(), pd))
    }

    /// The exposed memory that it names, to keep it.
    #[inline]
    pub(super) fn region(&self) -> Option<Arc<ExposedRegion>> {
        self.window.map(|window| Arc::clone(window.region()))
    }

    /// It was posted.
    #[inline]
    pub(super) fn posted(&self) {
        if let Some(window) = self.window {
            // SAFETY: `bind`, the only one to set it, had it exclusively for `'a`.
            unsafe { window.posted() };
        }
    }

    #[inline]
    pub(super) const fn ah(&self) -> Option<&'a Arc<AhHandle>> {
        self.ah
    }

    /// The request for C, with these elements.
    #[inline]
    pub(super) fn request(
        &self,
        wr_id: u64,
        (sg_list, num_sge): (*mut ffi::Sge, c_int),
        extra_flags: u32,
    ) -> ffi::SendWr {
        ffi::SendWr {
            wr_id,
            next: ptr::null_mut(),
            sg_list,
            num_sge,
            opcode: self.opcode,
            send_flags: self.flags | extra_flags,
            imm_or_rkey: self.imm_or_rkey,
            wr: self.wr,
            remote_srqn: 0,
            bind_or_tso: self.window.map_or(ffi::BindMw::NOTHING, WindowHandle::bind),
        }
    }
}

/// `wr.rdma` as words: `remote_addr`, `rkey`.
const fn rdma(remote: RemoteAddress) -> [u64; 4] {
    [remote.addr, pair(remote.rkey, 0), 0, 0]
}

/// `wr.atomic` as words: `remote_addr`, `compare_add`, `swap`, `rkey`.
const fn atomic(remote: RemoteAddress, compare_add: u64, swap: u64) -> [u64; 4] {
    [remote.addr, compare_add, swap, pair(remote.rkey, 0)]
}

/// Two 32-bit fields in a row, as the word that they are in memory.
const fn pair(first: u32, second: u32) -> u64 {
    let [a, b, c, d] = first.to_ne_bytes();
    let [e, f, g, h] = second.to_ne_bytes();
    u64::from_ne_bytes([a, b, c, d, e, f, g, h])
}
