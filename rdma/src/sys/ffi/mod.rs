//! The C side of libibverbs, written down by hand.
//!
//! Only structs whose layout rdma-core keeps stable are here, and only as much of them as the crate
//! uses. Every number a driver fills in is a plain integer, never a Rust enum: an unknown value
//! must be a value, not undefined behaviour. All structs are valid when zeroed.
//!
//! Source: `libibverbs/verbs.h` of rdma-core, with which a C compiler compares all of it (`layout`).

mod device;
mod event;
mod extended;
#[cfg(test)]
pub(in crate::sys) mod layout;
mod memory;
mod queue;
mod queue_ex;
mod work;

pub(crate) use device::*;
pub(crate) use event::*;
pub(crate) use extended::*;
pub(crate) use memory::*;
pub(crate) use queue::*;
pub(crate) use queue_ex::*;
pub(crate) use work::*;
