//! Which processor runs what.

use anyhow::{Context as _, Result};
use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::unistd::Pid;

/// The calling thread.
pub(crate) const HERE: Pid = Pid::from_raw(0);

/// Two processors, one for either side of a connection: the first and the last that this thread may use. They are the
/// same where it has only one.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pair {
    pub(crate) near: usize,
    pub(crate) far: usize,
}

impl Pair {
    /// To be asked before this thread is pinned.
    pub(crate) fn choose() -> Result<Self> {
        let mask = sched_getaffinity(HERE).context("cannot ask for the processors")?;
        let mut usable = (0..CpuSet::count()).filter(|cpu| mask.is_set(*cpu).unwrap_or(false));
        let near = usable.next().context("this process has no processor")?;
        let far = usable.next_back().unwrap_or(near);
        Ok(Pair { near, far })
    }
}

/// Keeps a thread, and what it starts from then on, to one processor.
pub(crate) fn pin(thread: Pid, cpu: usize) -> Result<()> {
    let mut mask = CpuSet::new();
    mask.set(cpu).context("no such processor")?;
    sched_setaffinity(thread, &mask).context("cannot choose a processor")
}
