//! Memory to send from without copying: owned by the crate, lent to the kernel, and back with one owner.
//!
//! A [`TxPool`] maps it and a [`TxBuf`] is one slot of it. Who sends moves the `TxBuf` in and gets it back when the kernel
//! is done: from a [`ZeroCopySender`](crate::zerocopy::ZeroCopySender), or from a ring (feature `ring`).
//!
//! ```
//! use netprims::buffer::TxPool;
//!
//! let pool = TxPool::new(16, 64 * 1024)?;
//! let mut buf = pool.take().expect("a fresh pool has free slots");
//! buf.set_len(5)?;
//! buf.copy_from_slice(b"hello");
//! assert_eq!(pool.outstanding(), 1);
//! # Ok::<(), netprims::Error>(())
//! ```

mod buf;
mod leaked;
mod pool;
mod rejected;

pub use crate::sys::usage::Usage;
pub use buf::TxBuf;
pub use leaked::leaked_bytes;
pub use pool::TxPool;
pub use rejected::Rejected;
