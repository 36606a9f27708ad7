use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::time::Duration;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use socket2::{SockAddr, SockRef};

use super::error_queue::{self, Room};
use super::kernel::{Kernel, Received};
use crate::sys::memory::Process;
use crate::sys::sockopt::{ERRORS_V4, ERRORS_V6};

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

    /// Waits until the error queue has a message, or the connection is over. False if the time is over.
    pub(crate) fn wait(&self, limit: Option<Duration>) -> io::Result<bool> {
        // Errors and hang-ups are told without being asked for.
        let mut fds = [PollFd::new(
            self.fd()?,
            PollFlags::empty(),
        )];
        let limit = limit.map_or(PollTimeout::NONE, |limit| {
            let milliseconds = limit.as_nanos().div_ceil(1_000_000);
            let milliseconds = i32::try_from(milliseconds).unwrap_or(i32::MAX);
            PollTimeout::try_from(milliseconds).unwrap_or(PollTimeout::MAX)
        });
        Ok(poll(&mut fds, limit)? > 0)
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
// datagram is as `leaves_parts` says. `__msg_zerocopy_callback` posts a number once, when the last packet that refers to
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
