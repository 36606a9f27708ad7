//! The real library.

use std::ffi::{c_int, c_uint};
use std::mem::{offset_of, size_of};
use std::os::fd::{AsRawFd, BorrowedFd};
use std::ptr::{self, NonNull};
use std::sync::OnceLock;

use super::async_event::{self, AsyncEvent};
use super::errno::{Errno, check};
use super::ffi;
use super::functions::{Functions, NewerFunctions};
use super::verbs::Verbs;

/// Why the library cannot be used.
#[derive(Clone, Debug)]
#[cfg_attr(
    feature = "link",
    expect(
        dead_code,
        reason = "a program that is linked with the library has it, or does not start"
    )
)]
pub(crate) enum LoadError {
    /// The dynamic linker did not find or accept it; its own words.
    Missing(String),
    /// It is older than what the crate needs.
    Symbol(&'static str),
}

/// libibverbs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Libibverbs {
    functions: Functions,
    newer: NewerFunctions,
}

impl Libibverbs {
    /// Finds the library on the first call; later calls return the same outcome.
    pub(crate) fn load() -> Result<&'static Self, LoadError> {
        static LOADED: OnceLock<Result<Libibverbs, LoadError>> = OnceLock::new();
        LOADED
            .get_or_init(Libibverbs::bind)
            .as_ref()
            .map_err(Clone::clone)
    }

    fn bind() -> Result<Self, LoadError> {
        #[cfg(not(feature = "link"))]
        let (functions, newer) = super::dlopen::functions()?;
        #[cfg(feature = "link")]
        let (functions, newer) = (Functions::linked(), super::dlopen::newer_functions());
        Ok(Libibverbs { functions, newer })
    }
}

/// A pointer result: null means that `errno` says why.
fn non_null<T>(pointer: *mut T) -> Result<NonNull<T>, Errno> {
    NonNull::new(pointer).ok_or_else(Errno::last)
}

/// The provider's extended context, if its end, from `from` bytes of [`ffi::VerbsContextTail`] on, is
/// there: the rules of `verbs_get_ctx_op` in verbs.h.
///
/// # Safety
/// `context` is open.
unsafe fn extended(
    context: NonNull<ffi::Context>,
    from: usize,
) -> Option<*const ffi::VerbsContextTail> {
    // SAFETY: the context is open, so its fields may be read.
    let abi_compat = unsafe { (*context.as_ptr()).abi_compat };
    if abi_compat.addr() != usize::MAX {
        return None;
    }
    // SAFETY: all-ones in `abi_compat` is the library's word that the context is the last member of
    // a `verbs_context`; `sz` and the members before it are at fixed distances from that end.
    let tail = unsafe {
        context
            .as_ptr()
            .byte_sub(offset_of!(ffi::VerbsContextTail, context))
    }
    .cast::<ffi::VerbsContextTail>();
    // SAFETY: `sz` precedes the context in every extended context, whatever its size.
    let sz = unsafe { (*tail).sz };
    (sz >= size_of::<ffi::VerbsContextTail>() - from).then_some(tail.cast_const())
}

/// An operation of the provider's extended context.
macro_rules! extended_op {
    ($context:expr, $op:ident) => {{
        let from = offset_of!(ffi::VerbsContextTail, $op);
        // SAFETY: the caller's promise: the context is open.
        match unsafe { extended($context, from) } {
            // SAFETY: the struct reaches back at least to this member.
            Some(tail) => unsafe { (*tail).$op },
            None => None,
        }
    }};
}

const UNSUPPORTED: Errno = Errno::new(libc::EOPNOTSUPP);

// SAFETY: 1–6 are what rdma-core's libibverbs and its providers document and do (`libibverbs/man`,
// `Documentation/libibverbs.md`: "all verbs are thread-safe"), for the ABI that the symbol versions
// name.
unsafe impl Verbs for Libibverbs {
    fn device_list(&self) -> Result<(NonNull<*mut ffi::Device>, usize), Errno> {
        let mut count = 0;
        // SAFETY: the only argument is an out-pointer to a live integer.
        let list = non_null(unsafe { (self.functions.get_device_list)(&mut count) })?;
        Ok((list, usize::try_from(count).unwrap_or(0)))
    }

