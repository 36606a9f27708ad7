use std::fmt;
use std::io;

use super::Rung;
use crate::ring::NoZeroCopyRx;

/// How a ring receives into a pool, and why not in a better way. Its text has a line for each.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct RxReport {
    /// The rung of the ladder.
    pub rung: Rung,
    /// Whether one completion may fill several slots.
    pub bundles: bool,
    /// Whether the kernel goes on filling a slot until it is full.
    pub incremental: bool,
    /// What could have been, and why it is not.
    pub declined: Vec<Declined>,
}

/// What a pool does without, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Declined {
    /// What.
    pub what: Wanted,
    /// Why not.
    pub why: WhyNot,
}

/// What a pool may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Wanted {
    /// The rung [`ZeroCopy`](Rung::ZeroCopy).
    ZeroCopy,
    /// The rung [`Multishot`](Rung::Multishot).
    Multishot,
    /// One completion for several slots.
    Bundles,
    /// Several completions for one slot.
    Incremental,
}

/// Why a pool does without something.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum WhyNot {
    /// The plan does not ask for it, or excludes it.
    NotAsked,
    /// It is of no use on the rung that was chosen.
    NotOnThisRung,
    /// The kernel does not know it.
    #[non_exhaustive]
    KernelTooOld {
        /// The first Linux that does.
        needs: &'static str,
    },
    /// What keeps the pool from zero-copy receive.
    ZeroCopy(NoZeroCopyRx),
    /// The kernel refused it.
    #[non_exhaustive]
    Refused {
        /// The system call.
        operation: &'static str,
        /// Its answer.
        errno: i32,
        /// What would help.
        advice: &'static str,
    },
}

impl RxReport {
    pub(super) fn new() -> Self {
        Self {
            rung: Rung::Plain,
            bundles: false,
            incremental: false,
            declined: Vec::new(),
        }
    }

    pub(super) fn decline(&mut self, what: Wanted, why: WhyNot) {
        self.declined.push(Declined { what, why });
    }

    pub(super) fn decline_first(&mut self, what: Wanted, why: WhyNot) {
        self.declined.insert(0, Declined { what, why });
    }

    pub(super) fn rise_to_zero_copy(&mut self) {
        *self = Self {
            rung: Rung::ZeroCopy,
            ..Self::new()
        };
        self.decline(Wanted::Bundles, WhyNot::NotOnThisRung);
        self.decline(Wanted::Incremental, WhyNot::NotOnThisRung);
    }

    /// Why the pool does without something; `None` if it has it.
    pub fn why_not(&self, what: Wanted) -> Option<&WhyNot> {
        let mut declined = self.declined.iter();
        declined
            .find(|declined| declined.what == what)
            .map(|declined| &declined.why)
    }
}

impl fmt::Display for RxReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "receives: {}", self.rung)?;
        if self.bundles {
            write!(f, ", in bundles")?;
        }
        if self.incremental {
            write!(f, ", incrementally")?;
        }
        for Declined { what, why } in &self.declined {
            write!(f, "\n{what}: no, {why}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Rung {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Plain => "plain",
            Self::Multishot => "multishot",
            Self::ZeroCopy => "zero-copy",
        })
    }
}

impl fmt::Display for Wanted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ZeroCopy => "zero-copy",
            Self::Multishot => "multishot",
            Self::Bundles => "bundles",
            Self::Incremental => "incremental",
        })
    }
}

impl fmt::Display for WhyNot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotAsked => f.write_str("the plan does without"),
            Self::NotOnThisRung => f.write_str("not on this rung"),
            Self::KernelTooOld { needs } => write!(f, "the kernel is too old (needs {needs})"),
            Self::ZeroCopy(why) => write!(f, "{why}"),
            Self::Refused {
                operation,
                errno,
                advice,
            } => {
                let error = io::Error::from_raw_os_error(*errno);
                write!(f, "{operation}: {error} ({advice})")
            }
        }
    }
}
