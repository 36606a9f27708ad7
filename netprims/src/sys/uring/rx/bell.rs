use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

/// Wakes whoever waits for a ring, when memory comes back that a receive of it waits for.
///
/// The ring [asks](Bell::ask) for that, and looks for what has come back after it has asked; who gives something back looks
/// whether that was asked for after it has given it back. All four are sequentially consistent, so one of them sees the
/// other. Nobody makes a system call who was not asked.
#[derive(Debug, Default)]
pub(crate) struct Bell {
    is_asked: AtomicBool,
    /// An eventfd that does not block.
    eventfd: OnceLock<OwnedFd>,
}

impl Bell {
    /// Sets what is rung. The first stays.
    pub(crate) fn hang(&self, eventfd: OwnedFd) {
        let _ = self.eventfd.set(eventfd);
    }

    pub(crate) fn eventfd(&self) -> Option<BorrowedFd<'_>> {
        self.eventfd.get().map(AsFd::as_fd)
    }

    /// Has the next who gives something back ring.
    pub(crate) fn ask(&self) {
        self.is_asked.store(true, Ordering::SeqCst);
    }

    /// Something was given back. Rings if that was asked for.
    #[inline]
    pub(super) fn came_back(&self) {
        if self.is_asked.load(Ordering::SeqCst) {
            self.ring();
        }
    }

    #[cold]
    fn ring(&self) {
        let is_first = self.is_asked.swap(false, Ordering::SeqCst);
        if let (Some(eventfd), true) = (self.eventfd.get(), is_first) {
            // It refuses only when it has been rung too often to be silent.
            let _ = nix::unistd::write(eventfd, &1_u64.to_ne_bytes());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nix::sys::eventfd::{EfdFlags, EventFd};

    fn rung(bell: &Bell) -> Option<u64> {
        let mut count = [0; 8];
        let read = nix::unistd::read(bell.eventfd().unwrap(), &mut count);
        read.ok().map(|_| u64::from_ne_bytes(count))
    }

    #[test]
    fn it_rings_once_for_each_time_it_is_asked() {
        let bell = Bell::default();
        bell.ask();
        bell.came_back();
        let eventfd = EventFd::from_flags(EfdFlags::EFD_NONBLOCK).unwrap();
        bell.hang(eventfd.into());
        bell.came_back();
        assert_eq!(rung(&bell), None, "nobody asked");
        bell.ask();
        bell.came_back();
        bell.came_back();
        assert_eq!(rung(&bell), Some(1));
    }
}
