//! The seam between this crate and libibverbs.

use std::ffi::c_int;
use std::fmt;
use std::os::fd::BorrowedFd;
use std::ptr::NonNull;

use super::async_event::AsyncEvent;
use super::errno::Errno;
use super::ffi;

/// The control path of libibverbs. The data path (post, poll) goes through the function pointers in
/// [`ffi::Context::ops`].
///
/// # Safety
///
/// The implementor promises, for every object it returns:
/// 1. the pointer is valid and its object stays in place until the matching free, close, dealloc,
///    dereg or destroy returned `Ok`; an `Err` from those leaves it valid;
/// 2. all functions, and those in `ops`, may be called from any thread, and at once from several;
/// 3. the functions of an extended queue pair read what their arguments point to only during the call,
///    and those of an extended completion queue write to nothing of the caller's. `poll_cq` in `ops`
///    writes at most as many entries as it was asked for; `post_send`, `post_recv` and `post_srq_recv` read the work request, its scatter list, and the bytes of one that is inline,
///    only during the call;
/// 4. memory is accessed only through a region registered over it, within the range and the rights
///    of the region, and not any more once `dereg_mr` returned `Ok`;
/// 5. memory named by a work request is not accessed any more once `destroy_qp` of its QP, or
///    `modify_qp` to RESET, returned `Ok`, or once its completion was polled; that of a
///    shared receive queue, once `destroy_srq` returned `Ok`. The completion of a send stands for the unsignalled
///    sends before it, back to the last signalled one;
/// 6. after `destroy_qp`, or `modify_qp` to RESET, returned `Ok`, no completion of what was posted
///    to its QP before enters a CQ. Those that are in a CQ
///    by then come out of it before `poll_cq` returns 0, and before it has returned more than the
///    CQ has entries.
///
/// No promise is made that completions are in order, arrive once, or carry a `wr_id` that was ever
/// posted; nor that a poll that returns fewer than it was asked for has emptied the CQ.
pub(crate) unsafe trait Verbs: fmt::Debug + Send + Sync {
    /// The devices, as an array and its length.
    fn device_list(&self) -> Result<(NonNull<*mut ffi::Device>, usize), Errno>;

    /// # Safety
    /// `list` came from `device_list`, was not freed, and no device of it is used afterwards.
    unsafe fn free_device_list(&self, list: NonNull<*mut ffi::Device>);

    /// # Safety
    /// `device` is in a list that was not freed.
    unsafe fn open_device(
        &self,
        device: NonNull<ffi::Device>,
    ) -> Result<NonNull<ffi::Context>, Errno>;

    /// # Safety
    /// `context` is open and nothing made from it is left.
    unsafe fn close_device(&self, context: NonNull<ffi::Context>) -> Result<(), Errno>;

    /// # Safety
    /// `context` is open.
    unsafe fn query_device(
        &self,
        context: NonNull<ffi::Context>,
        attr: &mut ffi::DeviceAttr,
    ) -> Result<(), Errno>;

    /// EOPNOTSUPP where the provider, or the kernel, knows only [`query_device`](Self::query_device).
    ///
    /// # Safety
    /// `context` is open.
    unsafe fn query_device_ex(
        &self,
        context: NonNull<ffi::Context>,
        attr: &mut ffi::DeviceAttrEx,
    ) -> Result<(), Errno>;

    /// # Safety
    /// `context` is open.
    unsafe fn query_rt_values(
        &self,
        context: NonNull<ffi::Context>,
        values: &mut ffi::ValuesEx,
    ) -> Result<(), Errno>;

    /// # Safety
    /// `context` is open.
    unsafe fn query_port(
        &self,
        context: NonNull<ffi::Context>,
        port: u8,
        attr: &mut ffi::PortAttr,
    ) -> Result<(), Errno>;

