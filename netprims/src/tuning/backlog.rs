//! The backlog of `listen`: no socket option, and cut by the kernel as one is.

use std::os::fd::AsFd;

use socket2::SockRef;

use super::environment::{Environment, Host};
use super::options::somaxconn;
use super::spec::{Attempt, Privilege};
use super::{Difference, Kind, Outcome, Report, Tuning, Value};
use crate::Result;
use crate::tuning::difference::Explanation;

/// What reports call it.
const NAME: &str = "listen backlog";

impl<K: Kind> Tuning<K> {
    /// As [`Tuning::apply`], for a socket that is yet to listen: the report says, too, what the sysctl will let be of a
    /// backlog.
    pub(crate) fn apply_listening(
        &self,
        socket: &impl AsFd,
        backlog: Option<u32>,
    ) -> Result<Report> {
        let socket = SockRef::from(socket);
        let mut report = self.requests.tune(&socket)?;
        if let Some(requested) = backlog {
            let host = Host::of(&socket);
            let outcome = outcome(requested, somaxconn::cut(requested, &host), &host);
            report.outcomes.push(outcome);
        }
        self.requests.accept(report, |_| true)
    }

    /// For a socket that listens since, and tells its backlog: that takes the place of what was foreseen.
    pub(crate) fn listening(
        &self,
        socket: &impl AsFd,
        mut report: Report,
        effective: u32,
    ) -> Result<Report> {
        let socket = SockRef::from(socket);
        let foreseen = report.outcomes.iter_mut().find(|one| one.option() == NAME);
        if let Some(foreseen) = foreseen {
            if let Ok(requested) = foreseen.requested().number() {
                *foreseen = outcome(requested, Some(effective), &Host::of(&socket));
            }
        }
        self.requests.accept(report, |_| true)
    }
}

fn outcome(requested: u32, effective: Option<u32>, environment: &dyn Environment) -> Outcome {
    let requested = Value::Number(requested);
    let effective = effective.map(Value::Number);
    let attempt = Attempt {
        requested,
        privilege: Privilege::None,
        refused: None,
        effective,
    };
    match somaxconn::explain(&attempt, environment) {
        None => Outcome::Granted {
            option: NAME,
            requested,
            effective,
        },
        Some(Explanation { cause, remedy }) => Outcome::Differs(Difference {
            option: NAME,
            requested,
            effective,
            cause,
            remedy,
            is_set: true,
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tuning::environment::fake::Fake;
    use rstest::rstest;

    const LIMIT: Fake = Fake(&[("net.core.somaxconn", "4096")]);
    const UNSEEN: Fake = Fake(&[]);

    #[rstest]
    #[case::below(LIMIT, 128, "listen backlog: 128")]
    #[case::at(LIMIT, 4096, "listen backlog: 4096")]
    #[case::over(
        LIMIT,
        4097,
        "listen backlog: 4097 requested, 4096 in effect: net.core.somaxconn is 4096; raise net.core.somaxconn to 4097 \
         in the socket's network namespace"
    )]
    #[case::not_seen(UNSEEN, 4097, "listen backlog: 4097 set, cannot be read back")]
    fn is_foreseen_by_the_sysctl(#[case] host: Fake, #[case] requested: u32, #[case] text: &str) {
        let outcome = outcome(requested, somaxconn::cut(requested, &host), &host);
        assert_eq!(outcome.to_string(), text);
    }

    #[test]
    fn what_the_socket_tells_counts_more() {
        let tuning = Tuning::tcp();
        let socket = crate::tuning::SocketKind::TcpV4.open().unwrap();
        let report = tuning.apply_listening(&socket, Some(1)).unwrap();
        assert!(report.is_granted(), "{report}");
        let report = tuning.listening(&socket, report, 0).unwrap();
        let [Outcome::Differs(difference)] = report.outcomes() else {
            panic!("{report}")
        };
        assert_eq!(difference.effective(), Some(Value::Number(0)));
        let error = tuning.strict(true).listening(&socket, report, 0);
        assert!(
            matches!(error, Err(crate::Error::NotGranted(_))),
            "{error:?}"
        );
        let report = tuning.apply_listening(&socket, None).unwrap();
        assert_eq!(tuning.listening(&socket, report, 0).unwrap().outcomes(), []);
    }
}
