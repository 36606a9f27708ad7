use nix::sys::epoll::EpollFlags;

/// What to be told of. Errors and hang-ups are always told.
///
/// ```
/// use netprims::fd::Interest;
///
/// const BOTH: Interest = Interest::READABLE.and(Interest::WRITABLE).edge_triggered();
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Interest {
    flags: EpollFlags,
}

impl Interest {
    /// Errors and hang-ups only.
    pub const NONE: Self = Self::of(EpollFlags::empty());
    /// Data, a connection to accept, or the end of the stream.
    #[doc(alias = "EPOLLIN")]
    #[doc(alias = "EPOLLRDHUP")]
    pub const READABLE: Self = Self::of(EpollFlags::EPOLLIN.union(EpollFlags::EPOLLRDHUP));
    /// Room to write.
    #[doc(alias = "EPOLLOUT")]
    pub const WRITABLE: Self = Self::of(EpollFlags::EPOLLOUT);
    /// Urgent data of TCP, and changes of files that tell them so.
    #[doc(alias = "EPOLLPRI")]
    pub const PRIORITY: Self = Self::of(EpollFlags::EPOLLPRI);

    const fn of(flags: EpollFlags) -> Self {
        Self { flags }
    }

    /// Both.
    pub const fn and(self, other: Self) -> Self {
        Self::of(self.flags.union(other.flags))
    }

    /// Told when something changes, not as long as it is so. Default: level-triggered.
    #[doc(alias = "EPOLLET")]
    pub const fn edge_triggered(self) -> Self {
        Self::of(self.flags.union(EpollFlags::EPOLLET))
    }

    /// Told once, then asleep until [`modify`](crate::fd::Epoll::modify). Default: no.
    #[doc(alias = "EPOLLONESHOT")]
    pub const fn one_shot(self) -> Self {
        Self::of(self.flags.union(EpollFlags::EPOLLONESHOT))
    }

    /// If the descriptor is in several sets, an event wakes one or more of them, not all. Only for
    /// [`add`](crate::fd::Epoll::add), and not with [`PRIORITY`](Self::PRIORITY) or [`one_shot`](Self::one_shot).
    /// Default: no.
    #[doc(alias = "EPOLLEXCLUSIVE")]
    pub const fn exclusive(self) -> Self {
        // The kernel allows few flags beside it; EPOLLRDHUP is not among them.
        let flags = self.flags.difference(EpollFlags::EPOLLRDHUP);
        Self::of(flags.union(EpollFlags::EPOLLEXCLUSIVE))
    }

    pub(super) const fn flags(self) -> EpollFlags {
        self.flags
    }
}
