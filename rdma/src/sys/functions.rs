//! The functions of libibverbs that the crate calls, listed once: symbol, symbol version, signature.

use std::ffi::{CStr, c_int, c_uint, c_void};
use std::ptr::NonNull;

use super::ffi;

/// Declares [`Functions`], and how each of them is found.
macro_rules! functions {
    ($(
        $field:ident = $symbol:ident @ $version:literal:
            fn($($argument:ty),* $(,)?) $(-> $result:ty)?;
    )+) => {
        /// The functions of libibverbs, each with the signature that `verbs.h` gives it; `cargo xtask
        /// check` has a C compiler compare them.
        #[derive(Clone, Copy, Debug)]
        pub(super) struct Functions {
            $(pub(super) $field: unsafe extern "C" fn($($argument),*) $(-> $result)?,)+
        }

        /// In a program that is linked with the library.
        #[cfg(feature = "link")]
        impl Functions {
            pub(super) fn linked() -> Self {
                // What these declarations say is compared with `verbs.h` like the rest; the crate that
                // has the linker look in the library has no types for some of them.
                use rdma_sys as _;
                unsafe extern "C" {
                    $(fn $symbol($(_: $argument),*) $(-> $result)?;)+
                }
                Functions { $($field: $symbol),+ }
            }
        }

        #[cfg(not(feature = "link"))]
        impl Functions {
            /// All of them, from where `find` finds the function of a name and a symbol version.
            ///
            /// # Safety
            /// What `find` returns is the function of that name in libibverbs, of that version.
            pub(super) unsafe fn find_all<E>(
                find: impl Fn(&'static CStr, &'static CStr) -> Result<NonNull<c_void>, E>,
            ) -> Result<Self, E> {
                $(
                    let name = const { c_string(concat!(stringify!($symbol), "\0")) };
                    let address = find(name, const { c_string(concat!($version, "\0")) })?;
                    // SAFETY: `address` is the function of this name and symbol version (the caller's
                    // promise), whose C signature is this one; a function pointer is as large as a data
                    // pointer on every Linux target.
                    let $field = unsafe {
                        std::mem::transmute::<
                            NonNull<c_void>,
                            unsafe extern "C" fn($($argument),*) $(-> $result)?,
                        >(address)
                    };
                )+
                Ok(Functions { $($field),+ })
            }
        }

        /// Name, symbol version and C signature of each.
        #[cfg(test)]
        pub(super) fn signatures() -> Vec<(&'static str, &'static str, String)> {
            use ffi::layout::InC;
            vec![$((
                stringify!($symbol),
                $version,
                <unsafe extern "C" fn($($argument),*) $(-> $result)? as InC>::name(),
            )),+]
        }
    };
}

/// Declares [`NewerFunctions`], as `functions!` does [`Functions`].
macro_rules! newer_functions {
    ($(
        $field:ident = $symbol:ident @ $version:literal:
            fn($($argument:ty),* $(,)?) $(-> $result:ty)?;
    )+) => {
        /// Functions that not every libibverbs has which the crate can use.
        #[derive(Clone, Copy, Debug)]
        pub(super) struct NewerFunctions {
            $(pub(super) $field: Option<unsafe extern "C" fn($($argument),*) $(-> $result)?>,)+
        }

        impl NewerFunctions {
            /// Those of them that `find` finds.
            ///
            /// # Safety
            /// As of [`Functions::find_all`].
            pub(super) unsafe fn find_all<E>(
                find: impl Fn(&'static CStr, &'static CStr) -> Result<NonNull<c_void>, E>,
            ) -> Self {
                $(
                    let name = const { c_string(concat!(stringify!($symbol), "\0")) };
                    let address = find(name, const { c_string(concat!($version, "\0")) });
                    let $field = address.ok().map(|address| {
                        // SAFETY: as in `Functions::find_all`.
                        unsafe {
                            std::mem::transmute::<
                                NonNull<c_void>,
                                unsafe extern "C" fn($($argument),*) $(-> $result)?,
                            >(address)
                        }
                    });
                )+
                NewerFunctions { $($field),+ }
            }
        }

        /// Name, symbol version and C signature of each.
        #[cfg(test)]
        pub(super) fn newer_signatures() -> Vec<(&'static str, &'static str, String)> {
            use ffi::layout::InC;
            vec![$((
                stringify!($symbol),
                $version,
                <unsafe extern "C" fn($($argument),*) $(-> $result)? as InC>::name(),
            )),+]
        }
    };
}

