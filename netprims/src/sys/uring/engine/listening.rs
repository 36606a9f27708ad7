use io_uring::types::Timespec;

use super::Engine;
use super::groups::Group;
use crate::sys::uring::kernel::{Kernel, Operation, Request, Target};
use crate::sys::uring::rx::Bell;
use crate::sys::uring::slab::Key;

/// After how long the kernel is asked again for pages, where it does not tell that it has some.
static ASK_AGAIN: Timespec = Timespec::new().nsec(2_000_000);

/// Waiting for a ring elsewhere than in the kernel: until an eventfd is rung.
impl<K: Kernel> Engine<K> {
    pub(crate) fn bell(&self) -> &Bell {
        &self.bell
    }

    /// Whether entering the kernel would do something, of which no bell tells.
    pub(crate) fn is_work_left(&mut self) -> bool {
        let kept_back = [
            &self.held,
            &self.unarmed,
            &self.waiting,
            &self.stopped,
            &self.uncaught,
        ];
        let is_kept_back = kept_back.iter().any(|queue| !queue.is_empty());
        let is_queued = !self.kernel.is_taken_by_others() && self.kernel.queued() > 0;
        is_kept_back || is_queued || self.kernel.is_work_left()
    }

    /// Has everything ring that a receive without memory waits for. False if some came back meanwhile: then there is
    /// something to do.
    pub(crate) fn listen(&mut self) -> bool {
        if !self.is_starved() {
            return true;
        }
        self.bell.ask();
        // After that, or what comes back in between would be missed.
        let mut groups = self.groups.iter().flatten();
        if groups.any(|group| group.has_returns() || group.can_serve()) {
            return false;
        }
        let must_ask = self.groups.iter().flatten().any(Group::must_ask_again);
        !must_ask || self.wake_later()
    }

    /// Has the bell rung after a while. False if that cannot be.
    fn wake_later(&mut self) -> bool {
        if self.is_waking {
            return true;
        }
        let request = Request {
            user_data: Key::OF_THE_WAKER,
            target: Target::Ring,
            operation: Operation::Timeout {
                after: &raw const ASK_AGAIN,
            },
        };
        // SAFETY: the operation reads a time that is there for as long as the process, and that nobody writes.
        let queued = unsafe { self.queue(&request) };
        self.is_waking = queued.is_ok();
        self.is_waking && self.kernel.enter(None).is_ok()
    }
}

impl Group {
    /// Whether a receive that waits for a slot can have one: that of another one which ended without an event.
    fn can_serve(&self) -> bool {
        self.ring.is_none() && !self.starved.is_empty() && self.slots.free() > 0
    }

    fn has_returns(&self) -> bool {
        self.areas().iter().flatten().any(|area| area.has_returns())
    }

    /// Whether a receive waits for a page that the kernel may have got, and not told.
    fn must_ask_again(&self) -> bool {
        let queue = self.queue.as_ref();
        queue.is_some_and(|queue| !queue.starved.is_empty() && queue.pages.must_be_asked())
    }
}
