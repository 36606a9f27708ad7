use std::os::fd::{FromRawFd, OwnedFd};

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use super::cell::{Cell, Fate, Going, Part};
use super::stage::Stage;
use crate::ring::Wait;

impl Stage {
    /// Takes everything apart as the cell says, and overwrites at each step what is free then.
    pub(super) fn go(mut self, cell: &Cell) {
        self.peer_first(cell.situation);
        let mut stays = false;
        if let Going::Forgotten(part) = cell.going {
            stays = self.forget(part);
        }
        if cell.going == Going::Unwound {
            self.unwind();
        }
        for part in cell.going.dropped() {
            self.let_go(part);
            self.watched.overwrite_what_is_free(&self.spy);
        }
        stays |= cell.fate() == Fate::Leaked && !self.was_overtaken(cell);
        self.check_mapping(stays);
        self.peer_last(cell.situation);
        self.check_mapping(stays);
        self.watched.assert_unspoiled();
        drop(self.forgotten);
        self.watched.unmap_what_stays();
    }

    /// Drops everything by a panic of the handler, or behind the poll if there is nothing to tell.
    fn unwind(&mut self) {
        let parts = (
            self.kept.take(),
            self.ring.take(),
            self.pool.take(),
            self.taken.take(),
        );
        let silent = || resume_unwind(Box::new("the user's handler"));
        let unwound = catch_unwind(AssertUnwindSafe(|| {
            let (_kept, ring, _pool, _taken) = parts;
            let _ = ring.unwrap().poll(Wait::No, |_| silent());
            silent()
        }));
        assert!(unwound.is_err());
        self.watched.overwrite_what_is_free(&self.spy);
    }

    /// Whether the memory stays because of it.
    fn forget(&mut self, part: Part) -> bool {
        match part {
            Part::Ring => {
                let mut ring = self.ring.take().unwrap();
                let fd = ring.number();
                // What is in flight besides sends, as a shutdown, has no slot.
                let out = self.pool.as_ref().unwrap().outstanding();
                let stays = out > u32::from(self.kept.is_some());
                std::mem::forget(ring);
                // SAFETY: the descriptor is open, and its owner is forgotten: nobody else closes it.
                self.forgotten = Some(unsafe { OwnedFd::from_raw_fd(fd) });
                stays
            }
            Part::Pool => {
                std::mem::forget(self.pool.take());
                true
            }
            Part::Socket => {
                std::mem::forget(self.taken.take());
                false
            }
            Part::Buffer => {
                std::mem::forget(self.kept.take());
                true
            }
        }
    }

    fn let_go(&mut self, part: Part) {
        match part {
            Part::Ring => drop(self.ring.take()),
            Part::Pool => drop(self.pool.take()),
            Part::Socket => drop(self.taken.take()),
            Part::Buffer => {
                // It is still whole, whatever went before it.
                let mut kept = self.kept.take().unwrap();
                kept.fill(3);
                assert!(kept.iter().all(|byte| *byte == 3));
            }
        }
    }

    /// Memory that somebody owns, or that was leaked, is mapped, and nothing else is.
    fn check_mapping(&self, stays: bool) {
        assert_eq!(self.spy.in_use(), stays, "somebody owns it");
        let mapped = if stays { self.watched.bytes() } else { 0 };
        assert_eq!(self.watched.mapped(), mapped);
    }
}
