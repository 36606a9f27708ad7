use std::fmt;

use nix::sys::epoll::{EpollEvent, EpollFlags};

/// Room for the events of one [`wait`](crate::fd::Epoll::wait), made once and used again: waiting allocates nothing.
pub struct Events {
    list: Vec<EpollEvent>,
    len: usize,
}

impl Events {
    /// Room for so many events, at least 1 and at most 65536.
    pub fn with_capacity(events: usize) -> Self {
        Self {
            list: vec![EpollEvent::empty(); events.clamp(1, 1 << 16)],
            len: 0,
        }
    }

    /// The events of the last wait.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = Event> + '_ {
        self.list[..self.len].iter().map(|event| Event {
            token: event.data(),
            flags: event.events(),
        })
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// All of the room; what was in it counts no more.
    pub(super) fn room(&mut self) -> &mut [EpollEvent] {
        self.len = 0;
        &mut self.list
    }

    pub(super) fn set_len(&mut self, len: usize) {
        self.len = len.min(self.list.len());
    }
}

impl fmt::Debug for Events {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

/// What happened to one descriptor of the set. More than one answer can be yes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Event {
    token: u64,
    flags: EpollFlags,
}

impl Event {
    /// The token the descriptor was added with.
    pub fn token(self) -> u64 {
        self.token
    }

    /// There is something to read, if only the end of the stream.
    #[doc(alias = "EPOLLIN")]
    pub fn is_readable(self) -> bool {
        let reads = EpollFlags::EPOLLIN | EpollFlags::EPOLLRDHUP | EpollFlags::EPOLLHUP;
        self.flags.intersects(reads)
    }

    /// There is room to write.
    #[doc(alias = "EPOLLOUT")]
    pub fn is_writable(self) -> bool {
        self.flags.intersects(EpollFlags::EPOLLOUT)
    }

    /// There is urgent data, or a change of a file that tells it so.
    #[doc(alias = "EPOLLPRI")]
    pub fn is_priority(self) -> bool {
        self.flags.intersects(EpollFlags::EPOLLPRI)
    }

    /// There is an error to fetch: `SO_ERROR`, or the socket's error queue.
    #[doc(alias = "EPOLLERR")]
    pub fn is_error(self) -> bool {
        self.flags.intersects(EpollFlags::EPOLLERR)
    }

    /// The peer sends no more.
    #[doc(alias = "EPOLLRDHUP")]
    pub fn is_read_closed(self) -> bool {
        let closed = EpollFlags::EPOLLRDHUP | EpollFlags::EPOLLHUP;
        self.flags.intersects(closed)
    }

    /// Both directions are closed.
    #[doc(alias = "EPOLLHUP")]
    pub fn is_closed(self) -> bool {
        self.flags.intersects(EpollFlags::EPOLLHUP)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_came_with_the_last_wait_is_seen() {
        let mut events = Events::with_capacity(0);
        assert!(events.is_empty());
        events.room()[0] = EpollEvent::new(EpollFlags::EPOLLIN, 3);
        assert_eq!(events.iter().len(), 0);
        events.set_len(9);
        let seen: Vec<_> = events.iter().collect();
        assert!(matches!(seen[..], [event] if event.token() == 3 && event.is_readable()));
        events.room();
        assert!(events.is_empty());
    }
}
