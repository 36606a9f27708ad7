//! Protection domains and memory regions.

use std::ffi::{c_int, c_void};

use super::Context;

/// `IBV_ACCESS_LOCAL_WRITE`.
pub(crate) const ACCESS_LOCAL_WRITE: c_int = 1;
/// `IBV_ACCESS_ON_DEMAND`.
pub(crate) const ACCESS_ON_DEMAND: c_int = 1 << 6;
/// `IBV_ACCESS_RELAXED_ORDERING`.
pub(crate) const ACCESS_RELAXED_ORDERING: c_int = 1 << 20;
/// `IBV_ACCESS_OPTIONAL_RANGE`: what the library leaves out where the kernel does not know it.
pub(crate) const ACCESS_OPTIONAL_RANGE: c_int = 0x3ff0_0000;

/// `struct ibv_pd`.
#[repr(C)]
pub(crate) struct Pd {
    pub(crate) context: *mut Context,
    pub(crate) handle: u32,
}

/// `struct ibv_mr`.
#[repr(C)]
pub(crate) struct Mr {
    pub(crate) context: *mut Context,
    pub(crate) pd: *mut Pd,
    pub(crate) addr: *mut c_void,
    pub(crate) length: usize,
    pub(crate) handle: u32,
    pub(crate) lkey: u32,
    pub(crate) rkey: u32,
}

/// `IBV_MW_TYPE_2`.
pub(crate) const MW_TYPE_2: u32 = 2;

/// `struct ibv_mw`.
#[repr(C)]
pub(crate) struct Mw {
    pub(crate) context: *mut Context,
    pub(crate) pd: *mut Pd,
    pub(crate) rkey: u32,
    pub(crate) handle: u32,
    pub(crate) kind: u32,
}

/// `ops.alloc_mw` of a context.
pub(crate) type AllocMw = unsafe extern "C" fn(*mut Pd, u32) -> *mut Mw;
/// `ops.dealloc_mw` of a context.
pub(crate) type DeallocMw = unsafe extern "C" fn(*mut Mw) -> c_int;
