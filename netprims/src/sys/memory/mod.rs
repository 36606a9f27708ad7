//! Memory the kernel may touch. All of it is mapped and owned here.

mod free_list;
mod mapping;
mod pool;

pub(crate) use mapping::Mapping;
pub(crate) use pool::{Home, Pool, Shape, Slot, WeakPool, leaked_bytes};