functions! {
    get_device_list = ibv_get_device_list @ "IBVERBS_1.1": fn(*mut c_int) -> *mut *mut ffi::Device;
    free_device_list = ibv_free_device_list @ "IBVERBS_1.1": fn(*mut *mut ffi::Device);
    open_device = ibv_open_device @ "IBVERBS_1.1": fn(*mut ffi::Device) -> *mut ffi::Context;
    close_device = ibv_close_device @ "IBVERBS_1.1": fn(*mut ffi::Context) -> c_int;
    query_device = ibv_query_device @ "IBVERBS_1.1":
        fn(*mut ffi::Context, *mut ffi::DeviceAttr) -> c_int;
    compat_query_port = ibv_query_port @ "IBVERBS_1.1":
        fn(*mut ffi::Context, u8, *mut ffi::CompatPortAttr) -> c_int;
    query_gid = _ibv_query_gid_ex @ "IBVERBS_1.11":
        fn(*mut ffi::Context, u32, u32, *mut ffi::GidEntry, u32, usize) -> c_int;
    query_gid_table = _ibv_query_gid_table @ "IBVERBS_1.11":
        fn(*mut ffi::Context, *mut ffi::GidEntry, usize, u32, usize) -> isize;
    query_pkey = ibv_query_pkey @ "IBVERBS_1.1":
        fn(*mut ffi::Context, u8, c_int, *mut u16) -> c_int;
    alloc_pd = ibv_alloc_pd @ "IBVERBS_1.1": fn(*mut ffi::Context) -> *mut ffi::Pd;
    dealloc_pd = ibv_dealloc_pd @ "IBVERBS_1.1": fn(*mut ffi::Pd) -> c_int;
    reg_mr = ibv_reg_mr @ "IBVERBS_1.1":
        fn(*mut ffi::Pd, *mut c_void, usize, c_int) -> *mut ffi::Mr;
    reg_mr_iova2 = ibv_reg_mr_iova2 @ "IBVERBS_1.8":
        fn(*mut ffi::Pd, *mut c_void, usize, u64, c_uint) -> *mut ffi::Mr;
    dereg_mr = ibv_dereg_mr @ "IBVERBS_1.1": fn(*mut ffi::Mr) -> c_int;
    create_channel = ibv_create_comp_channel @ "IBVERBS_1.0":
        fn(*mut ffi::Context) -> *mut ffi::CompChannel;
    destroy_channel = ibv_destroy_comp_channel @ "IBVERBS_1.0": fn(*mut ffi::CompChannel) -> c_int;
    get_cq_event = ibv_get_cq_event @ "IBVERBS_1.1":
        fn(*mut ffi::CompChannel, *mut *mut ffi::Cq, *mut *mut c_void) -> c_int;
    ack_cq_events = ibv_ack_cq_events @ "IBVERBS_1.1": fn(*mut ffi::Cq, c_uint);
    get_async_event = ibv_get_async_event @ "IBVERBS_1.1":
        fn(*mut ffi::Context, *mut ffi::AsyncEvent) -> c_int;
    ack_async_event = ibv_ack_async_event @ "IBVERBS_1.1": fn(*mut ffi::AsyncEvent);
    create_cq = ibv_create_cq @ "IBVERBS_1.1":
        fn(*mut ffi::Context, c_int, *mut c_void, *mut ffi::CompChannel, c_int) -> *mut ffi::Cq;
    destroy_cq = ibv_destroy_cq @ "IBVERBS_1.1": fn(*mut ffi::Cq) -> c_int;
    create_qp = ibv_create_qp @ "IBVERBS_1.1":
        fn(*mut ffi::Pd, *mut ffi::QpInitAttr) -> *mut ffi::Qp;
    modify_qp = ibv_modify_qp @ "IBVERBS_1.1": fn(*mut ffi::Qp, *mut ffi::QpAttr, c_int) -> c_int;
    query_qp = ibv_query_qp @ "IBVERBS_1.1":
        fn(*mut ffi::Qp, *mut ffi::QpAttr, c_int, *mut ffi::QpInitAttr) -> c_int;
    destroy_qp = ibv_destroy_qp @ "IBVERBS_1.1": fn(*mut ffi::Qp) -> c_int;
    qp_to_qp_ex = ibv_qp_to_qp_ex @ "IBVERBS_1.6": fn(*mut ffi::Qp) -> *mut ffi::QpEx;
    create_ah = ibv_create_ah @ "IBVERBS_1.1": fn(*mut ffi::Pd, *mut ffi::AhAttr) -> *mut ffi::Ah;
    destroy_ah = ibv_destroy_ah @ "IBVERBS_1.1": fn(*mut ffi::Ah) -> c_int;
    attach_mcast = ibv_attach_mcast @ "IBVERBS_1.1": fn(*mut ffi::Qp, *const ffi::Gid, u16) -> c_int;
    detach_mcast = ibv_detach_mcast @ "IBVERBS_1.1": fn(*mut ffi::Qp, *const ffi::Gid, u16) -> c_int;
    create_srq = ibv_create_srq @ "IBVERBS_1.1":
        fn(*mut ffi::Pd, *mut ffi::SrqInitAttr) -> *mut ffi::Srq;
    modify_srq = ibv_modify_srq @ "IBVERBS_1.1":
        fn(*mut ffi::Srq, *mut ffi::SrqAttr, c_int) -> c_int;
    destroy_srq = ibv_destroy_srq @ "IBVERBS_1.1": fn(*mut ffi::Srq) -> c_int;
}

newer_functions! {
    reg_dmabuf_mr = ibv_reg_dmabuf_mr @ "IBVERBS_1.12":
        fn(*mut ffi::Pd, u64, usize, u64, c_int, c_int) -> *mut ffi::Mr;
}

/// A text that ends with NUL as a C string; the empty one for any other.
const fn c_string(text: &'static str) -> &'static CStr {
    match CStr::from_bytes_with_nul(text.as_bytes()) {
        Ok(text) => text,
        Err(_) => c"",
    }
}
