use std::io::{self, ErrorKind};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use nix::fcntl::{FcntlArg, OFlag, SpliceFFlags, fcntl, splice, tee};
use nix::unistd::{pipe2, read, write};

use crate::fd::retry;
use crate::sys::queue;
use crate::{Error, Result};

/// A pipe, as a store of bytes between two descriptors. Both ends are owned, close-on-exec, and never wait for each
/// other: what would wait for the pipe is `EAGAIN`. Whether a source or a target is waited for is said in
/// [the module](super).
///
/// A pipe holds *pieces*, one a packet or page at least, whatever their size: one that is filled by small packets is full
/// long before its [`capacity`](Self::capacity).
#[derive(Debug)]
pub struct Pipe {
    reader: OwnedFd,
    writer: OwnedFd,
    capacity: usize,
}

impl Pipe {
    /// A pipe of the kernel's size: 64 KiB, or less for a user without privilege whose pipes take more than
    /// `fs.pipe-user-pages-soft` pages.
    ///
    /// # Errors
    ///
    /// [`Error::System`]: `EMFILE`, `ENFILE`; `ENFILE` also for a user without privilege whose pipes take more than
    /// `fs.pipe-user-pages-hard` pages.
    ///
    /// Source: pipe2(2), pipe(7).
    #[doc(alias = "pipe2")]
    pub fn new() -> Result<Self> {
        let (reader, writer) = pipe2(OFlag::O_CLOEXEC | OFlag::O_NONBLOCK)
            .map_err(|errno| Error::system("pipe2", "a pipe", errno.into()))?;
        let capacity = fcntl(&writer, FcntlArg::F_GETPIPE_SZ)
            .map_err(|errno| Error::system("fcntl F_GETPIPE_SZ of", "a pipe", errno.into()))?;
        // It is never negative.
        let capacity = usize::try_from(capacity).unwrap_or(0);
        Ok(Self {
            reader,
            writer,
            capacity,
        })
    }

    /// A pipe of at least so many bytes. The kernel rounds up to a power of two of pages: [`capacity`](Self::capacity) is
    /// what came of it.
    ///
    /// More than `fs.pipe-max-size`, 1 MiB by default, needs CAP_SYS_RESOURCE.
    ///
    /// # Errors
    ///
    /// - [`Error::InvalidValue`]: 0 or more than 2³⁰ bytes, which is the largest power of two that the call can answer.
    /// - [`Error::System`]: `EPERM` past what the user may have, `ENOMEM`; those of [`new`](Self::new).
    ///
    /// Source: F_SETPIPE_SZ in fcntl(2), Linux 2.6.35.
    #[doc(alias = "F_SETPIPE_SZ")]
    pub fn with_capacity(bytes: usize) -> Result<Self> {
        let wanted = i32::try_from(bytes)
            .ok()
            .filter(|bytes| (1..=1 << 30).contains(bytes));
        let wanted = wanted.ok_or_else(|| Error::InvalidValue {
            option: "pipe capacity",
            value: format!("{bytes} bytes"),
            reason: "a pipe is made of 1 to 1073741824 bytes",
        })?;
        let mut pipe = Self::new()?;
        // The answer is the new capacity.
        let capacity = fcntl(&pipe.writer, FcntlArg::F_SETPIPE_SZ(wanted))
            .map_err(|errno| not_resized(bytes, errno.into()))?;
        pipe.capacity = usize::try_from(capacity).unwrap_or(pipe.capacity);
        Ok(pipe)
    }

    /// How many bytes it holds at most.
    #[doc(alias = "F_GETPIPE_SZ")]
    pub fn capacity(&self) -> usize {
        self.capacity
    }

    /// Moves at most `len` bytes into the pipe, and returns how many. 0: the source is at its end, or `len` is 0.
    ///
    /// A file is read from its own position. Of a socket of messages (UDP, among others), newer kernels (6.18 does) throw
    /// away what does not fit of a message, and an empty one looks like an end. A TCP socket is read up to an urgent byte:
    /// from there on it looks like an end if it is blocking, and is `EAGAIN` if not, whatever comes behind it, until
    /// somebody reads it by `recv`, as [`Relay`](super::Relay) does. Descriptors that come with the bytes of a Unix socket
    /// are closed.
    ///
    /// # Errors
    ///
    /// [`Error::System`]; nothing was moved.
    ///
    /// - `EAGAIN`: the source has nothing now, or the pipe is full. Blocking sources are not all waited for.
    /// - `EINVAL`: the source is of a kind that cannot be spliced, or is this pipe.
    /// - `ENOTCONN`, `ECONNRESET`, …: those of reading from the source.
    ///
    /// Source: splice(2).
    #[doc(alias = "splice")]
    pub fn fill(&self, source: &impl AsFd, len: usize) -> Result<usize> {
        let source = source.as_fd();
        self.splice_in(source, len)
            .map_err(|error| not_filled(source, error))
    }

