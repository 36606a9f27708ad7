//! Events of a device.

use std::ffi::{c_int, c_void};

/// Values of `enum ibv_event_type`.
pub(crate) mod event_type {
    pub(crate) const CQ_ERR: u32 = 0;
    pub(crate) const QP_FATAL: u32 = 1;
    pub(crate) const PATH_MIG_ERR: u32 = 7;
    pub(crate) const DEVICE_FATAL: u32 = 8;
    pub(crate) const PORT_ACTIVE: u32 = 9;
    pub(crate) const SM_CHANGE: u32 = 13;
    pub(crate) const SRQ_ERR: u32 = 14;
    pub(crate) const SRQ_LIMIT_REACHED: u32 = 15;
    pub(crate) const QP_LAST_WQE_REACHED: u32 = 16;
    pub(crate) const CLIENT_REREGISTER: u32 = 17;
    pub(crate) const GID_CHANGE: u32 = 18;
}

/// `element` of `struct ibv_async_event`: a pointer to the object of the event, or the number of the
/// port.
#[repr(C)]
#[derive(Clone, Copy)]
pub(crate) union EventElement {
    pub(crate) object: *mut c_void,
    pub(crate) port_num: c_int,
}

/// `struct ibv_async_event`.
#[repr(C)]
pub(crate) struct AsyncEvent {
    pub(crate) element: EventElement,
    pub(crate) event_type: u32,
}
