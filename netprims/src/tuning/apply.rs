use std::os::fd::AsFd;

use socket2::SockRef;

use super::difference::Explanation;
use super::environment::{Environment, Host};
use super::options;
use super::spec::{Attempt, Granted, Spec};
use super::{Cause, Difference, Moment, Outcome, Report, SocketKind, Tuning, Value};
use crate::{Error, Result};

impl Tuning {
    /// Sets the options on a socket, reads them back, and reports.
    ///
    /// Works on anything that holds a socket: std's and tokio's types, this crate's, an `OwnedFd`. The order is fixed;
    /// an option the kernel refuses does not keep the others from being set. An option that can no longer have an
    /// effect at this moment of the socket's life, or not yet, is not set, and reported so.
    ///
    /// # Errors
    ///
    /// - [`Error::InvalidValue`]: a value no kernel takes. Nothing was set.
    /// - [`Error::System`]: the descriptor is no socket (`ENOTSOCK`).
    /// - [`Error::NotGranted`]: the tuning is [`strict`](Tuning::strict) and an option differs. The report in the
    ///   error says what is in effect.
    pub fn apply(&self, socket: &impl AsFd) -> Result<Report> {
        let report = self.tune(socket)?;
        self.accept(report, |_| true)
    }

    /// What [`Tuning::apply`] would report of a fresh socket of a kind, here and now: by this thread's privilege, in its
    /// network namespace. The socket is opened, tuned and closed again; nothing is bound, and nothing is sent.
    ///
    /// ```
    /// use netprims::tuning::{SocketKind, Tuning};
    ///
    /// let report = Tuning::low_latency().check(SocketKind::TcpV4)?;
    /// for difference in report.differences() {
    ///     eprintln!("would not be granted: {difference}");
    /// }
    /// # Ok::<(), netprims::Error>(())
    /// ```
    ///
    /// What only a connection can be asked for is reported as [`Cause::TooEarly`]; that is no error of a
    /// [`strict`](Tuning::strict) tuning here.
    ///
    /// # Errors
    ///
    /// Those of [`Tuning::apply`], and [`Error::System`] if there are no such sockets (`EAFNOSUPPORT`,
    /// `EPROTONOSUPPORT`).
    pub fn check(&self, kind: SocketKind) -> Result<Report> {
        self.begin(&kind.open()?)
    }

    /// As [`Tuning::apply`], for a socket that is yet to be connected: what can only be asked of a connection is left
    /// for [`Tuning::resume`].
    pub(crate) fn begin(&self, socket: &impl AsFd) -> Result<Report> {
        let report = self.tune(socket)?;
        self.accept(report, |difference| !is_early(difference))
    }

    /// For a socket that has been connected since: asks for what could not be asked before, and writes the warnings
    /// anew.
    pub(crate) fn resume(&self, socket: &impl AsFd, mut report: Report) -> Result<Report> {
        let socket = SockRef::from(socket);
        let host = Host::of(&socket);
        for outcome in &mut report.outcomes {
            let early = matches!(&*outcome, Outcome::Differs(difference) if is_early(difference));
            let spec = options::ALL
                .iter()
                .find(|spec| spec.name == outcome.option());
            if let (true, Some(spec)) = (early, spec) {
                let requested = outcome.requested();
                *outcome = set(spec, requested, &socket, Moment::Connected, &host);
            }
        }
        report.warnings.clear();
        // What was set in time does not become late by what happened since.
        self.warn(&socket, Moment::Open, &host, &mut report);
        self.accept(report, |_| true)
    }

    fn tune(&self, socket: &impl AsFd) -> Result<Report> {
        let socket = SockRef::from(socket);
        self.validate()?;
        let moment = Moment::of(&socket)
            .map_err(|error| Error::system("getsockopt SO_ACCEPTCONN", "the descriptor", error))?;

        let host = Host::of(&socket);
        let mut report = Report::default();
        for (spec, requested) in self.requests() {
            report
                .outcomes
                .push(set(spec, requested, &socket, moment, &host));
        }
        self.warn(&socket, moment, &host, &mut report);
        Ok(report)
    }

