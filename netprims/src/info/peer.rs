use std::os::fd::AsFd;

use socket2::SockRef;

use super::refused;
use crate::Result;
use crate::sys::sockopt;

/// Who is at the other end of a Unix socket.
///
/// The kernel noted it when the socket was connected, listened or was made as one of a pair: what the process does later,
/// such as give up its rights or pass the socket on, is not seen.
#[doc(alias = "ucred")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PeerCredentials {
    /// The process, by its number in the caller's PID namespace; `None` if the namespace does not show it. The process may
    /// have ended and its number been given to another.
    pub pid: Option<u32>,
    /// The user it acted as; 65534 for one that the caller's user namespace does not have.
    pub uid: u32,
    /// The group it acted as, likewise.
    pub gid: u32,
}

impl PeerCredentials {
    /// Asks the kernel. `None` if there is no other end, or it is not known: of a socket that is not connected, listens (the
    /// kernel would tell this process's own credentials), or is no Unix socket.
    ///
    /// # Errors
    ///
    /// [`Error::System`](crate::Error::System) saying so: `ENOTSOCK` if it is no socket.
    ///
    /// Source: SO_PEERCRED in unix(7).
    #[doc(alias = "SO_PEERCRED")]
    pub fn of(socket: &impl AsFd) -> Result<Option<Self>> {
        let socket = socket.as_fd();
        let raw = sockopt::peer_credentials(&socket).map_err(|error| {
            let wants = "it is no Unix socket";
            refused("getsockopt SO_PEERCRED of", &socket, error, wants)
        })?;
        let listens = SockRef::from(&socket).is_listener().map_err(|error| {
            let wants = "its kind of socket does not tell";
            refused("getsockopt SO_ACCEPTCONN of", &socket, error, wants)
        })?;
        Ok(Self::from_raw(raw).filter(|_| !listens))
    }

    /// Process, user, group. Nobody has the highest numbers for user and group.
    fn from_raw([pid, uid, gid]: [u32; 3]) -> Option<Self> {
        let pid = (pid != 0).then_some(pid);
        let known = pid.is_some() || (uid, gid) != (u32::MAX, u32::MAX);
        known.then_some(Self { pid, uid, gid })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    const NOBODY: u32 = u32::MAX;

    #[rstest]
    #[case::another_pid_namespace([0, 5, 6], Some((None, 5, 6)))]
    #[case::root([1, 0, 0], Some((Some(1), 0, 0)))]
    #[case::not_connected([0, NOBODY, NOBODY], None)]
    fn nobody_is_none(#[case] raw: [u32; 3], #[case] want: Option<(Option<u32>, u32, u32)>) {
        let found = PeerCredentials::from_raw(raw);
        assert_eq!(found.map(|peer| (peer.pid, peer.uid, peer.gid)), want);
    }
}
