use std::fmt;
use std::io;

use super::{Moment, Value};

/// An option that is not in effect as it was requested.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Difference {
    pub(super) option: &'static str,
    pub(super) requested: Value,
    pub(super) effective: Option<Value>,
    pub(super) cause: Cause,
    pub(super) remedy: Option<String>,
    /// The kernel took it, and made something else of it.
    #[cfg_attr(feature = "serde", serde(skip))]
    pub(super) is_set: bool,
}

/// What made the effective value differ from the requested one.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum Cause {
    /// A sysctl limits it.
    #[non_exhaustive]
    Sysctl {
        /// Its dotted name.
        name: &'static str,
        /// Its value.
        value: Limit,
    },
    /// The process lacks a capability, named here, in the first user namespace.
    Capability(&'static str),
    /// The process lacks a capability, named here, in the user namespace that owns the socket's network namespace.
    NetworkCapability(&'static str),
    /// A rule of the kernel that no setting lifts.
    KernelRule(&'static str),
    /// The congestion control algorithm is there and this process may not choose it.
    #[non_exhaustive]
    CongestionNotAllowed {
        /// What the kernel has loaded; empty if that cannot be seen.
        available: Vec<String>,
        /// What a process without privilege may choose; empty if that cannot be seen.
        allowed: Vec<String>,
    },
    /// There is no such congestion control algorithm, or its module is not loaded.
    #[non_exhaustive]
    CongestionNotLoaded {
        /// What the kernel has loaded; empty if that cannot be seen.
        available: Vec<String>,
        /// What a process without privilege may choose; empty if that cannot be seen.
        allowed: Vec<String>,
    },
    /// The option is one of other sockets, which are named here.
    OtherSockets(&'static str),
    /// This kernel, or this kind of socket, does not have the option.
    NotSupported,
    /// The option was not set because it no longer has an effect.
    #[non_exhaustive]
    TooLate {
        /// The last moment at which it has.
        latest: Moment,
        /// Where the socket was.
        moment: Moment,
    },
    /// The option was not set because the kernel does not take it yet.
    #[non_exhaustive]
    TooEarly {
        /// The first moment at which it does.
        earliest: Moment,
        /// Where the socket was.
        moment: Moment,
    },
    /// A kernel module, named here, is not loaded, or the kernel was built without it.
    ModuleNotLoaded(&'static str),
    /// The kernel refused with an errno that says no more.
    Errno(i32),
}

/// The value of a sysctl that limits an option.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum Limit {
    /// What `/proc/sys` shows.
    Read(String),
    /// It cannot be seen; what is in effect implies it.
    #[non_exhaustive]
    Implied {
        /// What it must be for this to be in effect.
        value: u64,
        /// Why it cannot be seen.
        unseen: Unseen,
    },
}

/// Why a sysctl cannot be seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum Unseen {
    /// The calling thread's network namespace does not show it.
    Absent,
    /// The socket is of another network namespace than the calling thread, and may have other values.
    OtherNamespace,
    /// `/proc` is not mounted, the file may not be read, or it holds something unexpected.
    Unreadable,
}

/// A cause and what would lift it, before they are part of a [`Difference`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Explanation {
    pub(super) cause: Cause,
    pub(super) remedy: Option<String>,
}

impl From<Cause> for Explanation {
    /// Nothing would lift it.
    fn from(cause: Cause) -> Self {
        Self {
            cause,
            remedy: None,
        }
    }
}

impl Difference {
    /// The option, by its C name, or `listen backlog`.
    pub fn option(&self) -> &'static str {
        self.option
    }

    /// What was asked for.
    pub fn requested(&self) -> Value {
        self.requested
    }

    /// What reading the option back gave; `None` if it cannot be read.
    pub fn effective(&self) -> Option<Value> {
        self.effective
    }

    /// Why they differ.
    pub fn cause(&self) -> &Cause {
        &self.cause
    }

    /// What would lift it, where anything would.
    pub fn remedy(&self) -> Option<&str> {
        self.remedy.as_deref()
    }
}

impl Cause {
    /// With what would lift it.
    pub(super) fn lifted_by(self, remedy: impl Into<String>) -> Explanation {
        Explanation {
            cause: self,
            remedy: Some(remedy.into()),
        }
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} requested, ", self.option, self.requested)?;
        match self.effective {
            Some(effective) => write!(f, "{effective} in effect")?,
            None => f.write_str("not readable")?,
        }
        write!(f, ": {}", self.cause)?;
        match &self.remedy {
            Some(remedy) => write!(f, "; {remedy}"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sysctl { name, value } => write!(f, "{name} is {value}"),
            Self::Capability(name) => write!(f, "needs {name} in the first user namespace"),
            Self::NetworkCapability(name) => {
                write!(f, "needs {name} over the socket's network namespace")
            }
            Self::KernelRule(rule) => f.write_str(rule),
            Self::CongestionNotAllowed { available, allowed } => {
                write!(
                    f,
                    "not allowed without CAP_NET_ADMIN ({})",
                    Lists(available, allowed)
                )
            }
            Self::CongestionNotLoaded { available, allowed } => {
                write!(
                    f,
                    "no such algorithm loaded ({})",
                    Lists(available, allowed)
                )
            }
            Self::OtherSockets(names) => {
                write!(f, "an option of {names} sockets, which this is not")
            }
            Self::NotSupported => {
                f.write_str("this kind of socket or this kernel does not have it")
            }
            Self::TooLate { latest, moment } => {
                write!(
                    f,
                    "not set: it has an effect while the socket is {latest}, this one is {moment}"
                )
            }
            Self::TooEarly { earliest, moment } => {
                write!(
                    f,
                    "not set: it can be once the socket is {earliest}, this one is {moment}"
                )
            }
            Self::ModuleNotLoaded(name) => write!(f, "the kernel module {name} is not loaded"),
            Self::Errno(errno) => io::Error::from_raw_os_error(*errno).fmt(f),
        }
    }
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Read(value) => f.write_str(value),
            Self::Implied { value, unseen } => {
                write!(f, "{value}, by what is in effect ({unseen})")
            }
        }
    }
}

impl fmt::Display for Unseen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Absent => "this network namespace does not show it",
            Self::OtherNamespace => "the socket is of another network namespace",
            Self::Unreadable => "it could not be read",
        })
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Open => "not yet bound",
            Self::BoundWithoutPort => "bound without a port",
            Self::Bound => "bound",
            Self::Listening => "listening",
            Self::Connected => "connected",
        })
    }
}

struct Lists<'a>(&'a [String], &'a [String]);

impl fmt::Display for Lists<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = |words: &[String]| match words {
            [] => "not seen".to_owned(),
            words => words.join(" "),
        };
        write!(f, "available: {}; allowed: {}", list(self.0), list(self.1))
    }
}
