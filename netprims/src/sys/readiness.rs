use std::io;
use std::os::fd::OwnedFd;

use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// Waits in a tokio runtime until a descriptor is rung again, which it owns.
#[derive(Debug)]
pub(crate) struct Readiness {
    fd: AsyncFd<OwnedFd>,
}

impl Readiness {
    pub(crate) fn new(fd: OwnedFd) -> io::Result<Self> {
        // SAFETY: an `OwnedFd` keeps its descriptor open and the same for as long as it lives, and nothing here exchanges it.
        let fd = unsafe { AsyncFd::register_with_interest(fd, Interest::READABLE) };
        Ok(Self { fd: fd? })
    }

    /// Waits until it was rung since the last time; at once the first time, if ever.
    pub(crate) async fn rung(&mut self) -> io::Result<()> {
        self.fd.readable_mut().await?.clear_ready();
        Ok(())
    }
}