    /// The report, or the error that a strict tuning makes of a difference that counts.
    fn accept(&self, report: Report, counts: impl FnMut(&Difference) -> bool) -> Result<Report> {
        if self.strict && report.differences().any(counts) {
            return Err(Error::NotGranted(Box::new(report)));
        }
        Ok(report)
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

    fn warn(
        &self,
        socket: &SockRef<'_>,
        moment: Moment,
        environment: &dyn Environment,
        report: &mut Report,
    ) {
        for (spec, _) in self.requests() {
            // What was not set does nothing that one need be warned of.
            let outcome = report.outcome(spec.name).filter(|outcome| outcome.is_set());
            let Some(outcome) = outcome else {
                continue;
            };
            let effective = outcome.effective();
            let granted = Granted {
                effective,
                moment,
                socket,
            };
            report.warnings.extend((spec.warn)(&granted, environment));
        }
    }

    fn requests(&self) -> impl Iterator<Item = (&'static Spec, Value)> + '_ {
        options::ALL
            .iter()
            .filter_map(|spec| Some((*spec, (spec.requested)(self)?)))
    }
}

fn is_early(difference: &Difference) -> bool {
    matches!(difference.cause(), Cause::TooEarly { .. })
}

fn set(
    spec: &Spec,
    requested: Value,
    socket: &SockRef<'_>,
    moment: Moment,
    environment: &dyn Environment,
) -> Outcome {
    let early = moment < spec.earliest;
    let late = moment > spec.latest && (spec.read)(socket).ok() != Some(requested);
    let refused = if early || late {
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
        privilege: spec.privilege,
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
    } else if early {
        let earliest = spec.earliest;
        Some(Cause::TooEarly { earliest, moment }.into())
    } else {
        (spec.explain)(&attempt, environment)
    };
    match explanation {
        None => Outcome::Granted {
            option: spec.name,
            requested,
            effective,
        },
        Some(Explanation { cause, remedy }) => Outcome::Differs(Difference {
            option: spec.name,
            requested,
            effective,
            cause,
            remedy,
            is_set: !early && !late && refused.is_none(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::super::spec::{Privilege, any_value, taken_or_refused};
    use super::super::{Limit, Warning};
    use super::*;
    use crate::tuning::environment::fake::Fake;
    use std::net::UdpSocket;

    /// An option that can be set, not read back, and only before bind.
    static WRITE_ONLY: Spec = Spec {
        name: "WRITE_ONLY",
        earliest: Moment::Open,
        latest: Moment::Open,
        privilege: Privilege::None,
        requested: |_| Some(Value::Flag(true)),
        validate: any_value,
        set: |_, _| Ok(()),
        read: |_| Err(std::io::Error::from_raw_os_error(libc::ENOPROTOOPT)),
        explain: taken_or_refused,
        warn: |_, _| vec![Warning::NoNapi],
    };

    fn outcome(spec: &Spec, moment: Moment) -> Outcome {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let on = Value::Flag(true);
        set(spec, on, &SockRef::from(&socket), moment, &Fake(&[]))
    }

    #[test]
    fn what_cannot_be_read_back_is_granted_if_the_kernel_took_it() {
        let outcome = outcome(&WRITE_ONLY, Moment::Open);
        assert!(matches!(
            outcome,
            Outcome::Granted {
                effective: None,
                ..
            }
        ));
        let text = "WRITE_ONLY: on set, cannot be read back";
        assert_eq!(outcome.to_string(), text);
    }

    #[test]
    fn an_option_whose_moment_has_passed_is_not_set() {
        let spec = Spec {
            set: |_, _| panic!("set"),
            ..WRITE_ONLY
        };
        let outcome = outcome(&spec, Moment::Bound);
        assert!(!outcome.is_set());
        let Outcome::Differs(difference) = outcome else {
            panic!("{outcome}")
        };
        let want = Cause::TooLate {
            latest: Moment::Open,
            moment: Moment::Bound,
        };
        assert_eq!(difference.cause(), &want);
    }

    #[test]
    fn nothing_is_warned_of_that_was_not_set() {
        let socket = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let stream = std::net::TcpStream::connect(socket.local_addr().unwrap()).unwrap();
        let tuning = Tuning::new().receive_buffer(10_000);
        let environment = Fake(&[("net.ipv4.tcp_rmem", "4096 131072 33554432")]);
        let mut warned = [false, true].map(|is_set| {
            let mut report = Report::default();
            report.outcomes.push(Outcome::Differs(Difference {
                option: "SO_RCVBUF",
                requested: Value::Bytes(10_000),
                effective: Some(Value::Bytes(5000)),
                cause: Cause::Sysctl {
                    name: "net.core.rmem_max",
                    value: Limit::Read("2500".to_owned()),
                },
                remedy: None,
                is_set,
            }));
            let socket = SockRef::from(&stream);
            tuning.warn(&socket, Moment::Open, &environment, &mut report);
            report.warnings.len()
        });
        warned.sort_unstable();
        assert_eq!(warned, [0, 1]);
    }
}
