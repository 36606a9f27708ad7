//! What must come of a case, written down apart from the crate.

use std::os::fd::RawFd;

use netprims::tuning::{Outcome, Report};

/// The whole report as text, and per option the kind of cause, for programs.
#[derive(Debug, PartialEq)]
pub(crate) struct Want {
    text: String,
    causes: Vec<String>,
}

impl Want {
    /// With the descriptor's number, which the cases do not know, as `N`.
    pub(crate) fn of_descriptor(result: netprims::Result<Report>, number: RawFd) -> Self {
        let want = Self::of(result);
        let text = want
            .text
            .replace(&format!("descriptor {number}:"), "descriptor N:");
        Self { text, ..want }
    }

    /// What came.
    fn of(result: netprims::Result<Report>) -> Self {
        let report = match result {
            Ok(report) => report,
            Err(error) => return failed(&error.to_string()),
        };
        let causes = report.outcomes().iter().map(|outcome| match outcome {
            Outcome::Differs(difference) => {
                let text = format!("{:?}", difference.cause());
                let is_part = |c: &char| c.is_ascii_alphanumeric();
                text.chars().take_while(is_part).collect()
            }
            _ => "Granted".to_owned(),
        });
        Self {
            causes: causes.collect(),
            text: report.to_string(),
        }
    }

    /// And this.
    pub(crate) fn and(mut self, other: Self) -> Self {
        if !self.text.is_empty() {
            self.text.push('\n');
        }
        self.text += &other.text;
        self.causes.extend(other.causes);
        self
    }

    /// And this warning.
    pub(crate) fn warning(self, text: &str) -> Self {
        self.and(Self {
            text: format!("warning: {text}"),
            causes: Vec::new(),
        })
    }
}

/// Nothing was asked for that has an outcome.
pub(crate) fn nothing() -> Want {
    Want {
        text: String::new(),
        causes: Vec::new(),
    }
}

/// In effect as it was requested.
pub(crate) fn granted(option: &str, value: &str) -> Want {
    line(format!("{option}: {value}"), "Granted")
}

/// A buffer that is what was requested.
pub(crate) fn doubled(option: &str, requested: u64) -> Want {
    let effective = 2 * requested;
    let text = format!(
        "{option}: {requested} bytes requested, {effective} bytes in effect (the kernel doubles it)"
    );
    line(text, "Granted")
}

/// Taken, and the kernel does not say.
pub(crate) fn unreadable(option: &str, value: &str) -> Want {
    line(
        format!("{option}: {value} set, cannot be read back"),
        "Granted",
    )
}

/// Not in effect as requested: why, and what would lift it.
pub(crate) fn differs(
    option: &str,
    [requested, effective]: [&str; 2],
    cause: &str,
    why: &str,
    remedy: &str,
) -> Want {
    let effective = match effective {
        "" => "not readable".to_owned(),
        effective => format!("{effective} in effect"),
    };
    let remedy = match remedy {
        "" => String::new(),
        remedy => format!("; {remedy}"),
    };
    line(
        format!("{option}: {requested} requested, {effective}: {why}{remedy}"),
        cause,
    )
}

/// By a rule of the kernel.
pub(crate) fn rule(option: &str, values: [&str; 2], why: &str) -> Want {
    differs(option, values, "KernelRule", why, "")
}

/// It is an option of other kinds of sockets.
pub(crate) fn of_others(option: &str, values: [&str; 2], kinds: &str) -> Want {
    let why = format!("an option of {kinds} sockets, which this is not");
    differs(option, values, "OtherSockets", &why, "")
}

/// Neither this kind of socket nor this kernel has it.
pub(crate) fn unknown(option: &str, values: [&str; 2]) -> Want {
    let why = "this kind of socket or this kernel does not have it";
    differs(option, values, "NotSupported", why, "")
}

/// A capability of the first user namespace is missing.
pub(crate) fn needs_the_system(option: &str, values: [&str; 2]) -> Want {
    let why = "needs CAP_NET_ADMIN in the first user namespace";
    differs(option, values, "Capability", why, &grant("CAP_NET_ADMIN"))
}

/// A capability over the network namespace is missing: one of `any`, of which `one` is advised.
pub(crate) fn needs_the_network(option: &str, values: [&str; 2], any: &str, one: &str) -> Want {
    let why = format!("needs {any} over the socket's network namespace");
    differs(option, values, "NetworkCapability", &why, &grant(one))
}

/// Not set: it has an effect only until the socket is at a moment, and it is at another.
pub(crate) fn too_late(option: &str, values: [&str; 2], latest: &str, moment: &str) -> Want {
    let why =
        format!("not set: it has an effect while the socket is {latest}, this one is {moment}");
    differs(option, values, "TooLate", &why, "")
}

/// Not set: it can be once the socket is connected.
pub(crate) fn too_early(option: &str, values: [&str; 2], moment: &str) -> Want {
    let why = format!("not set: it can be once the socket is connected, this one is {moment}");
    differs(option, values, "TooEarly", &why, "")
}

/// An error, and nothing set.
pub(crate) fn failed(text: &str) -> Want {
    line(format!("error: {text}"), "Error")
}

fn line(text: String, cause: &str) -> Want {
    Want {
        text,
        causes: vec![cause.to_owned()],
    }
}

fn grant(capability: &str) -> String {
    format!("grant it, for example by AmbientCapabilities={capability} in the service's unit")
}
