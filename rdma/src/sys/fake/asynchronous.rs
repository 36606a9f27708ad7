//! Events of the fake device.

use super::super::async_event::{About, AsyncEvent};
use super::super::errno::Errno;
use super::super::identity::{QpIdentity, SrqNumber};
use super::Fake;

impl Fake {
    /// Lets an event happen.
    pub(crate) fn raise(&self, kind: u32, about: About) {
        let mut state = self.state();
        state.async_events.push_back(AsyncEvent { kind, about });
        ring(state.async_bell);
    }

    /// As [`raise`](Self::raise), about the queue pair of this number.
    pub(crate) fn raise_of_qp(&self, kind: u32, qpn: u32) {
        let numbers = self.state().qp_numbers.clone();
        let (_, number) = numbers.iter().find(|(of, _)| *of == qpn).unwrap();
        self.raise(kind, About::Qp(QpIdentity::new(*number, qpn)));
    }

    /// As [`raise`](Self::raise), about the shared receive queue that was made last.
    pub(crate) fn raise_of_srq(&self, kind: u32) {
        let number = *self.state().srq_numbers.last().unwrap();
        self.raise(kind, About::Srq(SrqNumber::of(number)));
    }

    /// Removes the device: waiting for events fails from now on.
    pub(crate) fn remove(&self) {
        let mut state = self.state();
        state.is_removed = true;
        ring(state.async_bell);
    }

    pub(super) fn next_event(&self) -> Result<AsyncEvent, Errno> {
        let mut state = self.state();
        match state.async_events.pop_front() {
            Some(event) => {
                let mut one = 0_u64;
                // SAFETY: eight bytes to read into.
                let read = unsafe { libc::read(state.async_bell, (&raw mut one).cast(), 8) };
                assert_eq!(read, 8);
                Ok(event)
            }
            None if state.is_removed => Err(Errno::new(libc::EIO)),
            None => Err(Errno::new(libc::EAGAIN)),
        }
    }
}

/// A descriptor that is readable as often as it was rung.
pub(super) fn bell() -> i32 {
    // SAFETY: two plain arguments.
    let fd = unsafe { libc::eventfd(0, libc::EFD_SEMAPHORE | libc::EFD_CLOEXEC) };
    assert!(fd >= 0);
    fd
}

fn ring(bell: i32) {
    let one = 1_u64;
    // SAFETY: eight bytes to write.
    let written = unsafe { libc::write(bell, (&raw const one).cast(), 8) };
    assert_eq!(written, 8);
}
