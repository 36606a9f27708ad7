//! Writing sysctls, and whose they are, in a network namespace of the test's own.

use descriptors::{balanced, without_privilege};
use netns::{Fresh, in_fresh, nothing_is_started};
use netprims::netns::NetNs;
use netprims::sysctl::{KNOWN, Scope, Sysctl, scopes};

mod descriptors;
mod netns;

const BACKLOG: Sysctl = Sysctl::new("net.core.somaxconn");

#[test]
fn what_is_written_is_read_back() {
    in_fresh(Fresh::Network, "what_is_written_is_read_back", || {
        balanced(|| {
            BACKLOG.write(777).unwrap();
            assert_eq!(BACKLOG.read().unwrap().unwrap(), "777");
            let rmem = Sysctl::new("net.ipv4.tcp_rmem");
            rmem.write("4096 50000 60000").unwrap();
            assert_eq!(rmem.read().unwrap().unwrap(), "4096\t50000\t60000");
        });
    });
}

#[test]
fn a_value_the_kernel_does_not_take_changes_nothing() {
    let name = "a_value_the_kernel_does_not_take_changes_nothing";
    in_fresh(Fresh::Network, name, || {
        balanced(|| {
            BACKLOG.write(777).unwrap();
            for value in ["-1", "many", "99999999999999999999"] {
                let error = BACKLOG.write(value).unwrap_err();
                assert_eq!(error.raw_os_error(), Some(22), "{value}: {error}");
                assert!(error.to_string().contains("somaxconn"), "{error}");
            }
            assert_eq!(BACKLOG.read().unwrap().unwrap(), "777");
        });
    });
}

#[test]
fn a_value_that_is_taken_in_part_is_an_error() {
    in_fresh(
        Fresh::Network,
        "a_value_that_is_taken_in_part_is_an_error",
        || {
            balanced(|| {
                let error = BACKLOG.write("888 and more").unwrap_err();
                let text = error.to_string();
                assert!(text.contains("took only \"888"), "{text}");
                assert_eq!(BACKLOG.read().unwrap().unwrap(), "888");
            });
        },
    );
}

#[test]
fn what_is_not_there_cannot_be_written() {
    in_fresh(
        Fresh::Network,
        "what_is_not_there_cannot_be_written",
        || {
            balanced(|| {
                for name in ["net.core.busy_poll", "net.core.no_such_thing"] {
                    let error = Sysctl::new(name).write(1).unwrap_err();
                    assert_eq!(error.raw_os_error(), Some(2), "{error}");
                }
                let list = Sysctl::new("net.ipv4.tcp_available_congestion_control");
                let error = list.write("reno").unwrap_err();
                assert!(error.to_string().contains("read-only"), "{error}");
            });
        },
    );
}

#[test]
fn a_child_may_write_exactly_what_is_its_own() {
    in_fresh(
        Fresh::Network,
        "a_child_may_write_exactly_what_is_its_own",
        || {
            balanced(|| {
                let told = scopes(KNOWN).unwrap();
                let child = NetNs::fresh().unwrap();
                for (name, scope) in KNOWN.iter().zip(told) {
                    let written = child.run(|| {
                        let value = name.read().unwrap();
                        value.map(|value| name.write(value).is_ok())
                    });
                    // Neither this namespace nor the child's is the first: what both lack is unknown here.
                    let want = match scope {
                        Some(Scope::Namespace) => Some(true),
                        Some(Scope::ReadOnlyInChildren) => Some(false),
                        None => None,
                        Some(scope) => panic!("{name}: {scope:?} is out of sight here"),
                    };
                    assert_eq!(written.unwrap(), want, "{name}");
                }
                assert_eq!(BACKLOG.scope().unwrap(), Some(Scope::Namespace));
                assert_eq!(Sysctl::new("net.core.nothing_here").scope().unwrap(), None);
            });
        },
    );
}

#[test]
fn looking_without_the_privilege_says_which() {
    const INSIDE: &str = "NETPRIMS_TEST_UNPRIVILEGED";
    let name = "looking_without_the_privilege_says_which";
    let _quiet = nothing_is_started();
    balanced(|| {
        if std::env::var_os(INSIDE).is_none() {
            return without_privilege(name, INSIDE);
        }
        let text = BACKLOG.scope().unwrap_err().to_string();
        assert!(text.contains("CAP_SYS_ADMIN"), "{text}");
    });
}