    unsafe fn free_device_list(&self, list: NonNull<*mut ffi::Device>) {
        // SAFETY: the caller's promise.
        unsafe { (self.functions.free_device_list)(list.as_ptr()) }
    }

    unsafe fn open_device(
        &self,
        device: NonNull<ffi::Device>,
    ) -> Result<NonNull<ffi::Context>, Errno> {
        // SAFETY: the caller's promise.
        non_null(unsafe { (self.functions.open_device)(device.as_ptr()) })
    }

    unsafe fn close_device(&self, context: NonNull<ffi::Context>) -> Result<(), Errno> {
        // SAFETY: the caller's promise.
        check(unsafe { (self.functions.close_device)(context.as_ptr()) })
    }

    unsafe fn query_device(
        &self,
        context: NonNull<ffi::Context>,
        attr: &mut ffi::DeviceAttr,
    ) -> Result<(), Errno> {
        // SAFETY: the context is open; `attr` is a live struct of the layout this function fills.
        check(unsafe { (self.functions.query_device)(context.as_ptr(), attr) })
    }

    unsafe fn query_device_ex(
        &self,
        context: NonNull<ffi::Context>,
        attr: &mut ffi::DeviceAttrEx,
    ) -> Result<(), Errno> {
        let query = extended_op!(context, query_device_ex).ok_or(UNSUPPORTED)?;
        let size = size_of::<ffi::DeviceAttrEx>();
        // SAFETY: the context is open; no input is an allowed one; `size` is that of the struct
        // pointed to.
        check(unsafe { query(context.as_ptr(), ptr::null(), attr, size) })
    }

    unsafe fn query_rt_values(
        &self,
        context: NonNull<ffi::Context>,
        values: &mut ffi::ValuesEx,
    ) -> Result<(), Errno> {
        let query = extended_op!(context, query_rt_values).ok_or(UNSUPPORTED)?;
        // SAFETY: the context is open; `values` is a live struct.
        check(unsafe { query(context.as_ptr(), values) })
    }

    unsafe fn query_port(
        &self,
        context: NonNull<ffi::Context>,
        port: u8,
        attr: &mut ffi::PortAttr,
    ) -> Result<(), Errno> {
        match extended_op!(context, query_port) {
            Some(query) => {
                let size = size_of::<ffi::PortAttr>();
                // SAFETY: the context is open, and `size` is that of the struct pointed to.
                check(unsafe { query(context.as_ptr(), port, attr, size) })
            }
            None => {
                // SAFETY: the exported symbol fills the older, shorter struct, a prefix of this
                // one.
                check(unsafe {
                    (self.functions.compat_query_port)(
                        context.as_ptr(),
                        port,
                        ptr::from_mut(attr).cast(),
                    )
                })
            }
        }
    }

    unsafe fn query_gid(
        &self,
        context: NonNull<ffi::Context>,
        port: u32,
        index: u32,
        entry: &mut ffi::GidEntry,
    ) -> Result<(), Errno> {
        // SAFETY: the context is open, and the size passed is that of the struct pointed to.
        check(unsafe {
            (self.functions.query_gid)(
                context.as_ptr(),
                port,
                index,
                entry,
                0,
                size_of::<ffi::GidEntry>(),
            )
        })
    }

    unsafe fn query_gid_table(
        &self,
        context: NonNull<ffi::Context>,
        entries: &mut [ffi::GidEntry],
    ) -> Result<usize, Errno> {
        let max = entries.len();
        // SAFETY: the context is open; pointer and count are those of one live slice, and the size
        // is that of its elements.
        let written = unsafe {
            (self.functions.query_gid_table)(
                context.as_ptr(),
                entries.as_mut_ptr(),
                max,
                0,
                size_of::<ffi::GidEntry>(),
            )
        };
        usize::try_from(written)
            .map(|written| written.min(max))
            .map_err(|_| Errno::from_return(c_int::try_from(written).unwrap_or(libc::EIO)))
    }

