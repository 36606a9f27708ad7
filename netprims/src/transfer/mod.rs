//! Bytes from a file or a socket to a socket, without a way through this process's memory.
//!
//! | | moves |
//! |---|---|
//! | [`SendFile`] | part of a file to a socket: `sendfile` |
//! | [`Relay`] | the bytes of a stream from one socket to another, through a pipe, and loses none on the way: `splice` |
//! | [`Pipe`] | the pipe itself, to be filled, drained and copied: `splice`, `tee` |
//!
//! The first two are state machines without a thread or a runtime of their own: a *turn* does what can be done now, a few
//! system calls, and says what to wait for. They fit any event loop, or a loop around `poll`. What is under way is in the
//! value, so an error loses nothing of it.
//!
//! Nothing here makes a descriptor non-blocking, and with a blocking one a turn may wait: for a TCP socket it does, and for
//! room in any socket. For bytes from a Unix socket or a pipe, and for room in a pipe, no turn waits, whatever the
//! descriptor's mode is: so a loop needs `poll` with blocking descriptors too.
//!
//! # What the kernel does not promise
//!
//! - Only the bytes are moved. Descriptors that are passed over a Unix socket are closed on the way, without a word; a
//!   relay is no proxy for those.
//! - TCP's urgent byte is lost on the way, unless the source has `SO_OOBINLINE`; that it was urgent is lost in any case.
//! - The bytes of a file are not copied when they are sent. Until the peer has acknowledged them, also a later change of
//!   the file may be what the peer receives.
//! - `vmsplice` is not here: it would hand the kernel pages of this process's memory, which it goes on reading at a time
//!   nobody is told of. For memory there is `ring` (feature `ring`), which says when it is done.
//! - Sending to a connection that is gone raises `SIGPIPE` beside `EPIPE`: neither call has a flag against it. Rust
//!   programs ignore the signal; a Rust library in another program is to see to it.

mod pipe;
mod relay;
mod send_file;
mod streams;

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
