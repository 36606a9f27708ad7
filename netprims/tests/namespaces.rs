//! What is told in another network namespace than the first, and without `/proc`.
#![expect(clippy::unwrap_used, reason = "a test's way to fail")]

use std::net::UdpSocket;

use netns::{Fresh, in_fresh};
use netprims::sysctl::Sysctl;
use netprims::tuning::{Cause, Limit, Report, Tuning, Unseen};
use nix::sched::{CloneFlags, unshare};

mod again;
mod netns;

/// More than any host allows.
const TOO_MUCH: Tuning = Tuning::new().receive_buffer(1_073_741_823);

#[test]
fn a_sysctl_of_the_first_namespace_is_absent_in_another() {
    // Only the first namespace has it; whether this process is in it is not ours to say.
    let name = "a_sysctl_of_the_first_namespace_is_absent_in_another";
    in_fresh(Fresh::Network, name, || {
        assert_eq!(Sysctl::new("net.core.busy_poll").read().unwrap(), None);
        assert!(Sysctl::new("net.core.somaxconn").read().unwrap().is_some());
    });
}

#[test]
fn a_clamp_is_explained_in_a_child_namespace_too() {
    let name = "a_clamp_is_explained_in_a_child_namespace_too";
    in_fresh(Fresh::Network, name, || {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let report = TOO_MUCH.apply(&socket).unwrap();
        let text = report.to_string();
        assert_eq!(report.differences().count(), 1);
        assert!(text.contains("net.core.rmem_max"), "{text}");
    });
}

/// What the report says of the limit, and what is in effect.
fn implied(report: &Report) -> (u64, Unseen) {
    let difference = report.differences().next().unwrap();
    let Cause::Sysctl {
        value: Limit::Implied { value, unseen, .. },
        ..
    } = difference.cause()
    else {
        panic!("{report}")
    };
    (*value, *unseen)
}

#[test]
fn a_sysctl_is_not_said_to_rule_a_socket_of_another_namespace() {
    let name = "a_sysctl_is_not_said_to_rule_a_socket_of_another_namespace";
    in_fresh(Fresh::Network, name, || {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        // Only this thread leaves, and it is the test's own.
        unshare(CloneFlags::CLONE_NEWNET).unwrap();
        let report = TOO_MUCH.apply(&socket).unwrap();
        let (value, unseen) = implied(&report);
        assert_eq!(unseen, Unseen::OtherNamespace, "{report}");
        assert!(value > 1000, "{report}");
        let text = report.to_string();
        assert!(text.contains("another network namespace"), "{text}");
        // A socket of the new namespace is ruled by what the thread sees, or does not.
        let socket = UdpSocket::bind("0.0.0.0:0").unwrap();
        let text = TOO_MUCH.apply(&socket).unwrap().to_string();
        assert!(!text.contains("another network namespace"), "{text}");
    });
}

#[test]
fn without_proc_nothing_is_said_to_be_absent() {
    let name = "without_proc_nothing_is_said_to_be_absent";
    in_fresh(Fresh::EmptyProc, name, || {
        let error = Sysctl::new("net.core.rmem_max").read().unwrap_err();
        assert_eq!(error.raw_os_error(), Some(2), "{error}");
        let socket = UdpSocket::bind("0.0.0.0:0").unwrap();
        let report = TOO_MUCH.apply(&socket).unwrap();
        assert_eq!(implied(&report).1, Unseen::Unreadable, "{report}");
    });
}
