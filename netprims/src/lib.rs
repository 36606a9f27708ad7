//! RAII sockets, tuning that tells what the kernel granted, and zero-copy sends, over io_uring and without.
//!
//! # What it does
//!
//! - [`tuning`]: one plain [`Tuning`](tuning::Tuning) value for the socket options a service sets. Applying it to
//!   anything [`AsFd`](std::os::fd::AsFd) returns a [`Report`](tuning::Report): per option what was requested, what is
//!   in effect and, where they differ, which sysctl, privilege or kernel rule did it and what would lift it.
//! - [`socket`]: TCP, UDP and Unix sockets that are close-on-exec, own their descriptor, and are tuned before the moment
//!   passes; groups of them on one address, steered by CPU or by a program.
//! - [`zerocopy`]: `MSG_ZEROCOPY` for sockets that epoll, poll or tokio wait for. A buffer of [`buffer`] moves in when it
//!   is sent and comes back when the error queue says that the kernel is done with it.
//! - `ring` (feature `ring`, on by default): one thread's io_uring with buffers the crate owns. A buffer moves in
//!   when it is sent and comes back when the kernel is done with it, together with the truth about the copy.
//! - [`info`]: what the kernel knows of a socket: `TCP_INFO` as a struct that grows with the kernel, memory, queues, peer.
//! - [`transfer`]: bytes from a file or a socket to a socket that never enter this process: sendfile, splice.
//! - [`datagram`]: UDP datagrams, many a system call, with segmentation offload, addresses, ECN and times of arrival, which
//!   [`timestamp`] reads from any socket.
//! - [`sysctl`]: network sysctls as the calling thread's network namespace sees them: read, written, and whose they are.
//! - [`netns`]: network namespaces, entered on threads of their own.
//! - [`fd`]: epoll with its busy-poll parameters, eventfd, timerfd, pidfd and memfd that own their descriptor; passing
//!   descriptors over Unix sockets; closing one and seeing the error.
//!
//! # What it does not do
//!
//! It is no async runtime and starts no threads, except for the length of a call in [`netns`]. It sets no option that
//! was not asked for, with the exceptions that [`TcpBuilder::listen`](socket::TcpBuilder::listen) (`SO_REUSEADDR`) and a
//! [`Group`](socket::Group) (`SO_REUSEPORT`) name. It runs on Linux only.
//!
//! # Features
//!
//! | feature | default | adds |
//! |---|---|---|
//! | `ring` | yes | the `ring` module |
//! | `tokio` | no | `ring::AsyncRing`, a ring in a tokio runtime; brings `ring` |
//! | `serde` | no | `Serialize` and `Deserialize` for `Tuning`, `Serialize` for its report |
//!
//! # Example
//!
//! ```
//! use netprims::socket::TcpBuilder;
//! use netprims::tuning::{Tcp, Tuning};
//!
//! const TUNING: Tuning<Tcp> = Tuning::tcp().receive_buffer(256 * 1024).nodelay(true);
//!
//! let (listener, report) = TcpBuilder::new().tuning(TUNING).listen("127.0.0.1:0".parse()?)?;
//! println!("{report}");
//! for difference in report.differences() {
//!     eprintln!("not granted: {difference}");
//! }
//! listener.close()?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

/// The README's programs, compiled and run with the documentation's.
#[cfg(all(doctest, feature = "ring"))]
#[doc = include_str!("../../README.md")]
struct Readme;

pub mod buffer;
pub mod datagram;
pub mod fd;
pub mod info;
pub mod netns;
#[cfg(feature = "ring")]
pub mod ring;
pub mod socket;
pub mod sysctl;
pub mod timestamp;
pub mod transfer;
pub mod tuning;
pub mod zerocopy;

mod caller;
mod error;
#[expect(
    unsafe_code,
    reason = "the kernel edge: the only module tree that may be unsafe"
)]
mod sys;

pub use error::{Error, Result};
