//! A path without segmentation offload, as tests need one: which device lacks it depends on the kernel.

use std::cell::Cell;
use std::io;

use crate::sys::control::messages;

thread_local! {
    static LACKING: Cell<bool> = const { Cell::new(false) };
}

/// Runs with every path of this thread lacking the offload.
pub(crate) fn with<R>(body: impl FnOnce() -> R) -> R {
    LACKING.set(true);
    let result = body();
    LACKING.set(false);
    result
}

/// How many of the messages with these control messages the kernel would take: those before the first that asks for
/// segments. If that is the first, its errno.
pub(super) fn taken<'a>(controls: impl ExactSizeIterator<Item = &'a [u8]>) -> io::Result<usize> {
    let all = controls.len();
    if !LACKING.get() {
        return Ok(all);
    }
    let mut controls = controls;
    let asks = |control| {
        messages(control).any(|message| {
            let kind = (message.level, message.kind);
            kind == (libc::IPPROTO_UDP, libc::UDP_SEGMENT) && message.payload != [0, 0]
        })
    };
    match controls.position(asks) {
        Some(0) => Err(io::Error::from_raw_os_error(libc::EIO)),
        first => Ok(first.unwrap_or(all)),
    }
}