    /// # Safety
    /// `context` is open.
    unsafe fn query_gid(
        &self,
        context: NonNull<ffi::Context>,
        port: u32,
        index: u32,
        entry: &mut ffi::GidEntry,
    ) -> Result<(), Errno>;

    /// Fills `entries` from its start and says how many were written.
    ///
    /// # Safety
    /// `context` is open.
    unsafe fn query_gid_table(
        &self,
        context: NonNull<ffi::Context>,
        entries: &mut [ffi::GidEntry],
    ) -> Result<usize, Errno>;

    /// In network order.
    ///
    /// # Safety
    /// `context` is open.
    unsafe fn query_pkey(
        &self,
        context: NonNull<ffi::Context>,
        port: u8,
        index: c_int,
    ) -> Result<u16, Errno>;

    /// # Safety
    /// `context` is open.
    unsafe fn alloc_pd(&self, context: NonNull<ffi::Context>) -> Result<NonNull<ffi::Pd>, Errno>;

    /// # Safety
    /// `pd` is allocated.
    unsafe fn dealloc_pd(&self, pd: NonNull<ffi::Pd>) -> Result<(), Errno>;

    /// # Safety
    /// `pd` is allocated, and `addr..addr + length` is mapped and stays so until `dereg_mr`
    /// returned `Ok`.
    unsafe fn reg_mr(
        &self,
        pd: NonNull<ffi::Pd>,
        addr: NonNull<u8>,
        length: usize,
        access: c_int,
    ) -> Result<NonNull<ffi::Mr>, Errno>;

    /// Registers `length` bytes of a buffer of another device from `offset` on, which is also the address
    /// that they have for requests. The kernel keeps the buffer.
    ///
    /// # Safety
    /// `pd` is allocated. No memory of this process is concerned but what was mapped from that buffer, and
    /// whoever did so let others write to it.
    unsafe fn reg_dmabuf_mr(
        &self,
        pd: NonNull<ffi::Pd>,
        fd: BorrowedFd<'_>,
        offset: u64,
        length: usize,
        access: c_int,
    ) -> Result<NonNull<ffi::Mr>, Errno>;

    /// # Safety
    /// `mr` is registered.
    unsafe fn dereg_mr(&self, mr: NonNull<ffi::Mr>) -> Result<(), Errno>;

    /// # Safety
    /// `context` is open.
    unsafe fn create_channel(
        &self,
        context: NonNull<ffi::Context>,
    ) -> Result<NonNull<ffi::CompChannel>, Errno>;

    /// # Safety
    /// `channel` exists, and no completion queue uses it.
    unsafe fn destroy_channel(&self, channel: NonNull<ffi::CompChannel>) -> Result<(), Errno>;

    /// Fetches an event and acknowledges it: the number of its completion queue. EAGAIN where there
    /// is none and the channel's descriptor does not block.
    ///
    /// # Safety
    /// `channel` exists.
    unsafe fn next_event(&self, channel: NonNull<ffi::CompChannel>) -> Result<usize, Errno>;

    /// Fetches an event of the device, copies it and acknowledges it. EAGAIN where there is none and the
    /// descriptor does not block.
    ///
    /// # Safety
    /// `context` is open, and its queue pairs, completion queues and shared receive queues have numbers
    /// for user pointers.
    unsafe fn next_async_event(&self, context: NonNull<ffi::Context>) -> Result<AsyncEvent, Errno>;

    /// With events by `channel`, which bear `number`.
    ///
    /// # Safety
    /// `context` is open; `channel` exists in it, for as long as the completion queue.
    unsafe fn create_cq(
        &self,
        context: NonNull<ffi::Context>,
        entries: c_int,
        channel: Option<NonNull<ffi::CompChannel>>,
        number: usize,
    ) -> Result<NonNull<ffi::Cq>, Errno>;

