//! The real library, bound at run time.

use std::ffi::{CStr, c_int, c_uint, c_void};
use std::mem::{offset_of, size_of};
use std::ptr::{self, NonNull};
use std::sync::OnceLock;

use libloading::os::unix::{Library, RTLD_LOCAL, RTLD_NOW};

use super::errno::{Errno, check};
use super::ffi;
use super::verbs::Verbs;

/// The file that the dynamic linker is asked for.
pub(crate) const SONAME: &str = "libibverbs.so.1";

/// Why the library cannot be used.
#[derive(Clone, Debug)]
pub(crate) enum LoadError {
    /// The dynamic linker did not find or accept it; its own words.
    Missing(String),
    /// It is older than what the crate needs.
    Symbol(&'static str),
}

type ListFn = unsafe extern "C" fn(*mut c_int) -> *mut *mut ffi::Device;
type FreeListFn = unsafe extern "C" fn(*mut *mut ffi::Device);
type OpenFn = unsafe extern "C" fn(*mut ffi::Device) -> *mut ffi::Context;
type CloseFn = unsafe extern "C" fn(*mut ffi::Context) -> c_int;
type QueryDeviceFn = unsafe extern "C" fn(*mut ffi::Context, *mut ffi::DeviceAttr) -> c_int;
type CompatQueryPortFn = unsafe extern "C" fn(*mut ffi::Context, u8, *mut ffi::PortAttr) -> c_int;
type QueryGidFn =
    unsafe extern "C" fn(*mut ffi::Context, u32, u32, *mut ffi::GidEntry, u32, usize) -> c_int;
type QueryGidTableFn =
    unsafe extern "C" fn(*mut ffi::Context, *mut ffi::GidEntry, usize, u32, usize) -> isize;
type AllocPdFn = unsafe extern "C" fn(*mut ffi::Context) -> *mut ffi::Pd;
type DeallocPdFn = unsafe extern "C" fn(*mut ffi::Pd) -> c_int;
type RegMrFn = unsafe extern "C" fn(*mut ffi::Pd, *mut c_void, usize, c_int) -> *mut ffi::Mr;
type DeregMrFn = unsafe extern "C" fn(*mut ffi::Mr) -> c_int;
type CreateChannelFn = unsafe extern "C" fn(*mut ffi::Context) -> *mut ffi::CompChannel;
type DestroyChannelFn = unsafe extern "C" fn(*mut ffi::CompChannel) -> c_int;
type GetCqEventFn =
    unsafe extern "C" fn(*mut ffi::CompChannel, *mut *mut ffi::Cq, *mut *mut c_void) -> c_int;
type AckCqEventsFn = unsafe extern "C" fn(*mut ffi::Cq, c_uint);
type CreateCqFn = unsafe extern "C" fn(
    *mut ffi::Context,
    c_int,
    *mut c_void,
    *mut ffi::CompChannel,
    c_int,
) -> *mut ffi::Cq;
type DestroyCqFn = unsafe extern "C" fn(*mut ffi::Cq) -> c_int;
type CreateQpFn = unsafe extern "C" fn(*mut ffi::Pd, *mut ffi::QpInitAttr) -> *mut ffi::Qp;
type ModifyQpFn = unsafe extern "C" fn(*mut ffi::Qp, *mut ffi::QpAttr, c_int) -> c_int;
type QueryQpFn =
    unsafe extern "C" fn(*mut ffi::Qp, *mut ffi::QpAttr, c_int, *mut ffi::QpInitAttr) -> c_int;
type CreateSrqFn = unsafe extern "C" fn(*mut ffi::Pd, *mut ffi::SrqInitAttr) -> *mut ffi::Srq;
type DestroySrqFn = unsafe extern "C" fn(*mut ffi::Srq) -> c_int;
type CreateAhFn = unsafe extern "C" fn(*mut ffi::Pd, *mut ffi::AhAttr) -> *mut ffi::Ah;
type DestroyAhFn = unsafe extern "C" fn(*mut ffi::Ah) -> c_int;
type DestroyQpFn = unsafe extern "C" fn(*mut ffi::Qp) -> c_int;

/// The functions of libibverbs, each with the signature that `verbs.h` gives it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Libibverbs {
    get_device_list: ListFn,
    free_device_list: FreeListFn,
    open_device: OpenFn,
    close_device: CloseFn,
    query_device: QueryDeviceFn,
    compat_query_port: CompatQueryPortFn,
    query_gid: QueryGidFn,
    query_gid_table: QueryGidTableFn,
    alloc_pd: AllocPdFn,
    dealloc_pd: DeallocPdFn,
    reg_mr: RegMrFn,
    dereg_mr: DeregMrFn,
    create_channel: CreateChannelFn,
    destroy_channel: DestroyChannelFn,
    get_cq_event: GetCqEventFn,
    ack_cq_events: AckCqEventsFn,
    create_cq: CreateCqFn,
    destroy_cq: DestroyCqFn,
    create_qp: CreateQpFn,
    modify_qp: ModifyQpFn,
    query_qp: QueryQpFn,
    destroy_qp: DestroyQpFn,
    create_ah: CreateAhFn,
    destroy_ah: DestroyAhFn,
    create_srq: CreateSrqFn,
    destroy_srq: DestroySrqFn,
}

