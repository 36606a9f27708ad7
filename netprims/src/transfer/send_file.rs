use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};

use nix::sys::sendfile::sendfile64;

use super::streams::is_socket;
use super::{MOST, would_block};
use crate::fd::retry;
use crate::{Error, Result};

/// A part of a file that is being sent.
///
/// ```
/// use std::fs::File;
/// use std::net::{TcpListener, TcpStream};
/// use netprims::transfer::{SendFile, SendFileTurn};
///
/// # let path = "Cargo.toml";
/// # let listener = TcpListener::bind("127.0.0.1:0")?;
/// # let socket = TcpStream::connect(listener.local_addr()?)?;
/// let file = File::open(path)?;
/// let mut sending = SendFile::new(0, file.metadata()?.len())?;
/// // With a non-blocking socket, WaitWrite is where to go back to the event loop.
/// while let SendFileTurn::Moved(_) = sending.turn(&file, &socket)? {}
/// assert_eq!(sending.left(), 0);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SendFile {
    offset: u64,
    left: u64,
}

/// What came of a [turn](SendFile::turn).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SendFileTurn {
    /// So many bytes, 1 at least. Take another turn.
    Moved(usize),
    /// The socket has no room: take another turn when it is writable.
    WaitWrite,
    /// Everything is sent.
    Done,
    /// The file ends before [`left`](SendFile::left) bytes more: it is shorter than was asked for, or was cut meanwhile.
    FileEnded,
}

impl SendFile {
    /// `len` bytes of a file, from `offset` on. There may be more than 2 GiB, which is as much as one system call sends.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidValue`]: the end is past 2⁶³−1, where no file reaches.
    pub fn new(offset: u64, len: u64) -> Result<Self> {
        let end = offset.checked_add(len);
        if end.is_none_or(|end| i64::try_from(end).is_err()) {
            return Err(Error::InvalidValue {
                option: "sendfile range",
                value: format!("{len} bytes from {offset}"),
                reason: "a file ends at 2^63-1 at most",
            });
        }
        Ok(Self { offset, left: len })
    }

    /// Where in the file the next byte is.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// How many bytes are not sent yet.
    pub fn left(&self) -> u64 {
        self.left
    }

    /// Sends what the socket takes now; a blocking socket waits for room. The file's own position is neither used nor
    /// moved.
    ///
    /// # Errors
    ///
    /// What was sent before counts as sent.
    ///
    /// [`Error::InvalidValue`]: a socket of messages (UDP, among others), which would be cut where the kernel's pages end.
    ///
    /// [`Error::System`]:
    ///
    /// - `EOVERFLOW`: the offset is past the end of the longest file that the file system has, or a 32-bit kernel.
    /// - `ESPIPE`: the file has no offsets: it is a pipe or a socket.
    /// - `EINVAL`: the file is of a kind that cannot be sent, or the socket is a file opened to append.
    /// - `EBADF`: the file is not open for reading.
    /// - `EPIPE`, `ECONNRESET`: the peer has gone. See [the module](super#what-the-kernel-does-not-promise) on `SIGPIPE`.
    /// - `EIO`: reading the file failed.
    ///
    /// Source: sendfile(2).
    #[doc(alias = "sendfile")]
    pub fn turn(&mut self, file: &impl AsFd, socket: &impl AsFd) -> Result<SendFileTurn> {
        if self.left == 0 {
            return Ok(SendFileTurn::Done);
        }
        let (file, socket) = (file.as_fd(), socket.as_fd());
        is_socket("sendfile target", socket)?;
        let len = usize::try_from(self.left).map_or(MOST, |left| left.min(MOST));
        let sent = retry(|| {
            let mut offset = i64::try_from(self.offset).unwrap_or(i64::MAX);
            sendfile64(socket, file, Some(&mut offset), len)
        });
        match sent {
            Ok(0) => Ok(SendFileTurn::FileEnded),
            Ok(sent) => {
                let count = u64::try_from(sent).unwrap_or(self.left).min(self.left);
                self.left -= count;
                self.offset += count;
                Ok(SendFileTurn::Moved(sent))
            }
            Err(error) if would_block(&error) => Ok(SendFileTurn::WaitWrite),
            Err(error) => Err(failed(file, socket, error)),
        }
    }
}

fn failed(file: BorrowedFd<'_>, socket: BorrowedFd<'_>, error: io::Error) -> Error {
    let [file, socket] = [file, socket].map(|fd| fd.as_raw_fd());
    let object = format!("fd {file} to fd {socket}");
    match error.raw_os_error() {
        Some(libc::EINVAL | libc::ESPIPE) => {
            let advice = "the first must be a file that has offsets, the second a socket";
            Error::advised("sendfile", object, error, advice)
        }
        Some(libc::EOVERFLOW) => {
            let advice = "the offset is past the end of the longest file that the file system has";
            Error::advised("sendfile", object, error, advice)
        }
        _ => Error::system("sendfile", object, error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case(0, 0, true)]
    #[case(0, i64::MAX.unsigned_abs(), true)]
    #[case(1, i64::MAX.unsigned_abs(), false)]
    #[case(u64::MAX, 0, false)]
    #[case(u64::MAX, u64::MAX, false)]
    fn a_range_is_one_that_files_have(#[case] offset: u64, #[case] len: u64, #[case] want: bool) {
        assert_eq!(SendFile::new(offset, len).is_ok(), want);
    }
}
