//! Safe RDMA verbs.
//!
//! Post sends and receives without `unsafe`, and without the NIC ever touching memory that was
//! freed: buffers are owned, move into the queue pair when posted, and move back with their
//! completion.
//!
//! ```no_run
//! use netprims_rdma::{
//!     Device, Endpoint, Mtu, PortNum, Psn, QpCap, RtrAttr, RtsAttr,
//! };
//! # fn exchange(mine: Endpoint) -> Endpoint { mine }
//! # fn main() -> Result<(), netprims_rdma::Error> {
//! let context = Device::first()?.open()?;
//! let port = PortNum::FIRST;
//! let chosen = context.select_gid(port)?;
//! println!("{chosen}");
//!
//! let pd = context.alloc_pd()?;
//! let memory = pd.register_local(2, 4096)?;
//! let mut cq = context.create_cq(16)?;
//! let mut qp = pd.create_rc(&cq, &cq, QpCap::new(1, 1))?.init(port)?;
//! qp.post_recv(memory.take().expect("two slots"), 0)?;
//!
//! let psn = Psn::new(0x1234)?;
//! let lid = context.query_port(port)?.lid;
//! let mine = Endpoint::new(qp.number(), psn).at_lid(lid).at_gid(chosen.entry.gid);
//! let theirs = exchange(mine);
//! let mut qp = qp
//!     .rtr(&RtrAttr::new(theirs, Mtu::B1024).via_gid(chosen.index))?
//!     .rts(&RtsAttr::new(psn))?;
//!
//! let mut message = memory.take().expect("two slots");
//! message[..5].copy_from_slice(b"hello");
//! message.set_len(5);
//! qp.post_send(message, 1)?;
//! let mut open = 2;
//! while open > 0 {
//!     for mut completion in cq.poll()? {
//!         while let Some(done) = qp.complete(&mut completion)? {
//!             done.check()?;
//!             println!("{}: {} bytes", done.queue, done.message().len());
//!             open -= 1;
//!         }
//!     }
//! }
//! # Ok(())
//! # }
//! ```
//!
//! # What it needs
//!
//! Nothing to build. At run time the crate loads `libibverbs.so.1` (rdma-core 32 or newer); where
//! that is absent, [`Device::list`] returns [`Error::LibraryMissing`], and where no device is,
//! [`Error::NoDevice`]. A binary that uses the crate starts anywhere.
//!
//! # Waiting
//!
//! [`Cq::poll`] never waits. A completion queue with a channel is waited for by [`Cq::wait`], by poll(2) or epoll(7) on
//! the channel's descriptor (arm, poll once more, then wait), or, with the feature `tokio`, by `AsyncCq`.
//! With the feature `link` the program is linked with libibverbs instead, for those that cannot load
//! libraries: it needs libibverbs-dev, librdmacm-dev and libclang to build (rdma-sys), and does not
//! start where the library is absent.
//!
//! # What it promises
//!
//! - Safe code cannot make the device read or write memory that is not, at that time, the device's:
//!   whatever is dropped, forgotten or kept, in whatever order.
//! - A driver is believed in two things only: once it says that a queue pair is destroyed or a
//!   region deregistered, the device leaves their memory alone; and once it reports work as done,
//!   the device is done with that work's buffer, and with those of the unsignalled sends right
//!   before it. Reports that are repeated, missing, out of order, or of nothing in flight cost
//!   memory or a queue pair, never more.
//! - Completion queues do not overrun: creating a queue pair reserves its room.
//! - What cannot be released safely is kept and counted: [`leaks`].
//! - Posting and polling allocate nothing, and take no lock of this crate's; but the first polls
//!   after a queue pair was destroyed take one, to give its room back.
//!
//! # Forking
//!
//! A forked child must leave the objects of this crate alone, and best becomes another program at once, as
//! [`Command`](std::process::Command) has it: they are the parent's, and what a child posts or drops would be so for
//! the parent, too. With Linux 5.12 and newer the parent goes on undisturbed: memory that the crate maps is not shared with
//! the child, which sees zeroes there, or nothing where the pages are huge; memory of the program's own
//! ([`Registration::local_owned`]) and the queues of the provider are copied for the child. `ibv_fork_init` (or
//! `IBV_FORK_SAFE=1`) is not needed there; where it is in use, the child lacks all registered pages. With older kernels, set
//! `IBV_FORK_SAFE=1`, or do not fork while a device is open: the parent might lose its queues to the child.

mod ah;
mod clock;
mod context;
mod cq;
mod device;
mod error;
mod event;
mod gid;
mod group;
mod limits;
mod link;
mod mr;
mod pci;
mod pd;
mod pkey;
mod port;
mod qp;
mod raw;
mod srq;
#[expect(
    unsafe_code,
    reason = "the C library, and memory that a device reaches by address"
)]
mod sys;
#[cfg(test)]
mod tests;
mod timer;

pub use ah::{Ah, Datagram, Path, Qkey};
pub use clock::DeviceClock;
pub use context::Context;
pub use cq::{Arm, CompChannel, Completion, Completions, Cq, CqAttr, CqNumber, WcOpcode, WcStatus};
#[cfg(feature = "tokio")]
pub use cq::{AsyncCompChannel, AsyncCq};
pub use device::{Device, NodeType, Transport};
pub use error::{Error, Result};
pub use event::{DeviceEvent, DeviceEvents, EventKind, EventSubject};
pub use gid::{Gid, GidChoice, GidEntry, GidIndex, GidReason, GidType};
pub use group::Group;
pub use limits::{AtomicCap, DeviceCaps, DeviceLimits, OdpCaps, OdpWork, OnDemandPaging};
pub use link::{LinkSpeed, LinkWidth, PhysState, PortCaps};
pub use mr::{
    Buf, BufList, Bufs, DmabufMr, Exposed, ExposedMr, HugePage, Local, Mr, NotRegistered,
    NotReturned, Owned, PagePlan, Pages, RawMemory, Registration, RemoteKey, RemoteSlice,
    RemoteWord, StableMemory, Window,
};
pub use pci::PciAddress;
pub use pd::Pd;
pub use pkey::Pkey;
pub use port::{Lid, LinkLayer, Mtu, PortInfo, PortNum, PortState};
pub use qp::{
    Batch, BatchRejected, BindWr, Connected, Done, Drained, Endpoint, ExtendedWr, Failed, Flush,
    Init, InitAttr, Psn, Qp, QpCap, QpInfo, QpState, QpType, Qpn, Queue, Rc, Receives, RecvBatch,
    Rejected, RemoteAccess, Reset, Returned, Rtr, RtrAttr, Rts, RtsAttr, State, Stopped, Uc, Ud,
    WasReset, Wr,
};
pub use srq::{Srq, SrqBatch};
pub use sys::{Lacking, Leaks, QpIdentity, SrqNumber, leaks};
pub use timer::{AckTimeout, RnrTimer};