    /// The completion queue is destroyed as one that [`create_cq`](Self::create_cq) made.
    ///
    /// # Safety
    /// `context` is open; the channel in `attr`, if any, exists in it, for as long as the completion
    /// queue.
    unsafe fn create_cq_ex(
        &self,
        context: NonNull<ffi::Context>,
        attr: &mut ffi::CqInitAttrEx,
    ) -> Result<NonNull<ffi::CqEx>, Errno>;

    /// # Safety
    /// `cq` exists and no event of it is unacknowledged.
    unsafe fn destroy_cq(&self, cq: NonNull<ffi::Cq>) -> Result<(), Errno>;

    /// # Safety
    /// `pd` is allocated, and the CQs in `attr` exist in its context.
    unsafe fn create_qp(
        &self,
        pd: NonNull<ffi::Pd>,
        attr: &mut ffi::QpInitAttr,
    ) -> Result<NonNull<ffi::Qp>, Errno>;

    /// # Safety
    /// `context` is open, and the domain and the CQs in `attr` exist in it.
    unsafe fn create_qp_ex(
        &self,
        context: NonNull<ffi::Context>,
        attr: &mut ffi::QpInitAttrEx,
    ) -> Result<NonNull<ffi::Qp>, Errno>;

    /// The same queue pair, as an extended one; it exists as long. `None` if it was not made as one.
    ///
    /// # Safety
    /// `qp` exists.
    unsafe fn qp_to_qp_ex(&self, qp: NonNull<ffi::Qp>) -> Option<NonNull<ffi::QpEx>>;

    /// # Safety
    /// `qp` exists.
    unsafe fn modify_qp(
        &self,
        qp: NonNull<ffi::Qp>,
        attr: &mut ffi::QpAttr,
        mask: c_int,
    ) -> Result<(), Errno>;

    /// # Safety
    /// `qp` exists.
    unsafe fn query_qp(
        &self,
        qp: NonNull<ffi::Qp>,
        attr: &mut ffi::QpAttr,
        mask: c_int,
        init: &mut ffi::QpInitAttr,
    ) -> Result<(), Errno>;

    /// # Safety
    /// `qp` exists and no event of it is unacknowledged.
    unsafe fn destroy_qp(&self, qp: NonNull<ffi::Qp>) -> Result<(), Errno>;

    /// Has the queue pair receive what is sent to a group of queue pairs, too.
    ///
    /// # Safety
    /// `qp` exists.
    unsafe fn attach_mcast(
        &self,
        qp: NonNull<ffi::Qp>,
        gid: &ffi::Gid,
        lid: u16,
    ) -> Result<(), Errno>;

    /// # Safety
    /// `qp` exists.
    unsafe fn detach_mcast(
        &self,
        qp: NonNull<ffi::Qp>,
        gid: &ffi::Gid,
        lid: u16,
    ) -> Result<(), Errno>;

    /// # Safety
    /// `pd` is allocated.
    unsafe fn create_ah(
        &self,
        pd: NonNull<ffi::Pd>,
        attr: &mut ffi::AhAttr,
    ) -> Result<NonNull<ffi::Ah>, Errno>;

    /// # Safety
    /// `ah` exists, and no work in flight names it.
    unsafe fn destroy_ah(&self, ah: NonNull<ffi::Ah>) -> Result<(), Errno>;

    /// # Safety
    /// `pd` is allocated.
    unsafe fn create_srq(
        &self,
        pd: NonNull<ffi::Pd>,
        attr: &mut ffi::SrqInitAttr,
    ) -> Result<NonNull<ffi::Srq>, Errno>;

    /// # Safety
    /// `srq` exists.
    unsafe fn modify_srq(
        &self,
        srq: NonNull<ffi::Srq>,
        attr: &mut ffi::SrqAttr,
        mask: c_int,
    ) -> Result<(), Errno>;

    /// # Safety
    /// `srq` exists, no queue pair uses it, and no event of it is unacknowledged.
    unsafe fn destroy_srq(&self, srq: NonNull<ffi::Srq>) -> Result<(), Errno>;
}
