use nix::sys::stat::{FileStat, fstat};
use socket2::{Domain, Socket, Type};

use super::NetNs;
use crate::sys::sockopt::namespace_cookie;
use crate::{Error, Result};

impl NetNs {
    /// Whether both are the same namespace.
    ///
    /// # Errors
    ///
    /// [`Error::System`] if the kernel refuses to say, which it does not for open descriptors.
    ///
    /// Source: namespaces(7) on device and inode.
    pub fn is_same(&self, other: &Self) -> Result<bool> {
        let [ours, theirs] = [self.stat()?, other.stat()?];
        Ok((ours.st_dev, ours.st_ino) == (theirs.st_dev, theirs.st_ino))
    }

    /// Whether the calling thread is in it.
    ///
    /// # Errors
    ///
    /// Those of [`current`](Self::current).
    pub fn is_current(&self) -> Result<bool> {
        self.is_same(&Self::current()?)
    }

    /// The number the kernel gives to no other namespace as long as the system runs, as `SO_NETNS_COOKIE` and eBPF's
    /// `bpf_get_netns_cookie` tell it. An inode number, in contrast, is used again.
    ///
    /// If the calling thread is in another namespace, this enters it on a thread of its own, with the privilege of
    /// [`run`](Self::run).
    ///
    /// # Errors
    ///
    /// - [`Error::System`]: `ENOPROTOOPT` before Linux 5.14, `EMFILE`, `ENFILE`.
    /// - those of [`run`](Self::run).
    ///
    /// Source: `net/core/sock.c`.
    #[doc(alias = "SO_NETNS_COOKIE")]
    pub fn cookie(&self) -> Result<u64> {
        if self.is_current()? {
            return cookie_here();
        }
        self.run(cookie_here)?
    }

    fn stat(&self) -> Result<FileStat> {
        fstat(&self.fd).map_err(|errno| Error::system("fstat", "a namespace", errno.into()))
    }
}

/// The calling thread's.
fn cookie_here() -> Result<u64> {
    Socket::new(Domain::UNIX, Type::DGRAM, None)
        .and_then(|socket| namespace_cookie(&socket))
        .map_err(|error| Error::system("getsockopt SO_NETNS_COOKIE", "a socket", error))
}
