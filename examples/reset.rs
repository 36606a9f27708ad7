//! Leaving a peer that is not worth waiting for.

use std::os::fd::AsFd;
use std::time::Duration;

use netprims::tuning::Tuning;

/// Has the close of a connection reset it. The kernel lets go of what the peer has not taken at once then, instead of keeping
/// it for minutes, buffers that are sent without copying among it.
pub(crate) fn reset_on_close(socket: &impl AsFd) {
    // Where it fails, the connection is closed as others are.
    let _ = Tuning::tcp().linger(Duration::ZERO).apply(socket);
}
