use std::io;
use std::num::NonZeroUsize;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use super::Mapping;

/// The process a value was made in. A forked child is another one, although it has a copy of the value.
///
/// The kernel shows a forked child a page of zeroes where its parent has a number (`MADV_WIPEONFORK`), so that asking is
/// a load and no system call.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Process {
    number: u64,
    /// Where the number of the process that looks is.
    current: &'static AtomicU64,
}

/// The page with this process's number.
static PAGE: OnceLock<Mapping> = OnceLock::new();
/// The last number. A child goes on from there, so it has none that its ancestors had when they made it.
static LAST: AtomicU64 = AtomicU64::new(0);

impl Process {
    /// This one. Fails for want of memory.
    pub(crate) fn current() -> io::Result<Self> {
        let page = match PAGE.get() {
            Some(page) => page,
            None => {
                let page = Mapping::anonymous(NonZeroUsize::new(8).unwrap_or(NonZeroUsize::MIN))?;
                PAGE.get_or_init(|| page)
            }
        };
        let number = number(page);
        let fresh = LAST.fetch_add(1, Ordering::Relaxed) + 1;
        // The first who asks in a process decides.
        let decided = number.compare_exchange(0, fresh, Ordering::Relaxed, Ordering::Relaxed);
        Ok(Self {
            number: decided.map_or_else(|there| there, |_| fresh),
            current: number,
        })
    }

    /// Whether it is the one that runs this.
    #[inline]
    pub(crate) fn is_current(self) -> bool {
        self.current.load(Ordering::Relaxed) == self.number
    }
}

fn number(page: &'static Mapping) -> &'static AtomicU64 {
    // SAFETY: the mapping starts on a page, so that the number is aligned; it has at least eight bytes, readable and
    // writable for as long as the reference, since a static is never dropped (invariants of `Mapping`). This function is
    // the only one that reaches them, so that all access is atomic.
    unsafe { AtomicU64::from_ptr(page.base().cast().as_ptr()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_stays_the_one_it_is() {
        let this = Process::current().unwrap();
        assert!(this.is_current());
        assert_eq!(this.number, Process::current().unwrap().number);
        let number = u64::MAX;
        assert!(!Process { number, ..this }.is_current());
    }
}
