use std::os::fd::{AsFd, AsRawFd};

use socket2::SockRef;

use super::difference::Explanation;
use super::environment::{Environment, Host};
use super::kinds::Transport;
use super::options;
use super::requests::Requests;
use super::spec::{Attempt, Granted, Spec};
use super::{Cause, Difference, Kind, Moment, Outcome, Report, SocketKind, Tuning, Value, Warning};
use crate::{Error, Result};

impl<K: Kind> Tuning<K> {
    /// Sets the options on a socket, reads them back, and reports.
    ///
    /// Works on anything that holds a socket: std's and tokio's types, this crate's, an `OwnedFd`. The order is fixed;
    /// an option the kernel refuses does not keep the others from being set. An option that can no longer have an
    /// effect at this moment of the socket's life, or not yet, is not set, and reported so.
    ///
    /// # Errors
    ///
    /// - [`Error::InvalidValue`]: a value no kernel takes, or a tuning for TCP, UDP or Unix sockets on a socket of another
    ///   of the three. Nothing was set.
    /// - [`Error::System`]: the descriptor is no socket (`ENOTSOCK`).
    /// - [`Error::NotGranted`]: the tuning is [`strict`](Tuning::strict) and an option differs, or is of no use to the
    ///   socket. The report in the error says what is in effect.
    pub fn apply(&self, socket: &impl AsFd) -> Result<Report> {
        let socket = SockRef::from(socket);
        if let Some(found) = Transport::of(&socket) {
            is_for::<K>(found, "socket", || format!("fd {}", socket.as_raw_fd()))?;
        }
        let report = self.requests.tune(&socket)?;
        self.requests.accept(report, |_| true)
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
    /// Those of [`Tuning::apply`], and
    ///
    /// - [`Error::InvalidValue`]: the tuning is for other sockets.
    /// - [`Error::System`]: there are no such sockets (`EAFNOSUPPORT`, `EPROTONOSUPPORT`).
    pub fn check(&self, kind: SocketKind) -> Result<Report> {
        is_for::<K>(kind.transport(), "SocketKind", || format!("{kind:?}"))?;
        self.begin(&kind.open()?)
    }

    /// As [`Tuning::apply`], for a socket that is yet to be connected: what can only be asked of a connection is left
    /// for [`Tuning::resume`].
    pub(crate) fn begin(&self, socket: &impl AsFd) -> Result<Report> {
        let report = self.requests.tune(&SockRef::from(socket))?;
        self.requests
            .accept(report, |difference| !is_early(difference))
    }

    /// For a socket that has been connected since: asks for what could not be asked before, and writes the warnings
    /// anew.
    pub(crate) fn resume(&self, socket: &impl AsFd, report: Report) -> Result<Report> {
        let report = self.requests.tune_late(&SockRef::from(socket), report);
        self.requests.accept(report, |_| true)
    }
}

/// Refuses what a tuning for one kind of socket is not for.
fn is_for<K: Kind>(
    found: Transport,
    argument: &'static str,
    name: impl FnOnce() -> String,
) -> Result<()> {
    match K::TRANSPORT {
        Some(only) if only != found => Err(Error::InvalidValue {
            option: argument,
            value: name(),
            reason: only.only(),
        }),
        _ => Ok(()),
    }
}

impl Requests {
    pub(super) fn tune(&self, socket: &SockRef<'_>) -> Result<Report> {
        self.validate()?;
        let moment = Moment::of(socket).map_err(|error| {
            let object = format!("descriptor {}", socket.as_raw_fd());
            Error::system("getsockopt SO_ACCEPTCONN", object, error)
        })?;
        let target = Target::of(socket, moment);
        let host = Host::of(socket);
        let mut report = Report::default();
        for (spec, requested) in self.iter() {
            report.outcomes.push(set(spec, requested, &target, &host));
        }
        self.warn(&target, &host, &mut report);
        Ok(report)
    }

    fn tune_late(&self, socket: &SockRef<'_>, mut report: Report) -> Report {
        let host = Host::of(socket);
        let target = Target::of(socket, Moment::Connected);
        for outcome in &mut report.outcomes {
            let early = matches!(&*outcome, Outcome::Differs(difference) if is_early(difference));
            let spec = options::ALL
                .iter()
                .find(|spec| spec.name == outcome.option());
            if let (true, Some(spec)) = (early, spec) {
                *outcome = set(spec, outcome.requested(), &target, &host);
            }
        }
        report.warnings.clear();
        // What was set in time does not become late by what happened since.
        let moment = Moment::Open;
        self.warn(&Target { moment, ..target }, &host, &mut report);
        report
    }

