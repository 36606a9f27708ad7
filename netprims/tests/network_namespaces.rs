//! Entering network namespaces, and never staying in one.
#![expect(clippy::unwrap_used, reason = "a test's way to fail")]

use std::net::{TcpListener, UdpSocket};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use again::{nothing_is_started, without_privilege};
use descriptors::{balanced, is_close_on_exec};
use netns::{Fresh, in_fresh};
use netprims::Error;
use netprims::netns::NetNs;
use netprims::sysctl::Sysctl;
use rstest::rstest;

mod again;
mod descriptors;
mod netns;

fn devices() -> String {
    std::fs::read_to_string("/proc/thread-self/net/dev").unwrap()
}

#[test]
fn a_closure_runs_inside_and_the_caller_stays_outside() {
    in_fresh(
        Fresh::Network,
        "a_closure_runs_inside_and_the_caller_stays_outside",
        || {
            balanced(|| {
                let here = NetNs::current().unwrap();
                let there = NetNs::fresh().unwrap();
                assert!(is_close_on_exec(&there));
                assert!(!there.is_same(&here).unwrap() && !there.is_current().unwrap());
                let port = there.run(|| {
                    assert!(there.is_current().unwrap());
                    UdpSocket::bind("0.0.0.0:4711").unwrap()
                });
                // The port is taken there, not here; the socket works on from here.
                let _mine = UdpSocket::bind("0.0.0.0:4711").unwrap();
                let second = there.run(|| UdpSocket::bind("0.0.0.0:4711").map(drop));
                assert_eq!(second.unwrap().unwrap_err().raw_os_error(), Some(98));
                port.unwrap().local_addr().unwrap();
                assert!(here.is_current().unwrap());
                there.close().unwrap();
                here.close().unwrap();
            });
        },
    );
}

#[test]
fn a_panic_comes_through_and_leaves_the_caller_where_it_was() {
    in_fresh(
        Fresh::Network,
        "a_panic_comes_through_and_leaves_the_caller_where_it_was",
        || {
            balanced(|| {
                let here = NetNs::current().unwrap();
                let there = NetNs::fresh().unwrap();
                for round in 0..100 {
                    let panic = catch_unwind(AssertUnwindSafe(|| {
                        there.run(|| {
                            let _held = TcpListener::bind("0.0.0.0:0").unwrap();
                            resume_unwind(Box::new(round));
                        })
                    }));
                    let panic = panic.map(drop).unwrap_err();
                    assert_eq!(panic.downcast_ref::<i32>(), Some(&round));
                    assert!(here.is_current().unwrap());
                }
                // Errors and early returns are values like any other.
                let error = there.run(|| -> std::io::Result<()> {
                    Err(std::io::Error::from_raw_os_error(5))?;
                    Ok(())
                });
                assert_eq!(error.unwrap().unwrap_err().raw_os_error(), Some(5));
                assert!(here.is_current().unwrap());
            });
        },
    );
}

#[test]
fn nested_closures_each_have_their_own() {
    in_fresh(
        Fresh::Network,
        "nested_closures_each_have_their_own",
        || {
            balanced(|| {
                let [one, two] = [(); 2].map(|()| NetNs::fresh().unwrap());
                one.run(|| {
                    two.run(|| assert!(two.is_current().unwrap())).unwrap();
                    assert!(one.is_current().unwrap());
                })
                .unwrap();
                assert!(!one.is_current().unwrap());
            });
        },
    );
}

#[test]
fn a_cookie_tells_namespaces_apart_and_is_the_same_from_everywhere() {
    in_fresh(
        Fresh::Network,
        "a_cookie_tells_namespaces_apart_and_is_the_same_from_everywhere",
        || {
            balanced(|| {
                let here = NetNs::current().unwrap();
                let there = NetNs::fresh().unwrap();
                let cookies = [here.cookie().unwrap(), there.cookie().unwrap()];
                assert!(cookies[0] != cookies[1] && !cookies.contains(&0));
                let seen = there.run(|| [here.cookie().unwrap(), there.cookie().unwrap()]);
                assert_eq!(seen.unwrap(), cookies);
            });
        },
    );
}

#[test]
fn a_fresh_namespace_is_empty_and_shows_its_own_sysctls() {
    in_fresh(
        Fresh::Network,
        "a_fresh_namespace_is_empty_and_shows_its_own_sysctls",
        || {
            balanced(|| {
                let there = NetNs::fresh().unwrap();
                let seen = there.run(devices).unwrap();
                assert_eq!(seen.matches(':').count(), 1, "{seen}");
                let name = Sysctl::new("net.core.somaxconn");
                there.run(|| name.write("77")).unwrap().unwrap();
                assert_eq!(there.run(|| name.read()).unwrap().unwrap().unwrap(), "77");
                assert_ne!(name.read().unwrap().unwrap(), "77");
            });
        },
    );
}

#[test]
fn the_process_the_path_and_the_thread_are_the_same_namespace() {
    let _quiet = nothing_is_started();
    balanced(|| {
        let current = NetNs::current().unwrap();
        let process = NetNs::of_process(std::process::id()).unwrap();
        let path = NetNs::open("/proc/self/ns/net").unwrap();
        assert!(current.is_same(&process).unwrap() && current.is_same(&path).unwrap());
        assert!(process.is_current().unwrap());
        assert_ne!(process.cookie().unwrap(), 0, "needs no privilege here");
    });
}

#[rstest]
#[case("")]
#[case(".")]
#[case("..")]
#[case("../net")]
#[case("a/b")]
#[case("a\0b")]
fn a_name_that_leads_elsewhere_is_refused(#[case] name: &str) {
    let _quiet = nothing_is_started();
    balanced(|| {
        let error = NetNs::by_name(name).unwrap_err();
        assert!(matches!(error, Error::InvalidValue { .. }), "{error}");
    });
}

#[test]
fn what_is_no_network_namespace_is_an_error_that_names_it() {
    let _quiet = nothing_is_started();
    balanced(|| {
        for (path, errno) in [
            ("/dev/null", 25),
            ("/proc/self/ns/user", 22),
            ("/no/such/file", 2),
            ("/proc/4194305/ns/net", 2),
        ] {
            let error = NetNs::open(path).unwrap_err();
            assert_eq!(error.raw_os_error(), Some(errno), "{error}");
            assert!(error.to_string().contains(path), "{error}");
        }
        let error = NetNs::by_name("no-such-namespace").unwrap_err();
        assert!(error.to_string().contains("no-such-namespace"), "{error}");
        assert!(matches!(
            NetNs::of_process(0),
            Err(Error::InvalidValue { .. })
        ));
        let none = NetNs::from(std::os::fd::OwnedFd::from(
            std::fs::File::open("/dev/null").unwrap(),
        ));
        let mut ran = false;
        none.run(|| ran = true).unwrap_err();
        assert!(!ran);
    });
}

#[test]
fn entering_without_the_privilege_says_which() {
    without_privilege("entering_without_the_privilege_says_which", || {
        balanced(|| {
            for error in [
                NetNs::fresh().map(drop).unwrap_err(),
                NetNs::current().unwrap().run(|| ()).unwrap_err(),
            ] {
                assert_eq!(error.raw_os_error(), Some(1), "{error}");
                assert!(error.to_string().contains("CAP_SYS_ADMIN"), "{error}");
            }
        });
    });
}
