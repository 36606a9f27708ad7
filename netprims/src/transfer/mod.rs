//! Bytes from a file or a socket to a socket, without a way through this process's memory.
//!
//! | | moves |
//! |---|---|
//! | [`SendFile`] | part of a file to a socket: `sendfile` |
//! | [`Relay`] | a stream from one socket to another, through a pipe, and loses nothing on the way: `splice` |
//! | [`Pipe`] | the pipe itself, to be filled, drained and copied: `splice`, `tee` |
//!
//! The first two are state machines without a thread or a runtime of their own: a *turn* does what can be done now, at
//! most two system calls, and says what to wait for. With non-blocking sockets they fit any event loop; with blocking ones
//! a plain loop will do. What is under way is in the value, so an error loses nothing of it.
//!
//! # What the kernel does not promise
//!
//! - The bytes of a file are not copied when they are sent. Until the peer has acknowledged them, also a later change of
//!   the file may be what the peer receives.
//! - `vmsplice` is not here: it would hand the kernel pages of this process's memory, which it goes on reading at a time
//!   nobody is told of. For memory there is `ring` (feature `ring`), which says when it is done.
//! - Sending to a connection that is gone raises `SIGPIPE` beside `EPIPE`: neither call has a flag against it. Rust
//!   programs ignore the signal; a Rust library in another program is to see to it.

mod pipe;
mod relay;
mod send_file;

pub use pipe::Pipe;
pub use relay::{Relay, RelayTurn};
pub use send_file::{SendFile, SendFileTurn};

use std::io;

/// As many bytes as one call moves (`MAX_RW_COUNT` in `include/linux/fs.h`, with pages of 4 KiB).
const MOST: usize = 0x7fff_f000;

/// Whether the call would have waited.
fn would_block(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::WouldBlock
}
