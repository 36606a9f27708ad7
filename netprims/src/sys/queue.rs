//! How many bytes are in a socket's queues and in a pipe.

use std::ffi::c_int;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

use socket2::SockRef;

/// Which queue.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Queue {
    /// `SIOCINQ`.
    Unread,
    /// `SIOCOUTQ`.
    Outstanding,
    /// `SIOCOUTQNSD`.
    Unsent,
}

/// `include/uapi/linux/sockios.h`; the other two are a terminal's requests.
const SIOCOUTQNSD: libc::Ioctl = 0x894B;

/// What a socket may read of the argument, or write to it: an `int`, or a whole `struct ifreq`, as which the kernel reads
/// it where the kind of socket does not know the request (`sock_do_ioctl` in `net/socket.c`).
type Argument = [u64; size_of::<libc::ifreq>().div_ceil(size_of::<u64>())];

/// Of a socket; anything else is refused: the requests may mean something else there.
pub(crate) fn of_socket(socket: BorrowedFd<'_>, queue: Queue) -> io::Result<c_int> {
    // Of what is no socket, ENOTSOCK.
    SockRef::from(&socket).r#type()?;
    let request = match queue {
        Queue::Unread => libc::FIONREAD,
        Queue::Outstanding => libc::TIOCOUTQ,
        Queue::Unsent => SIOCOUTQNSD,
    };
    ask(socket, request)
}

/// Of a pipe; anything else is refused.
pub(crate) fn of_pipe(pipe: BorrowedFd<'_>) -> io::Result<c_int> {
    let mode = nix::sys::stat::fstat(pipe)?.st_mode;
    if mode & libc::S_IFMT != libc::S_IFIFO {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    ask(pipe, libc::FIONREAD)
}

/// For the two above, which have made sure that it is a socket or a pipe.
fn ask(fd: BorrowedFd<'_>, request: libc::Ioctl) -> io::Result<c_int> {
    let mut argument = Argument::default();
    // SAFETY: during the call the kernel reads and writes at most an `int` or a `struct ifreq` at the argument, since `fd`
    // is a socket or a pipe, as both callers have asked of this very descriptor. `argument` is a live local of at least
    // that size (its type says so) and of a sufficient alignment (the kernel needs none); it is initialised, every bit
    // pattern is valid for it, and it is not used otherwise meanwhile. The descriptor is open, and the same file as
    // before: it is borrowed.
    let result = unsafe { libc::ioctl(fd.as_raw_fd(), request, argument.as_mut_ptr()) };
    if result < 0 {
        return Err(io::Error::last_os_error());
    }
    // An `int` is at the start.
    let [first, ..] = argument;
    let bytes = first.to_ne_bytes();
    let int = bytes.first_chunk().copied().unwrap_or_default();
    Ok(c_int::from_ne_bytes(int))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;
    use std::fs::File;
    use std::net::UdpSocket;
    use std::os::fd::AsFd;

    /// A socket when it is asked first, and a file ever after.
    struct Fickle(UdpSocket, File, Cell<u32>);

    impl AsFd for Fickle {
        fn as_fd(&self) -> BorrowedFd<'_> {
            match self.2.replace(self.2.get() + 1) {
                0 => self.0.as_fd(),
                _ => self.1.as_fd(),
            }
        }
    }

    #[test]
    fn what_is_asked_is_what_was_found_to_be_a_socket() {
        let file = File::open("/proc/self/exe").unwrap();
        let length = file.metadata().unwrap().len();
        assert_ne!(length, 0, "which FIONREAD tells of a file");
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let fickle = Fickle(socket, file, Cell::new(0));
        assert_eq!(crate::info::unread(&fickle).unwrap(), 0);
    }

    #[test]
    fn only_a_pipe_is_asked_as_a_pipe() {
        let (reader, writer) = nix::unistd::pipe().unwrap();
        nix::unistd::write(&writer, b"bytes").unwrap();
        assert_eq!(of_pipe(reader.as_fd()).unwrap(), 5);
        assert_eq!(of_pipe(writer.as_fd()).unwrap(), 5);
        let file = File::open("/proc/self/exe").unwrap();
        let error = of_pipe(file.as_fd()).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
    }

    #[test]
    fn a_request_the_socket_does_not_know_is_refused() {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let error = of_socket(socket.as_fd(), Queue::Unsent).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::ENOTTY));
        assert!(size_of::<Argument>() >= size_of::<libc::ifreq>());
    }
}