    /// Moves at most `len` bytes out of the pipe, and returns how many. 0: `len` is 0. What the target does not take stays
    /// in the pipe.
    ///
    /// A file is written to at its own position.
    ///
    /// # Errors
    ///
    /// [`Error::System`]; nothing was moved.
    ///
    /// - `EAGAIN`: the target has no room now, or the pipe is empty. Blocking targets are not all waited for.
    /// - `EINVAL`: the target is of a kind that cannot be spliced, is opened to append, or is this pipe.
    /// - `EPIPE`, `ECONNRESET`, …: those of writing to the target. See [the module](super#what-the-kernel-does-not-promise)
    ///   on `SIGPIPE`.
    ///
    /// Source: splice(2).
    #[doc(alias = "splice")]
    pub fn drain(&self, target: &impl AsFd, len: usize) -> Result<usize> {
        let target = target.as_fd();
        self.splice_out(target, len)
            .map_err(|error| not_drained(target, error))
    }

    /// Copies at most `len` bytes to another pipe, and returns how many. They stay in this one.
    ///
    /// # Errors
    ///
    /// [`Error::System`]; nothing was copied: `EAGAIN` if this pipe is empty or the other full, `EINVAL` if they are the same.
    ///
    /// Source: tee(2).
    #[doc(alias = "tee")]
    pub fn copy(&self, other: &Self, len: usize) -> Result<usize> {
        retry(|| {
            tee(
                &self.reader,
                &other.writer,
                len,
                SpliceFFlags::SPLICE_F_NONBLOCK,
            )
        })
        .map_err(|error| Error::system("tee", "a pipe to another", error))
    }

    /// Reads out of the pipe into memory, and returns how many bytes.
    ///
    /// # Errors
    ///
    /// [`Error::System`]: `EAGAIN` if the pipe is empty.
    ///
    /// Source: pipe(7).
    pub fn read(&self, buffer: &mut [u8]) -> Result<usize> {
        retry(|| read(&self.reader, buffer))
            .map_err(|error| Error::system("read from", "a pipe", error))
    }

    /// The end that is read from, to wait for it.
    pub fn reader(&self) -> BorrowedFd<'_> {
        self.reader.as_fd()
    }

    /// The end that is written to, to wait for it.
    pub fn writer(&self) -> BorrowedFd<'_> {
        self.writer.as_fd()
    }

    /// Both ends: the one that is read from first. They are non-blocking.
    pub fn into_ends(self) -> (OwnedFd, OwnedFd) {
        (self.reader, self.writer)
    }

    /// How many bytes are in it.
    pub(super) fn len(&self) -> Result<usize> {
        let bytes = queue::of_pipe(self.reader())
            .map_err(|error| Error::system("ioctl FIONREAD of", "a pipe", error))?;
        // A count is never negative.
        Ok(usize::try_from(bytes).unwrap_or(0))
    }

    /// Puts bytes into it, as many as a page takes, while it is empty.
    pub(super) fn put(&self, bytes: &[u8]) -> Result<usize> {
        retry(|| write(&self.writer, bytes))
            .map_err(|error| Error::system("write into", "a pipe", error))
    }

    pub(super) fn splice_in(&self, source: BorrowedFd<'_>, len: usize) -> io::Result<usize> {
        let flags = SpliceFFlags::SPLICE_F_NONBLOCK;
        retry(|| splice(source, None, &self.writer, None, len, flags))
    }

    pub(super) fn splice_out(&self, target: BorrowedFd<'_>, len: usize) -> io::Result<usize> {
        let flags = SpliceFFlags::SPLICE_F_NONBLOCK;
        match retry(|| splice(&self.reader, None, target, None, len, flags)) {
            // The pipe has a writer, so it is never at its end.
            Ok(0) if len > 0 => Err(ErrorKind::WriteZero.into()),
            result => result,
        }
    }
}

pub(super) fn not_filled(source: BorrowedFd<'_>, error: io::Error) -> Error {
    failed("splice into a pipe from", source, error)
}

pub(super) fn not_drained(target: BorrowedFd<'_>, error: io::Error) -> Error {
    failed("splice out of a pipe to", target, error)
}

fn failed(operation: &'static str, fd: BorrowedFd<'_>, error: io::Error) -> Error {
    let object = format!("fd {}", fd.as_raw_fd());
    match error.raw_os_error() {
        Some(libc::EINVAL) => {
            let advice =
                "it must be a stream socket, a pipe, or a file that is not opened to append";
            Error::advised(operation, object, error, advice)
        }
        _ => Error::system(operation, object, error),
    }
}

fn not_resized(bytes: usize, error: io::Error) -> Error {
    let object = format!("{bytes} bytes");
    match error.raw_os_error() {
        Some(libc::EPERM) => Error::advised(
            "fcntl F_SETPIPE_SZ",
            object,
            error,
            "more than fs.pipe-max-size, or all pipes of the user more than fs.pipe-user-pages-soft, needs \
             CAP_SYS_RESOURCE",
        ),
        _ => Error::system("fcntl F_SETPIPE_SZ", object, error),
    }
}