    unsafe fn query_pkey(
        &self,
        context: NonNull<ffi::Context>,
        port: u8,
        index: c_int,
    ) -> Result<u16, Errno> {
        let mut key = 0;
        // SAFETY: the context is open; `key` is a live integer.
        check(unsafe { (self.functions.query_pkey)(context.as_ptr(), port, index, &mut key) })?;
        Ok(key)
    }

    unsafe fn alloc_pd(&self, context: NonNull<ffi::Context>) -> Result<NonNull<ffi::Pd>, Errno> {
        // SAFETY: the caller's promise.
        non_null(unsafe { (self.functions.alloc_pd)(context.as_ptr()) })
    }

    unsafe fn dealloc_pd(&self, pd: NonNull<ffi::Pd>) -> Result<(), Errno> {
        // SAFETY: the caller's promise.
        check(unsafe { (self.functions.dealloc_pd)(pd.as_ptr()) })
    }

    unsafe fn reg_mr(
        &self,
        pd: NonNull<ffi::Pd>,
        addr: NonNull<u8>,
        length: usize,
        access: c_int,
    ) -> Result<NonNull<ffi::Mr>, Errno> {
        let start = addr.as_ptr().cast();
        // As the macro `ibv_reg_mr` of verbs.h.
        if access & ffi::ACCESS_OPTIONAL_RANGE == 0 {
            // SAFETY: the caller's promise.
            return non_null(unsafe {
                (self.functions.reg_mr)(pd.as_ptr(), start, length, access)
            });
        }
        let address = addr.as_ptr().expose_provenance() as u64;
        let access = c_uint::from_ne_bytes(access.to_ne_bytes());
        // SAFETY: the caller's promise.
        non_null(unsafe {
            (self.functions.reg_mr_iova2)(pd.as_ptr(), start, length, address, access)
        })
    }

    unsafe fn reg_dmabuf_mr(
        &self,
        pd: NonNull<ffi::Pd>,
        fd: BorrowedFd<'_>,
        offset: u64,
        length: usize,
        access: c_int,
    ) -> Result<NonNull<ffi::Mr>, Errno> {
        let missing = Errno::new(libc::EOPNOTSUPP);
        let register = self.newer.reg_dmabuf_mr.ok_or(missing)?;
        // SAFETY: the caller's promise; the descriptor is open.
        non_null(unsafe { register(pd.as_ptr(), offset, length, offset, fd.as_raw_fd(), access) })
    }

    unsafe fn dereg_mr(&self, mr: NonNull<ffi::Mr>) -> Result<(), Errno> {
        // SAFETY: the caller's promise.
        check(unsafe { (self.functions.dereg_mr)(mr.as_ptr()) })
    }

    unsafe fn create_channel(
        &self,
        context: NonNull<ffi::Context>,
    ) -> Result<NonNull<ffi::CompChannel>, Errno> {
        // SAFETY: the caller's promise.
        non_null(unsafe { (self.functions.create_channel)(context.as_ptr()) })
    }

    unsafe fn destroy_channel(&self, channel: NonNull<ffi::CompChannel>) -> Result<(), Errno> {
        // SAFETY: the caller's promise.
        check(unsafe { (self.functions.destroy_channel)(channel.as_ptr()) })
    }

    unsafe fn next_event(&self, channel: NonNull<ffi::CompChannel>) -> Result<usize, Errno> {
        let (mut cq, mut number) = (ptr::null_mut(), ptr::null_mut());
        // SAFETY: the channel exists; both are out-pointers to live pointers.
        let result =
            unsafe { (self.functions.get_cq_event)(channel.as_ptr(), &mut cq, &mut number) };
        if result != 0 {
            return Err(Errno::last());
        }
        // SAFETY: the CQ of an event exists at least until the event is acknowledged, because
        // `ibv_destroy_cq` waits for that.
        unsafe { (self.functions.ack_cq_events)(cq, 1) };
        Ok(number.addr())
    }

