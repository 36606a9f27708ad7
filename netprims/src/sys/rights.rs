//! Descriptors in messages of Unix sockets.

use std::ffi::c_int;
use std::io;
use std::ops::Range;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

use super::control::{self, HEADER, WORD};

/// As many descriptors as one message carries (`SCM_MAX_FD` in `include/net/scm.h`).
pub(crate) const MOST: usize = 253;

/// `SCM_PIDFD` of `include/linux/socket.h`, Linux 6.5: with `SO_PASSPIDFD` it brings a descriptor nobody asked for here.
const SCM_PIDFD: c_int = 4;

/// Room for control messages: a full `SCM_RIGHTS` and, before it, all that socket options may add.
const WORDS: usize = 512;

/// A control buffer, aligned as the kernel asks.
struct Control {
    words: [usize; WORDS],
}

const _: () = assert!(HEADER + MOST * size_of::<RawFd>() + 1024 < WORDS * WORD);

/// What one message brought. Its descriptors are owned from the start.
#[derive(Debug)]
pub(crate) struct Arrival {
    pub(crate) bytes: usize,
    pub(crate) fds: Vec<OwnedFd>,
    /// The rest of a datagram was thrown away.
    pub(crate) data_cut: bool,
    /// The kernel had more control messages than it delivered.
    pub(crate) control_cut: bool,
    /// The control messages were not as the kernel writes them.
    pub(crate) malformed: bool,
}

