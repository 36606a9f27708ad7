//! What a provider has beyond the operations of a context, and the structs it takes.

use std::ffi::{c_int, c_void};

use super::{Context, CqEx, CqInitAttrEx, DeviceAttr, PortAttr, Qp, QpInitAttrEx};

/// `ibv_query_port` as providers implement it: the last argument is the size of the struct to fill.
pub(crate) type QueryPort = unsafe extern "C" fn(*mut Context, u8, *mut PortAttr, usize) -> c_int;
/// `query_rt_values` of an extended context.
pub(crate) type QueryRtValues = unsafe extern "C" fn(*mut Context, *mut ValuesEx) -> c_int;
/// `create_cq_ex` of an extended context.
pub(crate) type CreateCqEx = unsafe extern "C" fn(*mut Context, *mut CqInitAttrEx) -> *mut CqEx;
/// `query_device_ex` of an extended context: the last argument is the size of the struct to fill.
pub(crate) type QueryDeviceEx = unsafe extern "C" fn(
    *mut Context,
    *const QueryDeviceExInput,
    *mut DeviceAttrEx,
    usize,
) -> c_int;
/// `create_qp_ex` of an extended context.
pub(crate) type CreateQpEx = unsafe extern "C" fn(*mut Context, *mut QpInitAttrEx) -> *mut Qp;

/// The end of `struct verbs_context`, from `query_port` on.
///
/// The struct grows at its *start*, so members are found from the end: `context` is last, `sz` says
/// how much precedes it.
#[repr(C)]
pub(crate) struct VerbsContextTail {
    pub(crate) query_port: Option<QueryPort>,
    pub(crate) advise_mr_to_create_wq: [*mut c_void; 23],
    pub(crate) query_rt_values: Option<QueryRtValues>,
    pub(crate) create_cq_ex: Option<CreateCqEx>,
    pub(crate) private: *mut c_void,
    pub(crate) query_device_ex: Option<QueryDeviceEx>,
    pub(crate) destroy_flow_to_open_qp: [*mut c_void; 5],
    pub(crate) create_qp_ex: Option<CreateQpEx>,
    pub(crate) get_srq_num_to_close_xrcd: [*mut c_void; 4],
    pub(crate) abi_placeholder3: u64,
    pub(crate) sz: usize,
    pub(crate) context: Context,
}

/// `struct ibv_query_device_ex_input`.
#[repr(C)]
pub(crate) struct QueryDeviceExInput {
    pub(crate) comp_mask: u32,
}

/// `struct ibv_device_attr_ex` up to `device_cap_flags_ex`; the size passed to the provider keeps out
/// what follows.
#[repr(C)]
#[derive(Clone, Copy)]
pub(crate) struct DeviceAttrEx {
    pub(crate) orig_attr: DeviceAttr,
    pub(crate) comp_mask: u32,
    pub(crate) odp_caps: OdpCaps,
    pub(crate) completion_timestamp_mask: u64,
    pub(crate) hca_core_clock: u64,
    pub(crate) device_cap_flags_ex: u64,
}

/// `IBV_ODP_SUPPORT`.
pub(crate) const ODP_SUPPORT: u64 = 1;

/// `struct ibv_odp_caps`.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub(crate) struct OdpCaps {
    pub(crate) general_caps: u64,
    pub(crate) rc_odp_caps: u32,
    pub(crate) uc_odp_caps: u32,
    pub(crate) ud_odp_caps: u32,
}

/// `IBV_VALUES_MASK_RAW_CLOCK`.
pub(crate) const VALUES_MASK_RAW_CLOCK: u32 = 1;

/// `struct ibv_values_ex`.
#[repr(C)]
pub(crate) struct ValuesEx {
    pub(crate) comp_mask: u32,
    pub(crate) raw_clock: libc::timespec,
}
