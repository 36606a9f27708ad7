use std::fmt;
use std::io;

use super::Rung;
use crate::ring::NoZeroCopyRx;
use crate::sys::uring::{NoWay, ReceiveState, Way};

/// How a ring receives into a pool, or from a socket, and why not in a better way. Its text has a line for each.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct RxReport {
    /// The rung of the ladder.
    pub rung: Rung,
    /// Whether one completion may fill several slots.
    pub bundles: bool,
    /// Whether the kernel goes on filling a slot until it is full.
    pub incremental: bool,
    /// Whether each datagram comes with what is told of it.
    pub messages: bool,
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
    /// The plan does not ask for it.
    NotAsked,
    /// Something else in the plan excludes it.
    #[non_exhaustive]
    Excluded {
        /// The method of [`RxPlan`](super::RxPlan).
        by: &'static str,
    },
    /// It is of no use on the rung that was chosen.
    NotOnThisRung,
    /// It is for stream sockets.
    NotAStream,
    /// The socket refused it.
    #[non_exhaustive]
    SocketRefused {
        /// Its answer.
        errno: i32,
    },
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
            messages: false,
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

    /// How a socket is received from, and why not as its pool's report says.
    pub(super) fn of_socket(state: &ReceiveState) -> Self {
        let mut report = Self {
            rung: match state.way {
                Way::ZeroCopy => Rung::ZeroCopy,
                Way::Multishot { .. } => Rung::Multishot,
                Way::Plain => Rung::Plain,
            },
            bundles: state.way == Way::Multishot { is_bundle: true },
            incremental: state.is_incremental,
            messages: state.tells_messages,
            declined: Vec::new(),
        };
        let wanted = [
            (Wanted::ZeroCopy, state.no_queue),
            (Wanted::Bundles, state.no_bundle),
        ];
        for (what, why) in wanted {
            match why {
                Some(NoWay::NotAStream) => report.decline(what, WhyNot::NotAStream),
                Some(NoWay::Refused(errno)) => {
                    report.decline(what, WhyNot::SocketRefused { errno });
                }
                None => {}
            }
        }
        report
    }

    pub(super) fn keep_for_messages(&mut self) {
        self.messages = true;
        self.declined
            .retain(|declined| declined.what == Wanted::Multishot);
        for what in [Wanted::ZeroCopy, Wanted::Bundles, Wanted::Incremental] {
            self.decline(what, WhyNot::Excluded { by: "messages" });
        }
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
        if self.messages {
            write!(f, ", messages")?;
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
            Self::Excluded { by } => write!(f, "the plan's {by} excludes it"),
            Self::NotOnThisRung => f.write_str("not on this rung"),
            Self::NotAStream => f.write_str("only streams have it"),
            Self::SocketRefused { errno } => {
                let error = io::Error::from_raw_os_error(*errno);
                write!(f, "the socket refuses it: {error}")
            }
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