/// `sendmsg`: the bytes, and with the first of them the descriptors.
///
/// The caller sees to it that there are at most [`MOST`].
pub(crate) fn send(
    socket: BorrowedFd<'_>,
    data: &[u8],
    fds: &[BorrowedFd<'_>],
) -> io::Result<usize> {
    let mut control = Control::new();
    let len = control.write_rights(fds)?;
    let mut data = libc::iovec {
        iov_base: data.as_ptr().cast_mut().cast(),
        iov_len: data.len(),
    };
    let mut message = empty();
    message.msg_iov = &raw mut data;
    message.msg_iovlen = 1;
    if len > 0 {
        message.msg_control = control.words.as_mut_ptr().cast();
        message.msg_controllen = control_len(len)?;
    }
    // SAFETY: the kernel reads `message`, the one iovec it points to, that one's bytes, and `msg_controllen` bytes of
    // control messages, all during the call. All are live: locals of this function, and `data`, which is borrowed. The
    // length is within `control`: `write_rights` returned it. The socket is open: its owner is borrowed.
    let sent = unsafe { libc::sendmsg(socket.as_raw_fd(), &raw const message, libc::MSG_NOSIGNAL) };
    // Negative is an error.
    usize::try_from(sent).map_err(|_| io::Error::last_os_error())
}

/// `recvmsg` with room for every descriptor a message can bring.
pub(crate) fn receive(socket: BorrowedFd<'_>, data: &mut [u8]) -> io::Result<Arrival> {
    receive_within(socket, data, WORDS * WORD)
}

/// As [`receive`], with at most `room` bytes for control messages.
fn receive_within(socket: BorrowedFd<'_>, data: &mut [u8], room: usize) -> io::Result<Arrival> {
    let mut control = Control::new();
    let room = room.min(WORDS * WORD);
    let mut data = libc::iovec {
        iov_base: data.as_mut_ptr().cast(),
        iov_len: data.len(),
    };
    let mut message = empty();
    message.msg_iov = &raw mut data;
    message.msg_iovlen = 1;
    message.msg_control = control.words.as_mut_ptr().cast();
    message.msg_controllen = control_len(room)?;
    let flags = libc::MSG_CMSG_CLOEXEC;
    // SAFETY: the kernel writes to `message`, to at most `iov_len` bytes of `data` and to at most `room` bytes of
    // `control`, during the call. `data` is borrowed for writing, `control` is a live local of at least `room` bytes (the
    // line above), every bit pattern is valid for both, and none is used otherwise meanwhile. The socket is open.
    let bytes = unsafe { libc::recvmsg(socket.as_raw_fd(), &raw mut message, flags) };
    let bytes = usize::try_from(bytes).map_err(|_| io::Error::last_os_error())?;
    let len = to_usize(message.msg_controllen);
    let bytes_of_control = control.bytes(len.min(room));
    let parsed = parse(&bytes_of_control);
    let mut fds = Vec::with_capacity(parsed.count());
    for (kind, number) in parsed.numbers(&bytes_of_control) {
        if number >= 0 {
            // SAFETY: `parse` has found the number in a control message that brings descriptors, written by the kernel
            // in this very call: the bytes were zero before, and the kernel wrote the first `len`. It has therefore
            // opened it just now for this process, nobody else knows it, and it names each descriptor once.
            let fd = unsafe { OwnedFd::from_raw_fd(number) };
            // What was not sent is closed here.
            if kind == Kind::Rights {
                fds.push(fd);
            }
        }
    }
    Ok(Arrival {
        bytes,
        fds,
        data_cut: message.msg_flags & libc::MSG_TRUNC != 0,
        control_cut: message.msg_flags & libc::MSG_CTRUNC != 0,
        malformed: parsed.malformed,
    })
}

/// Closes the descriptors that came unasked, where bytes were received without a thought of any, and wipes their
/// numbers out: soon they are somebody else's.
///
/// # Safety
///
/// The kernel has written `control` in a receiving call of this process, and nobody has looked for descriptors in it
/// since, nor will.
pub(crate) unsafe fn close_all(control: &mut [u8]) {
    let parsed = parse(control);
    for (_, number) in parsed.numbers(control) {
        if number >= 0 {
            // SAFETY: the kernel has opened it for this process in that call, and names it once; nobody else knows it,
            // by this function's contract.
            drop(unsafe { OwnedFd::from_raw_fd(number) });
        }
    }
    for (_, range) in parsed.descriptors {
        control.get_mut(range).unwrap_or_default().fill(0xff);
    }
}

impl Control {
    fn new() -> Self {
        Self { words: [0; WORDS] }
    }

    /// Writes one `SCM_RIGHTS`, and returns how many bytes it takes: 0 for no descriptors.
    fn write_rights(&mut self, fds: &[BorrowedFd<'_>]) -> io::Result<usize> {
        if fds.is_empty() {
            return Ok(0);
        }
        if fds.len() > MOST {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        let len = HEADER + size_of_val(fds);
        let mut bytes = Vec::with_capacity(len + WORD);
        bytes.extend_from_slice(&len.to_ne_bytes());
        bytes.extend_from_slice(&libc::SOL_SOCKET.to_ne_bytes());
        bytes.extend_from_slice(&libc::SCM_RIGHTS.to_ne_bytes());
        for fd in fds {
            bytes.extend_from_slice(&fd.as_raw_fd().to_ne_bytes());
        }
        let len = bytes.len();
        bytes.resize(len.next_multiple_of(WORD), 0);
        for (word, bytes) in self.words.iter_mut().zip(bytes.chunks_exact(WORD)) {
            *word = bytes.try_into().map_or(0, usize::from_ne_bytes);
        }
        Ok(len)
    }

    /// The first `len` bytes.
    fn bytes(&self, len: usize) -> Vec<u8> {
        let words = self.words.iter().take(len.div_ceil(WORD));
        let mut bytes: Vec<u8> = words.flat_map(|word| word.to_ne_bytes()).collect();
        bytes.truncate(len);
        bytes
    }
}

/// Where the descriptors are in a control buffer.
#[derive(Debug, Default, PartialEq, Eq)]
struct Parsed {
    /// Ranges of whole `int`s within the buffer.
    descriptors: Vec<(Kind, Range<usize>)>,
    malformed: bool,
}

/// Why a descriptor came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// The peer sent it.
    Rights,
    /// The socket asks for the peer's process with each message.
    Process,
}

impl Parsed {
    fn count(&self) -> usize {
        let lens = self.descriptors.iter().map(|(_, range)| range.len());
        lens.sum::<usize>() / size_of::<RawFd>()
    }

    /// The descriptors, of the buffer this was parsed from.
    fn numbers<'a>(&'a self, control: &'a [u8]) -> impl Iterator<Item = (Kind, RawFd)> + 'a {
        self.descriptors.iter().flat_map(|(kind, range)| {
            let list = control.get(range.clone()).unwrap_or_default();
            let numbers = list.chunks_exact(size_of::<RawFd>());
            numbers.map(|number| (*kind, number.try_into().map_or(-1, RawFd::from_ne_bytes)))
        })
    }
}

/// Finds them.
fn parse(control: &[u8]) -> Parsed {
    let mut parsed = Parsed::default();
    for found in control::walk(control) {
        let Ok(found) = found else {
            parsed.malformed = true;
            continue;
        };
        parsed.malformed |= !found.is_whole;
        let kind = match (found.level, found.kind) {
            (libc::SOL_SOCKET, libc::SCM_RIGHTS) => Kind::Rights,
            (libc::SOL_SOCKET, SCM_PIDFD) => Kind::Process,
            _ => continue,
        };
        let whole = found.data.len() / size_of::<RawFd>() * size_of::<RawFd>();
        parsed.malformed |= whole != found.data.len();
        let range = found.data.start..found.data.start + whole;
        parsed.descriptors.push((kind, range));
    }
    parsed
}

fn empty() -> libc::msghdr {
    // SAFETY: `msghdr` is a plain C struct of pointers and numbers: all zeroes is the value without name, data and
    // control messages.
    unsafe { std::mem::zeroed() }
}

/// As `msg_controllen` counts: musl's is a u32, glibc's a usize.
fn control_len<T: TryFrom<usize>>(bytes: usize) -> io::Result<T> {
    T::try_from(bytes).map_err(|_| io::ErrorKind::InvalidInput.into())
}

fn to_usize(len: impl TryInto<usize>) -> usize {
    len.try_into().unwrap_or(0)
}

#[cfg(test)]
mod tests;