impl Libibverbs {
    /// Binds the library on the first call; later calls return the same outcome.
    pub(crate) fn load() -> Result<&'static Self, LoadError> {
        static LOADED: OnceLock<Result<Libibverbs, LoadError>> = OnceLock::new();
        LOADED
            .get_or_init(Libibverbs::bind)
            .as_ref()
            .map_err(Clone::clone)
    }

    fn bind() -> Result<Self, LoadError> {
        // SAFETY: loading runs the library's initialisers. Those of rdma-core's libibverbs set up
        // tables and environment switches of the library only and ask nothing of the caller.
        let library = unsafe { Library::open(Some(SONAME), RTLD_NOW | RTLD_LOCAL) }
            .map_err(|error| LoadError::Missing(error.to_string()))?;
        // Never closed: providers keep threads and fork handlers that would run unmapped code.
        let symbols = Symbols {
            handle: library.into_raw(),
        };
        macro_rules! bind {
            ($name:literal @ $version:literal as $type:ty) => {{
                let address = symbols.find($name, $version)?;
                // SAFETY: `address` is the function of this name and symbol version, whose C
                // signature is `$type` (the list above is verbs.h's); a function pointer is as
                // large as a data pointer on every Linux target.
                unsafe { std::mem::transmute::<NonNull<c_void>, $type>(address) }
            }};
        }
        Ok(Libibverbs {
            get_device_list: bind!(c"ibv_get_device_list" @ c"IBVERBS_1.1" as ListFn),
            free_device_list: bind!(c"ibv_free_device_list" @ c"IBVERBS_1.1" as FreeListFn),
            open_device: bind!(c"ibv_open_device" @ c"IBVERBS_1.1" as OpenFn),
            close_device: bind!(c"ibv_close_device" @ c"IBVERBS_1.1" as CloseFn),
            query_device: bind!(c"ibv_query_device" @ c"IBVERBS_1.1" as QueryDeviceFn),
            compat_query_port: bind!(c"ibv_query_port" @ c"IBVERBS_1.1" as CompatQueryPortFn),
            query_gid: bind!(c"_ibv_query_gid_ex" @ c"IBVERBS_1.11" as QueryGidFn),
            query_gid_table: bind!(c"_ibv_query_gid_table" @ c"IBVERBS_1.11" as QueryGidTableFn),
            alloc_pd: bind!(c"ibv_alloc_pd" @ c"IBVERBS_1.1" as AllocPdFn),
            dealloc_pd: bind!(c"ibv_dealloc_pd" @ c"IBVERBS_1.1" as DeallocPdFn),
            reg_mr: bind!(c"ibv_reg_mr" @ c"IBVERBS_1.1" as RegMrFn),
            dereg_mr: bind!(c"ibv_dereg_mr" @ c"IBVERBS_1.1" as DeregMrFn),
            create_channel: bind!(c"ibv_create_comp_channel" @ c"IBVERBS_1.0" as CreateChannelFn),
            destroy_channel: bind!(c"ibv_destroy_comp_channel" @ c"IBVERBS_1.0" as DestroyChannelFn),
            get_cq_event: bind!(c"ibv_get_cq_event" @ c"IBVERBS_1.1" as GetCqEventFn),
            ack_cq_events: bind!(c"ibv_ack_cq_events" @ c"IBVERBS_1.1" as AckCqEventsFn),
            create_cq: bind!(c"ibv_create_cq" @ c"IBVERBS_1.1" as CreateCqFn),
            destroy_cq: bind!(c"ibv_destroy_cq" @ c"IBVERBS_1.1" as DestroyCqFn),
            create_qp: bind!(c"ibv_create_qp" @ c"IBVERBS_1.1" as CreateQpFn),
            modify_qp: bind!(c"ibv_modify_qp" @ c"IBVERBS_1.1" as ModifyQpFn),
            query_qp: bind!(c"ibv_query_qp" @ c"IBVERBS_1.1" as QueryQpFn),
            destroy_qp: bind!(c"ibv_destroy_qp" @ c"IBVERBS_1.1" as DestroyQpFn),
            create_ah: bind!(c"ibv_create_ah" @ c"IBVERBS_1.1" as CreateAhFn),
            destroy_ah: bind!(c"ibv_destroy_ah" @ c"IBVERBS_1.1" as DestroyAhFn),
            create_srq: bind!(c"ibv_create_srq" @ c"IBVERBS_1.1" as CreateSrqFn),
            destroy_srq: bind!(c"ibv_destroy_srq" @ c"IBVERBS_1.1" as DestroySrqFn),
        })
    }
}

