use std::os::fd::AsFd;

use socket2::SockRef;

use super::difference::Explanation;
use super::environment::{Environment, Host};
use super::options;
use super::spec::{Attempt, Granted, Spec};
use super::{Cause, Difference, Moment, Outcome, Report, Tuning, Value};
use crate::{Error, Result};

impl Tuning {
    /// Sets the options on a socket, reads them back, and reports.
    ///
    /// Works on anything that holds a socket: std's and tokio's types, this crate's, an `OwnedFd`. The order is fixed;
    /// an option the kernel refuses does not keep the others from being set. An option that can no longer have an
    /// effect at this moment of the socket's life is not set, and reported so.
    ///
    /// # Errors
    ///
    /// - [`Error::InvalidValue`]: a value no kernel takes. Nothing was set.
    /// - [`Error::System`]: the descriptor is no socket (`ENOTSOCK`).
    /// - [`Error::NotGranted`]: the tuning is [`strict`](Tuning::strict) and an option differs. The report in the
    ///   error says what is in effect.
    pub fn apply(&self, socket: &impl AsFd) -> Result<Report> {
        let socket = SockRef::from(socket);
        self.validate()?;
        let moment = Moment::of(&socket)
            .map_err(|error| Error::system("getsockopt SO_ACCEPTCONN", "the descriptor", error))?;

        let mut report = Report::default();
        for (spec, requested) in self.requests() {
            report
                .outcomes
                .push(set(spec, requested, &socket, moment, &Host));
        }
        self.warn(&socket, moment, &mut report);
        if self.strict && !report.is_granted() {
            return Err(Error::NotGranted(Box::new(report)));
        }
        Ok(report)
    }

    /// Writes the warnings anew, for a socket that has come further since its options were set.
    pub(crate) fn review(&self, socket: &impl AsFd, report: &mut Report) {
        let socket = SockRef::from(socket);
        report.warnings.clear();
        // What was set in time does not become late by what happened since.
        self.warn(&socket, Moment::Open, report);
    }

    fn validate(&self) -> Result<()> {
        for (spec, value) in self.requests() {
            (spec.validate)(value).map_err(|reason| Error::InvalidValue {
                option: spec.name,
                value: value.to_string(),
                reason,
            })?;
        }
        Ok(())
    }

    fn warn(&self, socket: &SockRef<'_>, moment: Moment, report: &mut Report) {
        for (spec, _) in self.requests() {
            let effective = report.outcome(spec.name).and_then(Outcome::effective);
            let granted = Granted {
                effective,
                moment,
                socket,
            };
            report.warnings.extend((spec.warn)(&granted, &Host));
        }
    }

    fn requests(&self) -> impl Iterator<Item = (&'static Spec, Value)> + '_ {
        options::ALL
            .iter()
            .filter_map(|spec| Some((*spec, (spec.requested)(self)?)))
    }
}

fn set(
    spec: &Spec,
    requested: Value,
    socket: &SockRef<'_>,
    moment: Moment,
    environment: &dyn Environment,
) -> Outcome {
    let late = moment > spec.latest && (spec.read)(socket).ok() != Some(requested);
    let refused = if late {
        None
    } else {
        // An error without an errno is `wrong_kind`, which the table rules out.
        (spec.set)(socket, requested)
            .err()
            .map(|error| error.raw_os_error().unwrap_or(libc::EINVAL))
    };
    let effective = (spec.read)(socket).ok();
    let attempt = Attempt {
        requested,
        refused,
        effective,
    };
    let explanation = if late {
        Some(
            Cause::TooLate {
                latest: spec.latest,
                moment,
            }
            .into(),
        )
    } else {
        explain(spec, &attempt, environment)
    };
    match (explanation, effective) {
        (None, Some(effective)) => Outcome::Granted {
            option: spec.name,
            requested,
            effective,
        },
        (explanation, effective) => {
            let Explanation { cause, remedy } =
                explanation.unwrap_or_else(|| Cause::NotSupported.into());
            Outcome::Differs(Difference {
                option: spec.name,
                requested,
                effective,
                cause,
                remedy,
            })
        }
    }
}

/// The causes that every option shares, then the option's own.
fn explain(spec: &Spec, attempt: &Attempt, environment: &dyn Environment) -> Option<Explanation> {
    match attempt.refused {
        Some(libc::ENOPROTOOPT | libc::EOPNOTSUPP) => Some(Cause::NotSupported.into()),
        _ => (spec.explain)(attempt, environment),
    }
}
