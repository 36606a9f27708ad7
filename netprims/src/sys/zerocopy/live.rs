use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::time::Duration;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use socket2::{SockAddr, SockRef};

use super::error_queue::{self, Room};
use super::kernel::{Kernel, Received};
use crate::sys::memory::Process;
use crate::sys::sockopt::{ERRORS_V4, ERRORS_V6, PATH_MTU, UDP_SEGMENT};

/// The headers of IPv4 and UDP.
const LEAST_HEADERS: usize = 28;
/// Those of IPv6 and UDP, with more options than anybody sets.
const MOST_HEADERS: usize = 512;
/// What 16 bits of length leave for the data of an IPv4 datagram.
const LONGEST_DATAGRAM: usize = 65_535 - LEAST_HEADERS;

/// A TCP or UDP socket with `SO_ZEROCOPY`.
///
/// # Invariants
///
/// `number` is that of one socket for as long as this lives: `socket` is owned here and reached by shared reference only,
/// and behind one, safe code can neither close nor replace what a `BorrowedFd` was borrowed from.
///
/// A forked child's copy of it does nothing: the sends are counted, and their notifications are, for the parent.
pub(crate) struct Live<S> {
    socket: S,
    number: RawFd,
    home: Process,
    is_stream: bool,
    room: Box<Room>,
}

/// What a socket has to say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ready {
    /// Nothing, in time.
    No,
    /// Something in its error queue, or an error.
    Error,
    /// That the connection is over, and perhaps something in its error queue.
    Over,
}

impl<S: AsFd> Live<S> {
    /// `number` is that of the descriptor whose option was turned on; a socket that answers with another one is not used.
    pub(crate) fn new(socket: S, number: RawFd, home: Process, is_stream: bool) -> Self {
        Self {
            socket,
            number,
            home,
            is_stream,
            room: Room::new(),
        }
    }

    pub(crate) fn socket(&self) -> &S {
        &self.socket
    }

    /// The socket's descriptor, as long as it is the one it was, in the process that made this. A socket that names several
    /// could answer with another each time, and the kernel counts the sends of each.
    fn fd(&self) -> io::Result<BorrowedFd<'_>> {
        one_of(&self.socket, self.number, self.home)
    }

    /// Waits until the error queue may have a message, or the connection is over.
    pub(crate) fn wait(&self, limit: Option<Duration>) -> io::Result<Ready> {
        let limit = limit.map_or(PollTimeout::NONE, |limit| {
            let milliseconds = limit.as_nanos().div_ceil(1_000_000);
            let milliseconds = i32::try_from(milliseconds).unwrap_or(i32::MAX);
            PollTimeout::try_from(milliseconds).unwrap_or(PollTimeout::MAX)
        });
        // Errors and hang-ups are told without being asked for.
        let mut fds = [PollFd::new(self.fd()?, PollFlags::empty())];
        poll(&mut fds, limit)?;
        let [polled] = &fds;
        let flags = polled.revents().unwrap_or(PollFlags::POLLERR);
        Ok(if flags.contains(PollFlags::POLLHUP) {
            Ready::Over
        } else if flags.is_empty() {
            Ready::No
        } else {
            Ready::Error
        })
    }

    /// Takes the error that is pending on a socket of datagrams. Not a stream's: who reads must not take a connection that
    /// was reset for one that has ended.
    pub(crate) fn pending_error(&self) -> io::Result<Option<io::Error>> {
        if self.is_stream || self.wait(Some(Duration::ZERO))? != Ready::Error {
            return Ok(None);
        }
        SockRef::from(&self.fd()?).take_error()
    }
}

impl<S: AsFd> Live<S> {
    /// How long a packet to the peer can be, as the route of the last one says; `None` if there is no peer, or it is not
    /// the one that is sent to.
    fn path_mtu(&self, to: Option<SocketAddr>) -> Option<usize> {
        if to.is_some() {
            return None;
        }
        // The option of IPv4 tells it of IPv6, too (`ipv6_getsockopt` passes it on).
        let mtu = PATH_MTU.number(&SockRef::from(&self.fd().ok()?)).ok()?;
        usize::try_from(mtu).ok()
    }

    /// Whether a datagram is cut into several (`UDP_SEGMENT`): that leaves the program in one piece, of the pages.
    fn cuts_segments(&self) -> bool {
        self.fd()
            .is_ok_and(|fd| UDP_SEGMENT.flag(&SockRef::from(&fd)).unwrap_or(false))
    }
}

/// As [`Live::fd`], for a caller that borrows another field too.
fn one_of(socket: &impl AsFd, number: RawFd, home: Process) -> io::Result<BorrowedFd<'_>> {
    let fd = socket.as_fd();
    if fd.as_raw_fd() == number && home.is_current() {
        Ok(fd)
    } else {
        Err(io::Error::from_raw_os_error(libc::EBADF))
    }
}

// SAFETY: sends and messages are those of one socket (invariant, and `fd`). `msg_zerocopy_alloc` counts a send when
// its first byte is to be taken, `msg_zerocopy_put_abort` takes that back where `tcp_sendmsg_locked` fails, and a
// datagram is as `may_leave_parts` says. `__msg_zerocopy_callback` posts a number once, when the last packet that refers to
// the pages is freed; `ip_recv_error` and `ipv6_recv_error` hand each message out once. A send only reads its memory.
// That nobody else sends without copying on this very socket is what `ZeroCopySender` asks of its users; the pages are
// the kernel's own references, so that one who does gets wrong bytes sent and no memory that is gone.
unsafe impl<S: AsFd> Kernel for Live<S> {
    fn send(&mut self, bytes: &[u8], to: Option<SocketAddr>, zero_copy: bool) -> io::Result<usize> {
        let fd = self.fd()?;
        let socket = SockRef::from(&fd);
        // A closed peer is an error, not a signal.
        let flags = if zero_copy {
            libc::MSG_NOSIGNAL | libc::MSG_ZEROCOPY
        } else {
            libc::MSG_NOSIGNAL
        };
        loop {
            let sent = match to {
                None => socket.send_with_flags(bytes, flags),
                Some(to) => socket.send_to_with_flags(bytes, &SockAddr::from(to), flags),
            };
            match sent {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                sent => return sent,
            }
        }
    }

    fn message(&mut self) -> io::Result<Option<Received>> {
        let fd = one_of(&self.socket, self.number, self.home)?;
        error_queue::receive(fd, &mut self.room)
    }

    fn is_stream(&self) -> bool {
        self.is_stream
    }

    fn is_cut(&self, bytes: usize, to: Option<SocketAddr>) -> bool {
        bytes > LONGEST_DATAGRAM
            || self.path_mtu(to).is_some_and(|mtu| {
                bytes.saturating_add(LEAST_HEADERS) > mtu && !self.cuts_segments()
            })
    }

    fn is_one_packet(&self, bytes: usize, to: Option<SocketAddr>) -> bool {
        self.path_mtu(to)
            .is_some_and(|mtu| bytes.saturating_add(MOST_HEADERS) <= mtu && !self.cuts_segments())
    }

    fn tells_device_errors(&self) -> bool {
        let Ok(fd) = self.fd() else {
            return true;
        };
        let socket = SockRef::from(&fd);
        [&ERRORS_V4, &ERRORS_V6].into_iter().any(|option| {
            // A socket of IPv4 does not know the option of IPv6.
            option.flag(&socket).unwrap_or_else(|error| {
                let unknown = [libc::ENOPROTOOPT, libc::EOPNOTSUPP].map(Some);
                !unknown.contains(&error.raw_os_error())
            })
        })
    }
}