/// # Invariants
///
/// `handle` is a handle of `dlopen` that is never closed.
struct Symbols {
    handle: *mut c_void,
}

impl Symbols {
    /// The function under exactly this symbol version, so that a later default with another
    /// signature is not taken for it. musl knows no symbol versions; there the default is asked
    /// for.
    fn find(
        &self,
        name: &'static CStr,
        version: &'static CStr,
    ) -> Result<NonNull<c_void>, LoadError> {
        #[cfg(target_env = "gnu")]
        // SAFETY: the handle is open (invariant) and both strings end with NUL (`CStr`).
        let address = unsafe { libc::dlvsym(self.handle, name.as_ptr(), version.as_ptr()) };
        #[cfg(not(target_env = "gnu"))]
        let address = {
            let _ = version;
            // SAFETY: as above.
            unsafe { libc::dlsym(self.handle, name.as_ptr()) }
        };
        NonNull::new(address).ok_or(LoadError::Symbol(name.to_str().unwrap_or("a symbol")))
    }
}

/// A pointer result: null means that `errno` says why.
fn non_null<T>(pointer: *mut T) -> Result<NonNull<T>, Errno> {
    NonNull::new(pointer).ok_or_else(Errno::last)
}

/// `query_port` of the provider's extended context, by the rules of `verbs_get_ctx_op` in verbs.h.
///
/// # Safety
/// `context` is open.
unsafe fn extended_query_port(context: NonNull<ffi::Context>) -> Option<ffi::QueryPort> {
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
    if sz < size_of::<ffi::VerbsContextTail>() {
        return None;
    }
    // SAFETY: `sz` says that the struct reaches back at least to `query_port`.
    unsafe { (*tail).query_port }
}

