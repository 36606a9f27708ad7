use std::fmt;

/// One thing that zero-copy receive needs, and whether it is there.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Finding {
    /// What is needed.
    pub requirement: Requirement,
    /// Whether it is there.
    pub verdict: Verdict,
    /// What was seen.
    pub seen: String,
    /// What would help: a command to run as root, where there is one.
    pub remedy: Option<String>,
}

/// What zero-copy receive needs of the machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum Requirement {
    /// A kernel that has it: Linux 6.15.
    Kernel,
    /// CAP_NET_ADMIN in the first user namespace.
    Privilege,
    /// A network interface of that name in the calling thread's network namespace.
    Interface,
    /// A receive queue of that number.
    Queue,
    /// The device puts headers and data of TCP packets into different buffers (`tcp-data-split`).
    HeaderSplit,
    /// It does so with short packets, too (`hds-thresh` 0).
    SplitThreshold,
    /// Packets that no rule steers go to other queues: the queue is not in the table of receive-side scaling.
    OutOfSpread,
    /// A rule steers TCP packets to the queue.
    SteeringRule,
}

/// Whether something is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum Verdict {
    /// It is.
    Met,
    /// It is not, and registering the queue will fail, or no bytes will come.
    Unmet,
    /// The kernel or the device does not say.
    Unknown,
}

impl fmt::Display for Requirement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Kernel => "kernel",
            Self::Privilege => "privilege",
            Self::Interface => "interface",
            Self::Queue => "queue",
            Self::HeaderSplit => "header split",
            Self::SplitThreshold => "header split threshold",
            Self::OutOfSpread => "receive-side scaling",
            Self::SteeringRule => "steering rule",
        })
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Met => "ok",
            Self::Unmet => "missing",
            Self::Unknown => "unknown",
        })
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            requirement,
            verdict,
            seen,
            remedy,
        } = self;
        write!(f, "{requirement}: {verdict}: {seen}")?;
        match remedy {
            Some(remedy) => write!(f, "; {remedy}"),
            None => Ok(()),
        }
    }
}
