//! Registered memory.

mod dmabuf;
mod exposed;
mod local;
mod owned;
mod pages;
mod refusal;
mod registration;
mod remote;
mod window;

use std::sync::Arc;

use crate::sys::Region;

pub use crate::sys::{Buf, BufList, Bufs, Pages, RawMemory, StableMemory};
pub use dmabuf::DmabufMr;
pub use exposed::{Exposed, ExposedMr};
pub use local::Local;
pub use owned::{NotRegistered, NotReturned, Owned};
pub(crate) use pages::advice;
pub use pages::{HugePage, PagePlan};
pub use registration::Registration;
pub use remote::{RemoteKey, RemoteSlice, RemoteWord};
pub use window::Window;

/// Registered memory for this host's own use, cut into [`Buf`]s of one size.
///
/// The region is deregistered and unmapped when this and all its buffers are gone, those in flight
/// included. If deregistering fails, the pages stay mapped for ever rather than be given away while
/// the device may write to them.
#[doc(alias = "ibv_mr")]
#[derive(Clone, Debug)]
pub struct Mr {
    region: Arc<Region>,
}

impl Mr {
    pub(crate) fn new(region: Arc<Region>) -> Self {
        Mr { region }
    }

    /// A buffer that nobody holds, showing all its bytes; `None` when all are held.
    #[must_use]
    pub fn take(&self) -> Option<Buf> {
        self.region.take()
    }

    /// How many buffers the region has in all.
    #[must_use]
    pub fn buffers(&self) -> u32 {
        self.region.count()
    }

    /// The size of each buffer, in bytes.
    #[must_use]
    pub fn buffer_size(&self) -> u32 {
        self.region.slot_size()
    }

    /// Which huge pages it has; `None`: the system's own, or the memory is the program's.
    #[must_use]
    pub fn huge_pages(&self) -> Option<HugePage> {
        self.region.backing()?.pages()?.huge()
    }

    #[cfg(test)]
    pub(crate) fn region(&self) -> &Arc<Region> {
        &self.region
    }
}
