use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::ops::Range;

use super::kernel::{Kernel, Received};

/// A kernel that does what a test's script says. It reads no memory after a send has returned, but knows which it might.
pub(super) struct Fake {
    pub(super) is_stream: bool,
    pub(super) tells_device_errors: bool,
    /// Datagrams of more bytes are cut.
    pub(super) mtu: usize,
    /// Whether the MTU is known.
    pub(super) knows_mtu: bool,
    /// The number of the next send that is counted.
    next: u32,
    /// What the next sends answer; afterwards all is taken.
    pub(super) answers: VecDeque<Answer>,
    /// The addresses of sends that are not done, by their numbers.
    pub(super) reading: Vec<(u32, Range<usize>)>,
    /// What `message` returns next.
    pub(super) posted: VecDeque<Received>,
    /// All bytes that were taken.
    pub(super) taken: Vec<u8>,
    /// Whether each send that succeeded was zero-copy.
    pub(super) sends: Vec<bool>,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Answer {
    /// At most so many bytes are taken.
    Take(usize),
    /// Nothing is taken, and nothing counted.
    Fail(i32),
    /// Nothing is taken, but the send counted; its notification is there.
    FailCounted(i32),
    /// The same, and the notification is not there yet if the datagram is cut.
    FailCountedLate(i32),
}

impl Fake {
    pub(super) fn new(is_stream: bool, next: u32) -> Self {
        Self {
            is_stream,
            tells_device_errors: false,
            mtu: usize::MAX,
            knows_mtu: false,
            next,
            answers: VecDeque::new(),
            reading: Vec::new(),
            posted: VecDeque::new(),
            taken: Vec::new(),
            sends: Vec::new(),
        }
    }

    /// The kernel is done with so many sends from the `nth` of those it reads, as far as their numbers follow each other.
    pub(super) fn finish(&mut self, nth: usize, most: usize, copied: bool) {
        let Some((first, _)) = self.reading.get(nth) else {
            return;
        };
        let first = *first;
        let mut last = first;
        self.reading.remove(nth);
        for _ in 1..most {
            match self.reading.get(nth) {
                Some((number, _)) if *number == last.wrapping_add(1) => last = *number,
                _ => break,
            }
            self.reading.remove(nth);
        }
        self.posted.push_back(Received::Done {
            first,
            last,
            copied,
        });
    }

    /// Whether it may read a byte of these addresses.
    pub(super) fn reads(&self, addresses: &Range<usize>) -> bool {
        let mut reading = self.reading.iter();
        reading.any(|(_, range)| range.start < addresses.end && addresses.start < range.end)
    }

    fn count(&mut self, bytes: &[u8]) {
        let start = bytes.as_ptr().addr();
        self.reading.push((self.next, start..start + bytes.len()));
        self.next = self.next.wrapping_add(1);
    }
}

// SAFETY: it reads no memory after a send has returned, so whatever a script makes it say, none is read too late.
unsafe impl Kernel for Fake {
    fn send(&mut self, bytes: &[u8], _: Option<SocketAddr>, zero_copy: bool) -> io::Result<usize> {
        let errno = match self.answers.pop_front() {
            None | Some(Answer::Take(_)) if !self.is_stream => None,
            None => None,
            Some(Answer::Take(most)) => {
                let bytes = &bytes[..most.max(1).min(bytes.len())];
                return self.accept(bytes, zero_copy);
            }
            Some(Answer::Fail(errno)) => Some(errno),
            Some(Answer::FailCounted(errno)) => {
                if zero_copy && self.may_count(errno) {
                    self.count(bytes);
                    self.finish(self.reading.len() - 1, 1, true);
                }
                Some(errno)
            }
            Some(Answer::FailCountedLate(errno)) => {
                if zero_copy && self.may_count(errno) {
                    self.count(bytes);
                    if bytes.len() <= self.mtu {
                        self.finish(self.reading.len() - 1, 1, true);
                    }
                }
                Some(errno)
            }
        };
        match errno {
            None => self.accept(bytes, zero_copy),
            Some(errno) => Err(io::Error::from_raw_os_error(errno)),
        }
    }

    fn message(&mut self) -> io::Result<Option<Received>> {
        Ok(self.posted.pop_front())
    }

    fn is_stream(&self) -> bool {
        self.is_stream
    }

    fn is_cut(&self, bytes: usize, _: Option<SocketAddr>) -> bool {
        self.knows_mtu && bytes > self.mtu
    }

    fn is_one_packet(&self, bytes: usize, _: Option<SocketAddr>) -> bool {
        self.knows_mtu && bytes <= self.mtu
    }

    fn tells_device_errors(&self) -> bool {
        self.tells_device_errors
    }
}

impl Fake {
    /// Whether a datagram that fails may have been counted.
    fn may_count(&self, errno: i32) -> bool {
        !self.is_stream && (errno != libc::ENOBUFS || self.tells_device_errors)
    }

    fn accept(&mut self, bytes: &[u8], zero_copy: bool) -> io::Result<usize> {
        if zero_copy {
            self.count(bytes);
        }
        self.taken.extend(bytes);
        self.sends.push(zero_copy);
        Ok(bytes.len())
    }
}
