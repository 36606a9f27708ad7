use std::fmt;

use super::{Difference, Value, Warning};

/// What came of a [`Tuning`](super::Tuning): per option requested and effective, the differences with their causes,
/// and warnings.
///
/// Its `Display` is for people: one line per option, then the warnings.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[must_use = "the report is where a clamp or a refusal shows"]
pub struct Report {
    pub(super) outcomes: Vec<Outcome>,
    pub(super) warnings: Vec<Warning>,
}

/// What came of one option.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum Outcome {
    /// The kernel took it as requested.
    #[non_exhaustive]
    Granted {
        /// The option, by its C name.
        option: &'static str,
        /// What was asked for.
        requested: Value,
        /// What reading the option back gave. For `SO_RCVBUF` and `SO_SNDBUF` that is twice the requested size: the
        /// kernel doubles it to pay for its own bookkeeping, which is no difference. `None` if the kernel has no way to
        /// read it back.
        effective: Option<Value>,
    },
    /// It is not.
    Differs(Difference),
}

impl Report {
    /// One outcome per option that was asked for, and one named `listen backlog` if a builder was asked for a backlog.
    pub fn outcomes(&self) -> &[Outcome] {
        &self.outcomes
    }

    /// The options that are not in effect as requested.
    pub fn differences(&self) -> impl Iterator<Item = &Difference> {
        self.outcomes.iter().filter_map(|outcome| match outcome {
            Outcome::Differs(difference) => Some(difference),
            Outcome::Granted { .. } => None,
        })
    }

    /// Settings that are in effect and may not do what is expected of them.
    pub fn warnings(&self) -> &[Warning] {
        &self.warnings
    }

    /// Whether every option is in effect as requested.
    pub fn is_granted(&self) -> bool {
        self.differences().next().is_none()
    }

    /// The outcome of an option by its C name, such as `"SO_RCVBUF"`; `None` if it was not asked for.
    pub fn outcome(&self, option: &str) -> Option<&Outcome> {
        self.outcomes
            .iter()
            .find(|outcome| outcome.option() == option)
    }
}

impl Outcome {
    /// The option, by its C name, or `listen backlog`.
    pub fn option(&self) -> &'static str {
        match self {
            Self::Granted { option, .. } => option,
            Self::Differs(difference) => difference.option(),
        }
    }

    /// Whether the kernel took the option, be it with another value.
    pub(super) fn is_set(&self) -> bool {
        match self {
            Self::Granted { .. } => true,
            Self::Differs(difference) => difference.is_set,
        }
    }

    /// What was asked for.
    pub fn requested(&self) -> Value {
        match self {
            Self::Granted { requested, .. } => *requested,
            Self::Differs(difference) => difference.requested(),
        }
    }

    /// What is in effect; `None` if the option cannot be read.
    pub fn effective(&self) -> Option<Value> {
        match self {
            Self::Granted { effective, .. } => *effective,
            Self::Differs(difference) => difference.effective(),
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let outcomes = self.outcomes.iter().map(Outcome::to_string);
        let warnings = self
            .warnings
            .iter()
            .map(|warning| format!("warning: {warning}"));
        let lines: Vec<_> = outcomes.chain(warnings).collect();
        f.write_str(&lines.join("\n"))
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Granted {
                option,
                requested,
                effective,
            } => match effective {
                Some(effective) if requested == effective => write!(f, "{option}: {requested}"),
                Some(effective) => write!(
                    f,
                    "{option}: {requested} requested, {effective} in effect (the kernel doubles it)"
                ),
                None => write!(f, "{option}: {requested} set, cannot be read back"),
            },
            Self::Differs(difference) => difference.fmt(f),
        }
    }
}
