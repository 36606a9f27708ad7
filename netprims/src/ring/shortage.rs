use std::fmt;

/// What there was too little of for a ring.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum Shortage {
    /// `EMFILE`: the process has as many descriptors as `RLIMIT_NOFILE` allows. A ring takes one.
    Descriptors,
    /// `ENFILE`: the machine has as many open files as the sysctl `fs.file-max` allows.
    Files,
    /// `ENOMEM`, to a process without CAP_IPC_LOCK: its user has as much memory locked as `RLIMIT_MEMLOCK` allows, or
    /// there is no memory. Pools count as locked everywhere; of a ring's queues, Linux 6.18 counts about a hundred bytes for
    /// each send in flight, and 6.1, 6.12 and 7.2 nothing.
    LockedMemory,
    /// `ENOMEM`, to a process whose locked memory has no limit: the control group's memory, or the machine's.
    Memory,
}

impl fmt::Display for Shortage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Descriptors => "raise RLIMIT_NOFILE (ulimit -n), or close descriptors",
            Self::Files => "raise the sysctl fs.file-max",
            Self::LockedMemory => {
                "raise RLIMIT_MEMLOCK (ulimit -l), grant CAP_IPC_LOCK, or ask for fewer in_flight; if that does not \
                 help, memory is short"
            }
            Self::Memory => "memory is short: raise the control group's limit, or ask for fewer in_flight",
        })
    }
}