    /// The report, or the error that a strict tuning makes of a difference that counts, and of an option that the kernel
    /// took for nothing.
    pub(super) fn accept(
        &self,
        report: Report,
        counts: impl FnMut(&Difference) -> bool,
    ) -> Result<Report> {
        let for_nothing = |warning: &Warning| matches!(warning, Warning::OtherSockets { .. });
        let granted =
            || !report.differences().any(counts) && !report.warnings().iter().any(for_nothing);
        if self.strict && !granted() {
            return Err(Error::NotGranted(Box::new(report)));
        }
        Ok(report)
    }

    fn warn(&self, target: &Target<'_>, environment: &dyn Environment, report: &mut Report) {
        for (spec, _) in self.iter() {
            // What was not set does nothing that one need be warned of.
            let outcome = report.outcome(spec.name).filter(|outcome| outcome.is_set());
            let Some(outcome) = outcome else {
                continue;
            };
            if target.is_foreign_to(spec) {
                report.warnings.push(Warning::OtherSockets {
                    option: spec.name,
                    sockets: spec.sockets.names(),
                });
                continue;
            }
            let granted = Granted {
                effective: outcome.effective(),
                moment: target.moment,
                socket: target.socket,
            };
            report.warnings.extend((spec.warn)(&granted, environment));
        }
    }
}

/// The socket that is tuned.
struct Target<'a> {
    socket: &'a SockRef<'a>,
    transport: Option<Transport>,
    moment: Moment,
}

impl<'a> Target<'a> {
    fn of(socket: &'a SockRef<'a>, moment: Moment) -> Self {
        Self {
            socket,
            transport: Transport::of(socket),
            moment,
        }
    }

    /// Whether it is known to have no use for an option.
    fn is_foreign_to(&self, spec: &Spec) -> bool {
        self.transport
            .is_some_and(|transport| !spec.sockets.include(transport))
    }
}

fn is_early(difference: &Difference) -> bool {
    matches!(difference.cause(), Cause::TooEarly { .. })
}

fn set(
    spec: &Spec,
    requested: Value,
    target: &Target<'_>,
    environment: &dyn Environment,
) -> Outcome {
    let Target { socket, moment, .. } = *target;
    // A socket that has no use for the option has no moment for it either.
    let foreign = target.is_foreign_to(spec);
    let early = !foreign && moment < spec.earliest;
    let past = !foreign && moment > spec.latest;
    let refused = if early || past {
        None
    } else {
        // An error without an errno is `wrong_kind`, which the table rules out.
        (spec.set)(socket, requested)
            .err()
            .map(|error| error.raw_os_error().unwrap_or(libc::EINVAL))
    };
    let effective = (spec.read)(socket).ok();
    // It is not too late for what is there already.
    let late = past && effective != Some(requested);
    let attempt = Attempt {
        requested,
        privilege: spec.privilege,
        refused,
        effective,
    };
    let explanation = if late {
        let latest = spec.latest;
        Some(Cause::TooLate { latest, moment }.into())
    } else if early {
        let earliest = spec.earliest;
        Some(Cause::TooEarly { earliest, moment }.into())
    } else if let (true, Some(libc::ENOPROTOOPT | libc::EOPNOTSUPP)) = (foreign, refused) {
        Some(Cause::OtherSockets(spec.sockets.names()).into())
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
    use super::super::Limit;
    use super::super::spec::Sockets;
    use super::super::spec::{Privilege, any_value, taken_or_refused};
    use super::*;
    use crate::tuning::environment::fake::Fake;
    use std::net::UdpSocket;

    /// An option that can be set, not read back, and only before bind.
    static WRITE_ONLY: Spec = Spec {
        name: "WRITE_ONLY",
        sockets: Sockets::All,
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
        set(
            spec,
            on,
            &Target::of(&SockRef::from(&socket), moment),
            &Fake(&[]),
        )
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
        let warned = [false, true].map(|is_set| {
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
            let target = Target::of(&socket, Moment::Open);
            tuning.requests.warn(&target, &environment, &mut report);
            report.warnings.len()
        });
        assert_eq!(warned, [0, 1]);
    }
}