// SAFETY: 1–6 are what rdma-core's libibverbs and its providers document and do (`libibverbs/man`,
// `Documentation/libibverbs.md`: "all verbs are thread-safe"), for the ABI that the symbol versions
// name.
unsafe impl Verbs for Libibverbs {
    fn device_list(&self) -> Result<(NonNull<*mut ffi::Device>, usize), Errno> {
        let mut count = 0;
        // SAFETY: the only argument is an out-pointer to a live integer.
        let list = non_null(unsafe { (self.get_device_list)(&mut count) })?;
        Ok((list, usize::try_from(count).unwrap_or(0)))
    }

    unsafe fn free_device_list(&self, list: NonNull<*mut ffi::Device>) {
        // SAFETY: the caller's promise.
        unsafe { (self.free_device_list)(list.as_ptr()) }
    }

    unsafe fn open_device(
        &self,
        device: NonNull<ffi::Device>,
    ) -> Result<NonNull<ffi::Context>, Errno> {
        // SAFETY: the caller's promise.
        non_null(unsafe { (self.open_device)(device.as_ptr()) })
    }

    unsafe fn close_device(&self, context: NonNull<ffi::Context>) -> Result<(), Errno> {
        // SAFETY: the caller's promise.
        check(unsafe { (self.close_device)(context.as_ptr()) })
    }

    unsafe fn query_device(
        &self,
        context: NonNull<ffi::Context>,
        attr: &mut ffi::DeviceAttr,
    ) -> Result<(), Errno> {
        // SAFETY: the context is open; `attr` is a live struct of the layout this function fills.
        check(unsafe { (self.query_device)(context.as_ptr(), attr) })
    }