    unsafe fn next_async_event(&self, context: NonNull<ffi::Context>) -> Result<AsyncEvent, Errno> {
        // SAFETY: the caller's promise.
        unsafe { async_event::next(&self.functions, context) }
    }

    unsafe fn create_cq(
        &self,
        context: NonNull<ffi::Context>,
        entries: c_int,
        channel: Option<NonNull<ffi::CompChannel>>,
        number: usize,
    ) -> Result<NonNull<ffi::Cq>, Errno> {
        let channel = channel.map_or(ptr::null_mut(), NonNull::as_ptr);
        let number = ptr::without_provenance_mut(number);
        // SAFETY: the caller's promise; the user pointer is a number that nobody follows, and vector
        // 0 exists on every device.
        non_null(unsafe {
            (self.functions.create_cq)(context.as_ptr(), entries, number, channel, 0)
        })
    }

    unsafe fn create_cq_ex(
        &self,
        context: NonNull<ffi::Context>,
        attr: &mut ffi::CqInitAttrEx,
    ) -> Result<NonNull<ffi::CqEx>, Errno> {
        let create = extended_op!(context, create_cq_ex).ok_or(UNSUPPORTED)?;
        // SAFETY: the caller's promise; `attr` is a live struct.
        non_null(unsafe { create(context.as_ptr(), attr) })
    }

    unsafe fn destroy_cq(&self, cq: NonNull<ffi::Cq>) -> Result<(), Errno> {
        // SAFETY: the caller's promise.
        check(unsafe { (self.functions.destroy_cq)(cq.as_ptr()) })
    }

    unsafe fn create_qp(
        &self,
        pd: NonNull<ffi::Pd>,
        attr: &mut ffi::QpInitAttr,
    ) -> Result<NonNull<ffi::Qp>, Errno> {
        // SAFETY: the caller's promise; `attr` is a live struct.
        non_null(unsafe { (self.functions.create_qp)(pd.as_ptr(), attr) })
    }

    unsafe fn create_qp_ex(
        &self,
        context: NonNull<ffi::Context>,
        attr: &mut ffi::QpInitAttrEx,
    ) -> Result<NonNull<ffi::Qp>, Errno> {
        let create = extended_op!(context, create_qp_ex).ok_or(UNSUPPORTED)?;
        // SAFETY: the caller's promise; `attr` is a live struct.
        non_null(unsafe { create(context.as_ptr(), attr) })
    }

    unsafe fn qp_to_qp_ex(&self, qp: NonNull<ffi::Qp>) -> Option<NonNull<ffi::QpEx>> {
        // SAFETY: the caller's promise.
        NonNull::new(unsafe { (self.functions.qp_to_qp_ex)(qp.as_ptr()) })
    }

    unsafe fn modify_qp(
        &self,
        qp: NonNull<ffi::Qp>,
        attr: &mut ffi::QpAttr,
        mask: c_int,
    ) -> Result<(), Errno> {
        // SAFETY: the caller's promise; `attr` is a live struct.
        check(unsafe { (self.functions.modify_qp)(qp.as_ptr(), attr, mask) })
    }

    unsafe fn query_qp(
        &self,
        qp: NonNull<ffi::Qp>,
        attr: &mut ffi::QpAttr,
        mask: c_int,
        init: &mut ffi::QpInitAttr,
    ) -> Result<(), Errno> {
        // SAFETY: the caller's promise; both structs are live.
        check(unsafe { (self.functions.query_qp)(qp.as_ptr(), attr, mask, init) })
    }

    unsafe fn destroy_qp(&self, qp: NonNull<ffi::Qp>) -> Result<(), Errno> {
        // SAFETY: the caller's promise.
        check(unsafe { (self.functions.destroy_qp)(qp.as_ptr()) })
    }

    unsafe fn attach_mcast(
        &self,
        qp: NonNull<ffi::Qp>,
        gid: &ffi::Gid,
        lid: u16,
    ) -> Result<(), Errno> {
        // SAFETY: the caller's promise; `gid` is live.
        check(unsafe { (self.functions.attach_mcast)(qp.as_ptr(), gid, lid) })
    }

