//! Waiting for a completion channel in a tokio runtime.

use std::io;
use std::os::fd::{AsFd as _, AsRawFd, RawFd};
use std::sync::Arc;

use tokio::io::Interest;
use tokio::io::unix::{AsyncFd, AsyncFdReadyGuard};

use super::channel::ChannelHandle;

/// A channel that a runtime watches.
#[derive(Debug)]
pub(crate) struct Readiness {
    fd: AsyncFd<Watched>,
}

/// The channel whose descriptor is watched.
#[derive(Debug)]
pub(crate) struct Watched(Arc<ChannelHandle>);

impl AsRawFd for Watched {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_fd().as_raw_fd()
    }
}

impl Readiness {
    pub(crate) fn new(channel: &Arc<ChannelHandle>) -> io::Result<Self> {
        let watched = Watched(Arc::clone(channel));
        // SAFETY: a channel keeps its descriptor open and the same for as long as it lives, which is while anybody
        // has an `Arc` of it.
        let fd = unsafe { AsyncFd::register_with_interest(watched, Interest::READABLE) };
        Ok(Readiness { fd: fd? })
    }

    /// Waits until there may be an event. Who finds that there is none, or no more, says so to the guard.
    pub(crate) async fn ready(&self) -> io::Result<AsyncFdReadyGuard<'_, Watched>> {
        self.fd.readable().await
    }
}
