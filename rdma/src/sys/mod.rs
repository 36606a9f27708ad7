//! The only place with `unsafe`: the C library and everything it may reach by address.
//!
//! What is here owns. [`Buf`] owns one slot of registered memory, [`QpHandle`] owns the buffers of
//! its work requests until their completions, and so on: each safe function is sound for any caller
//! in the crate, takes no raw pointer, and trusts no length, id or lifetime it was not itself the
//! author of.
//!
//! [`Verbs`] is the seam: the real library implements it, and so does the fake one of the tests.

mod access;
mod ah;
mod async_event;
mod backing;
mod buf;
mod bufs;
mod channel;
mod context;
#[cfg(test)]
pub(crate) mod counting;
mod cq;
mod cq_ex;
#[cfg(test)]
pub(crate) mod defect;
mod device;
mod dlopen;
mod errno;
#[cfg(test)]
pub(crate) mod fake;
mod ffi;
pub(crate) use ffi::{PortAttr, QPF_GRH_REQUIRED, wc_flag};
mod exposed;
mod extras;
mod flight;
mod free_list;
mod functions;
#[cfg(test)]
pub(crate) mod graveyard;
mod identity;
mod lacking;
mod leaks;
mod libibverbs;
mod memory;
mod modify;
mod netdev;
#[cfg(test)]
pub(crate) mod oracle;
mod pages;
mod pd;
mod qp;
#[cfg(feature = "tokio")]
mod readiness;
mod recv_stage;
mod region;
mod registered;
mod room;
mod shelf;
mod srq;
mod srq_batch;
mod tag;
mod verbs;
mod window;
mod work;
mod work_ex;
mod wr_id;

pub(crate) use access::AccessOptions;
pub(crate) use ah::AhHandle;
pub(crate) use async_event::{About, AsyncEvent, AsyncEvents};
pub(crate) use backing::Backing;
pub use backing::{RawMemory, StableMemory};
pub use buf::Buf;
pub(crate) use bufs::Payload;
pub use bufs::{BufList, Bufs};
pub(crate) use channel::ChannelHandle;
pub use channel::CqNumber;
pub(crate) use context::{ContextHandle, DeviceLimits, RawGid};
pub use cq::{Completion, Completions};
pub(crate) use cq::{CqHandle, Poller};
pub(crate) use cq_ex::{CqFields, CreateCqError};
pub(crate) use device::{DeviceInfo, DeviceList, DeviceRef};
pub(crate) use errno::Errno;
pub(crate) use exposed::{ExposedPart, ExposedRegion, is_words, whole_words};
pub use identity::{QpIdentity, SrqNumber};
pub use lacking::Lacking;
pub use leaks::{Leaks, leaks};
pub(crate) use libibverbs::{Libibverbs, LoadError};
pub(crate) use memory::PageKind;
pub(crate) use modify::{
    AnswerNumbers, GlobalNumbers, Modify, PathNumbers, RetryNumbers, Rights, RtrNumbers, RtsNumbers,
};
pub(crate) use netdev::netdev_name;
pub use pages::Pages;
pub(crate) use pd::PdHandle;
pub(crate) use qp::{
    AttachError, BatchRefused, Caps, CreateError, GroupNumbers, Health, QpHandle, QpSnapshot,
    RecvStaging, Refused, ResetError, Retired, Staging, Transport, Unclaimed, Why,
};
#[cfg(feature = "tokio")]
pub(crate) use readiness::Readiness;
pub(crate) use region::{Region, Shape};
pub(crate) use room::NoRoom;
pub(crate) use srq::{SharedQueue, SrqHandle};
pub(crate) use srq_batch::SrqStaging;
#[cfg(test)]
pub(crate) use tag::{in_use as tag_in_use, taken as tags_taken};
pub(crate) use verbs::Verbs;
pub(crate) use window::WindowHandle;
pub(crate) use work::{RemoteAddress, Work};
pub(crate) use work_ex::{ExtendedOps, ExtendedWork, placement};
pub use wr_id::Queue;