    unsafe fn query_port(
        &self,
        context: NonNull<ffi::Context>,
        port: u8,
        attr: &mut ffi::PortAttr,
    ) -> Result<(), Errno> {
        // SAFETY: the context is open.
        match unsafe { extended_query_port(context) } {
            Some(query) => {
                let size = size_of::<ffi::PortAttr>();
                // SAFETY: the context is open, and `size` is that of the struct pointed to.
                check(unsafe { query(context.as_ptr(), port, attr, size) })
            }
            None => {
                // SAFETY: the exported symbol fills the older, shorter struct, a prefix of this
                // one.
                check(unsafe { (self.compat_query_port)(context.as_ptr(), port, attr) })
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
            (self.query_gid)(
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
            (self.query_gid_table)(
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

    unsafe fn alloc_pd(&self, context: NonNull<ffi::Context>) -> Result<NonNull<ffi::Pd>, Errno> {
        // SAFETY: the caller's promise.
        non_null(unsafe { (self.alloc_pd)(context.as_ptr()) })
    }

    unsafe fn dealloc_pd(&self, pd: NonNull<ffi::Pd>) -> Result<(), Errno> {
        // SAFETY: the caller's promise.
        check(unsafe { (self.dealloc_pd)(pd.as_ptr()) })
    }

    unsafe fn reg_mr(
        &self,
        pd: NonNull<ffi::Pd>,
        addr: NonNull<u8>,
        length: usize,
        access: c_int,
    ) -> Result<NonNull<ffi::Mr>, Errno> {
        // The macro of verbs.h calls this symbol when `access` has no bit of
        // IBV_ACCESS_OPTIONAL_RANGE; the crate asks for none.
        // SAFETY: the caller's promise.
        non_null(unsafe { (self.reg_mr)(pd.as_ptr(), addr.as_ptr().cast(), length, access) })
    }

    unsafe fn dereg_mr(&self, mr: NonNull<ffi::Mr>) -> Result<(), Errno> {
        // SAFETY: the caller's promise.
        check(unsafe { (self.dereg_mr)(mr.as_ptr()) })
    }

    unsafe fn create_channel(
        &self,
        context: NonNull<ffi::Context>,
    ) -> Result<NonNull<ffi::CompChannel>, Errno> {
        // SAFETY: the caller's promise.
        non_null(unsafe { (self.create_channel)(context.as_ptr()) })
    }

    unsafe fn destroy_channel(&self, channel: NonNull<ffi::CompChannel>) -> Result<(), Errno> {
        // SAFETY: the caller's promise.
        check(unsafe { (self.destroy_channel)(channel.as_ptr()) })
    }

    unsafe fn next_event(&self, channel: NonNull<ffi::CompChannel>) -> Result<usize, Errno> {
        let (mut cq, mut number) = (ptr::null_mut(), ptr::null_mut());
        // SAFETY: the channel exists; both are out-pointers to live pointers.
        let result = unsafe { (self.get_cq_event)(channel.as_ptr(), &mut cq, &mut number) };
        if result != 0 {
            return Err(Errno::last());
        }
        // SAFETY: the CQ of an event exists at least until the event is acknowledged, because
        // `ibv_destroy_cq` waits for that.
        unsafe { (self.ack_cq_events)(cq, 1) };
        Ok(number.addr())
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
        non_null(unsafe { (self.create_cq)(context.as_ptr(), entries, number, channel, 0) })
    }

    unsafe fn destroy_cq(&self, cq: NonNull<ffi::Cq>) -> Result<(), Errno> {
        // SAFETY: the caller's promise.
        check(unsafe { (self.destroy_cq)(cq.as_ptr()) })
    }

    unsafe fn create_qp(
        &self,
        pd: NonNull<ffi::Pd>,
        attr: &mut ffi::QpInitAttr,
    ) -> Result<NonNull<ffi::Qp>, Errno> {
        // SAFETY: the caller's promise; `attr` is a live struct.
        non_null(unsafe { (self.create_qp)(pd.as_ptr(), attr) })
    }

    unsafe fn modify_qp(
        &self,
        qp: NonNull<ffi::Qp>,
        attr: &mut ffi::QpAttr,
        mask: c_int,
    ) -> Result<(), Errno> {
        // SAFETY: the caller's promise; `attr` is a live struct.
        check(unsafe { (self.modify_qp)(qp.as_ptr(), attr, mask) })
    }

    unsafe fn query_qp(
        &self,
        qp: NonNull<ffi::Qp>,
        attr: &mut ffi::QpAttr,
        mask: c_int,
        init: &mut ffi::QpInitAttr,
    ) -> Result<(), Errno> {
        // SAFETY: the caller's promise; both structs are live.
        check(unsafe { (self.query_qp)(qp.as_ptr(), attr, mask, init) })
    }

    unsafe fn destroy_qp(&self, qp: NonNull<ffi::Qp>) -> Result<(), Errno> {
        // SAFETY: the caller's promise.
        check(unsafe { (self.destroy_qp)(qp.as_ptr()) })
    }

    unsafe fn create_ah(
        &self,
        pd: NonNull<ffi::Pd>,
        attr: &mut ffi::AhAttr,
    ) -> Result<NonNull<ffi::Ah>, Errno> {
        // SAFETY: the caller's promise; `attr` is a live struct.
        non_null(unsafe { (self.create_ah)(pd.as_ptr(), attr) })
    }

    unsafe fn destroy_ah(&self, ah: NonNull<ffi::Ah>) -> Result<(), Errno> {
        // SAFETY: the caller's promise.
        check(unsafe { (self.destroy_ah)(ah.as_ptr()) })
    }

    unsafe fn create_srq(
        &self,
        pd: NonNull<ffi::Pd>,
        attr: &mut ffi::SrqInitAttr,
    ) -> Result<NonNull<ffi::Srq>, Errno> {
        // SAFETY: the caller's promise; `attr` is a live struct.
        non_null(unsafe { (self.create_srq)(pd.as_ptr(), attr) })
    }

    unsafe fn destroy_srq(&self, srq: NonNull<ffi::Srq>) -> Result<(), Errno> {
        // SAFETY: the caller's promise.
        check(unsafe { (self.destroy_srq)(srq.as_ptr()) })
    }
}
