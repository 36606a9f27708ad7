//! Memory the kernel may touch. All of it is mapped and owned here.

mod free_list;
mod leaked;
mod lent;
mod mapping;
mod page;
mod pool;
mod process;

#[cfg(feature = "ring")]
pub(crate) use leaked::count as count_leaked;
pub(crate) use leaked::leaked_bytes;
pub(crate) use lent::Lent;
pub(crate) use mapping::Mapping;
#[cfg(feature = "ring")]
pub(crate) use page::size as page_size;
#[cfg(feature = "ring")]
pub(crate) use pool::{Home, WeakPool};
pub(crate) use pool::{Pool, Shape, Slot};
pub(crate) use process::Process;