    unsafe fn detach_mcast(
        &self,
        qp: NonNull<ffi::Qp>,
        gid: &ffi::Gid,
        lid: u16,
    ) -> Result<(), Errno> {
        // SAFETY: the caller's promise; `gid` is live.
        check(unsafe { (self.functions.detach_mcast)(qp.as_ptr(), gid, lid) })
    }

    unsafe fn create_ah(
        &self,
        pd: NonNull<ffi::Pd>,
        attr: &mut ffi::AhAttr,
    ) -> Result<NonNull<ffi::Ah>, Errno> {
        // SAFETY: the caller's promise; `attr` is a live struct.
        non_null(unsafe { (self.functions.create_ah)(pd.as_ptr(), attr) })
    }

    unsafe fn destroy_ah(&self, ah: NonNull<ffi::Ah>) -> Result<(), Errno> {
        // SAFETY: the caller's promise.
        check(unsafe { (self.functions.destroy_ah)(ah.as_ptr()) })
    }

    unsafe fn create_srq(
        &self,
        pd: NonNull<ffi::Pd>,
        attr: &mut ffi::SrqInitAttr,
    ) -> Result<NonNull<ffi::Srq>, Errno> {
        // SAFETY: the caller's promise; `attr` is a live struct.
        non_null(unsafe { (self.functions.create_srq)(pd.as_ptr(), attr) })
    }

    unsafe fn modify_srq(
        &self,
        srq: NonNull<ffi::Srq>,
        attr: &mut ffi::SrqAttr,
        mask: c_int,
    ) -> Result<(), Errno> {
        // SAFETY: the caller's promise; `attr` is a live struct.
        check(unsafe { (self.functions.modify_srq)(srq.as_ptr(), attr, mask) })
    }

    unsafe fn destroy_srq(&self, srq: NonNull<ffi::Srq>) -> Result<(), Errno> {
        // SAFETY: the caller's promise.
        check(unsafe { (self.functions.destroy_srq)(srq.as_ptr()) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    /// Whether `op`, so many bytes from the start, would be read of a context that is `marked` as
    /// extended and says that it has `sz` bytes before its end.
    fn is_read(marked: bool, sz: usize, op: usize) -> bool {
        // SAFETY: integers, pointers and options of functions: zero is a valid value.
        let mut tail: Box<ffi::VerbsContextTail> = Box::new(unsafe { std::mem::zeroed() });
        tail.sz = sz;
        if marked {
            tail.context.abi_compat = ptr::without_provenance_mut(usize::MAX);
        }
        let tail = NonNull::from(Box::leak(tail));
        // SAFETY: a member of what was just made.
        let context = unsafe { &raw mut (*tail.as_ptr()).context };
        let context = NonNull::new(context).unwrap();
        // SAFETY: it is in place, and its fields may be read.
        let found = unsafe { extended(context, op) };
        // SAFETY: leaked above.
        drop(unsafe { Box::from_raw(tail.as_ptr()) });
        found.is_some_and(|found| ptr::eq(found, tail.as_ptr()))
    }

    const ALL: usize = size_of::<ffi::VerbsContextTail>();

    #[rstest]
    #[case::the_oldest_there_is(offset_of!(ffi::VerbsContextTail, get_srq_num_to_close_xrcd))]
    #[case::create_qp_ex(offset_of!(ffi::VerbsContextTail, create_qp_ex))]
    #[case::query_device_ex(offset_of!(ffi::VerbsContextTail, query_device_ex))]
    #[case::the_newest(offset_of!(ffi::VerbsContextTail, query_port))]
    fn a_member_is_read_only_of_a_context_that_reaches_back_to_it(#[case] op: usize) {
        assert!(is_read(true, ALL - op, op));
        assert!(is_read(true, ALL + 64, op), "a newer library");
        assert!(!is_read(true, ALL - op - 1, op));
        assert!(!is_read(false, ALL + 64, op), "not an extended one");
    }
}
