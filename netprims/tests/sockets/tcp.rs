use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr};
use std::process::Command;
use std::time::{Duration, Instant};

use netprims::Error;
use netprims::socket::{Steering, TcpBuilder};
use netprims::sysctl::Sysctl;
use netprims::tuning::{Tcp, Tuning, Ulp};
use rstest::rstest;

use crate::again::without_privilege;
use crate::descriptors::is_close_on_exec;
use crate::netns::{Fresh, in_fresh};

const TCP: TcpBuilder = TcpBuilder::new();

fn any() -> SocketAddr {
    "127.0.0.1:0".parse().unwrap()
}

#[rstest]
#[case("127.0.0.1:0")]
#[case("[::1]:0")]
fn a_connection_carries_bytes_both_ways(#[case] local: SocketAddr) {
    let (listener, _) = TCP.listen(local).unwrap();
    let (near, _) = TCP.connect(listener.local_addr().unwrap()).unwrap();
    let (far, peer) = listener.accept().unwrap();
    assert_eq!(near.local_addr().unwrap(), peer);
    assert_eq!(near.peer_addr().unwrap(), far.local_addr().unwrap());
    assert!(is_close_on_exec(&listener) && is_close_on_exec(&near) && is_close_on_exec(&far));
    // By reference: two threads may share a stream.
    (&near).write_all(b"there").unwrap();
    near.shutdown(Shutdown::Write).unwrap();
    let mut text = String::new();
    (&far).read_to_string(&mut text).unwrap();
    assert_eq!(text, "there");
    (&far).write_all(b"back").unwrap();
    far.close().unwrap();
    (&near).read_to_string(&mut text).unwrap();
    assert_eq!(text, "thereback");
    near.close().unwrap();
    listener.close().unwrap();
}

#[test]
fn a_non_blocking_socket_does_not_wait() {
    let (listener, _) = TCP.listen(any()).unwrap();
    listener.set_nonblocking(true).unwrap();
    let error = listener.accept().unwrap_err();
    assert_eq!(error.raw_os_error(), Some(11), "{error}");
    let local = listener.local_addr().unwrap();
    let (mut near, _) = TCP.connect(local).unwrap();
    near.set_nonblocking(true).unwrap();
    let error = near.read(&mut [0; 1]).unwrap_err();
    assert_eq!(error.raw_os_error(), Some(11), "{error}");
    near.set_nonblocking(false).unwrap();
    listener.set_nonblocking(false).unwrap();
    let (mut far, _) = listener.accept().unwrap();
    far.write_all(b"x").unwrap();
    assert_eq!(near.read(&mut [0; 1]).unwrap(), 1);
}

#[rstest]
#[case::address("127.0.0.7:0", Tuning::tcp())]
#[case::port_chosen_late("127.0.0.7:0", Tuning::tcp().bind_address_no_port(true))]
fn a_connection_comes_from_the_source_it_was_given(
    #[case] source: SocketAddr,
    #[case] tuning: Tuning<Tcp>,
) {
    let (listener, _) = TCP.listen(any()).unwrap();
    let builder = TCP.source(source).tuning(tuning.strict(true));
    let (near, _) = builder.connect(listener.local_addr().unwrap()).unwrap();
    let (_far, peer) = listener.accept().unwrap();
    assert_eq!(peer.ip(), source.ip());
    // With its port, too.
    drop(near);
    let port = {
        let (free, _) = TCP.listen("127.0.0.8:0".parse().unwrap()).unwrap();
        free.local_addr().unwrap()
    };
    let (_near, _) = TCP
        .source(port)
        .connect(listener.local_addr().unwrap())
        .unwrap();
    assert_eq!(listener.accept().unwrap().1, port);
}

#[test]
fn a_source_that_cannot_be_is_refused_by_name() {
    let (listener, _) = TCP.listen(any()).unwrap();
    let peer = listener.local_addr().unwrap();
    let other = TCP.source("[::1]:0".parse().unwrap()).connect(peer);
    assert!(
        matches!(
            other,
            Err(Error::InvalidValue {
                option: "source",
                ..
            })
        ),
        "{other:?}"
    );
    let error = TCP
        .source("192.0.2.1:0".parse().unwrap())
        .connect(peer)
        .unwrap_err();
    assert_eq!(error.raw_os_error(), Some(99), "{error}");
    assert!(error.to_string().contains("freebind"), "{error}");
    listener.set_nonblocking(true).unwrap();
    listener.accept().unwrap_err();
}

#[test]
fn a_connection_that_is_not_answered_ends_at_the_deadline() {
    // A listener with a backlog of 0 has one place; who comes once it is taken is not answered.
    let (listener, _) = TCP.backlog(0).listen(any()).unwrap();
    let peer = listener.local_addr().unwrap();
    let impatient = TCP.connect_timeout(Duration::from_millis(50));
    let mut waiting = Vec::new();
    let error = loop {
        match impatient.connect(peer) {
            Ok(connection) => waiting.push(connection),
            Err(error) => break error,
        }
        assert!(waiting.len() < 10, "all are let in");
    };
    assert_eq!(error.raw_os_error(), Some(110), "{error}");
    let text = error.to_string();
    assert!(
        text.contains("connect_timeout") && text.contains(&peer.to_string()),
        "{text}"
    );
}

#[test]
fn a_connection_in_time_blocks_as_any_other() {
    let patient = TCP.connect_timeout(Duration::from_secs(60));
    let (listener, _) = TCP.listen(any()).unwrap();
    let peer = listener.local_addr().unwrap();
    // An option that only a connection can be asked for is asked for.
    let late = Tuning::tcp().ulp(Ulp::Tls);
    let (near, report) = patient.tuning(late).connect(peer).unwrap();
    assert!(!report.to_string().contains("not set"), "{report}");
    let flags = nix::fcntl::fcntl(&near, nix::fcntl::FcntlArg::F_GETFL).unwrap();
    assert_eq!(flags & 0o4000, 0, "O_NONBLOCK");
    drop(listener);
    let error = patient.connect(peer).unwrap_err();
    assert_eq!(error.raw_os_error(), Some(111), "{error}");
    let never = TCP
        .connect_timeout(Duration::ZERO)
        .connect(peer)
        .unwrap_err();
    assert!(
        matches!(
            never,
            Error::InvalidValue {
                option: "connect_timeout",
                ..
            }
        ),
        "{never}"
    );
}

#[rstest]
#[case::as_std_does(Tuning::tcp(), true)]
#[case::asked_for(Tuning::tcp().reuse_address(true), true)]
#[case::not_wanted(Tuning::tcp().reuse_address(false), false)]
fn a_listeners_address_is_reused_unless_the_tuning_says_otherwise(
    #[case] tuning: Tuning<Tcp>,
    #[case] want: bool,
) {
    let (listener, report) = TCP.tuning(tuning.strict(true)).listen(any()).unwrap();
    let reused = socket2::SockRef::from(&listener).reuse_address().unwrap();
    assert_eq!(reused, want, "{report}");
}

#[rstest]
#[case::both(None, true)]
#[case::asked_for_both(Some(false), true)]
#[case::only_v6(Some(true), false)]
fn an_ipv6_listener_has_ipv4_peers_unless_it_says_otherwise(
    #[case] only: Option<bool>,
    #[case] served: bool,
) {
    let tuning = only.map_or(Tuning::tcp(), |only| Tuning::tcp().only_v6(only));
    let builder = TCP.tuning(tuning.strict(true));
    let (listener, _) = builder.listen("[::]:0".parse().unwrap()).unwrap();
    let port = listener.local_addr().unwrap().port();
    let result = TCP.connect(SocketAddr::from(([127, 0, 0, 1], port)));
    assert_eq!(result.is_ok(), served, "{result:?}");
    drop(
        TCP.connect(SocketAddr::from(([0, 0, 0, 0, 0, 0, 0, 1], port)))
            .unwrap(),
    );
    if served {
        let peer = listener.accept().unwrap().1;
        assert!(peer.to_string().starts_with("[::ffff:127.0.0.1]"), "{peer}");
    }
}

#[test]
fn the_scope_of_a_link_local_address_is_kept() {
    in_fresh(
        Fresh::Network,
        "tcp::the_scope_of_a_link_local_address_is_kept",
        || {
            let line = "ip link set lo up && ip -6 addr add fe80::7/64 dev lo nodad";
            let done = Command::new("sh").args(["-c", line]).status().unwrap();
            assert!(done.success());
            let local: SocketAddr = "[fe80::7%1]:0".parse().unwrap();
            let (listener, _) = TCP.listen(local).unwrap();
            let bound = listener.local_addr().unwrap();
            assert!(matches!(bound, SocketAddr::V6(bound) if bound.scope_id() == 1));
            // The kernel sets up the new device's routes a little later.
            let patience = Instant::now() + Duration::from_secs(10);
            let (near, _) = loop {
                match TCP.source(local).connect(bound) {
                    Err(error) if error.raw_os_error() == Some(101) => {
                        assert!(Instant::now() < patience, "{error}");
                    }
                    result => break result.unwrap(),
                }
            };
            assert!(
                matches!(near.local_addr().unwrap(), SocketAddr::V6(near) if near.scope_id() == 1)
            );
            let (group, _) = TCP.listen_group(local, 2, Steering::Kernel).unwrap();
            assert!(
                matches!(group[1].local_addr().unwrap(), SocketAddr::V6(one) if one.scope_id() == 1)
            );
            // Without a scope there is no such address.
            let error = TCP.listen("[fe80::7]:0".parse().unwrap()).unwrap_err();
            assert_eq!(error.raw_os_error(), Some(22), "{error}");
        },
    );
}

/// A peer that is gone when it is accepted is no error of the listener.
#[test]
fn a_connection_that_was_reset_is_accepted_and_says_so_when_it_is_read() {
    let (listener, _) = TCP.listen(any()).unwrap();
    let resets = TCP.tuning(Tuning::tcp().linger(Duration::ZERO));
    drop(resets.connect(listener.local_addr().unwrap()).unwrap());
    let (mut far, _) = listener.accept().unwrap();
    let error = far.read(&mut [0; 1]).unwrap_err();
    assert_eq!(error.raw_os_error(), Some(104), "{error}");
}

#[test]
fn a_source_whose_connection_is_there_already_is_what_is_blamed() {
    let (listener, _) = TCP.listen(any()).unwrap();
    let peer = listener.local_addr().unwrap();
    let (free, _) = TCP.listen("127.0.0.8:0".parse().unwrap()).unwrap();
    let source = free.local_addr().unwrap();
    drop(free);
    let again = TCP.tuning(Tuning::tcp().reuse_address(true)).source(source);
    let _first = again.connect(peer).unwrap();
    let error = again.connect(peer).unwrap_err();
    assert_eq!(error.raw_os_error(), Some(99), "{error}");
    assert!(
        error.to_string().contains("from this source to this peer"),
        "{error}"
    );
    let (other, _) = TCP.listen(any()).unwrap();
    drop(again.connect(other.local_addr().unwrap()).unwrap());
}

/// A predecessor that had set SO_REUSEPORT only.
#[test]
fn what_is_left_of_a_predecessor_is_named_as_what_may_be_in_the_way() {
    let predecessor =
        socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    predecessor.set_reuse_port(true).unwrap();
    predecessor.bind(&any().into()).unwrap();
    predecessor.listen(5).unwrap();
    let at = predecessor.local_addr().unwrap().as_socket().unwrap();
    let _near = TCP.connect(at).unwrap();
    let _far = predecessor.accept().unwrap();
    drop(predecessor);
    for error in [
        TCP.listen(at).map(drop).unwrap_err(),
        TCP.listen_group(at, 2, Steering::Kernel)
            .map(drop)
            .unwrap_err(),
    ] {
        assert_eq!(error.raw_os_error(), Some(98), "{error}");
        assert!(error.to_string().contains("SO_REUSEPORT only"), "{error}");
    }
    let shares = TCP.tuning(Tuning::tcp().reuse_port(true));
    drop(shares.listen(at).unwrap());
}

#[test]
fn an_ipv6_address_that_is_tentative_is_not_said_to_be_absent() {
    in_fresh(
        Fresh::Network,
        "tcp::an_ipv6_address_that_is_tentative_is_not_said_to_be_absent",
        || {
            // Duplicate address detection does not end on a device that is down.
            let line =
                "ip link add near type veth peer name far && ip -6 addr add fd00::7/64 dev near";
            let done = Command::new("sh").args(["-c", line]).status().unwrap();
            assert!(done.success());
            let error = TCP.listen("[fd00::7]:0".parse().unwrap()).unwrap_err();
            assert_eq!(error.raw_os_error(), Some(99), "{error}");
            assert!(error.to_string().contains("tentative"), "{error}");
        },
    );
}

/// As Landlock refuses it.
#[test]
fn a_port_that_is_refused_for_another_reason_than_its_number_is_not_said_to_be_low() {
    let refused = std::thread::spawn(|| {
        crate::sys::seccomp::refuse(libc::SYS_bind, 13).unwrap();
        TCP.listen("127.0.0.1:65000".parse().unwrap()).unwrap_err()
    });
    let error = refused.join().unwrap();
    assert_eq!(error.raw_os_error(), Some(13), "{error}");
    assert!(
        error.to_string().contains("not for the port's number"),
        "{error}"
    );
}

#[test]
fn a_port_below_the_limit_is_refused_with_what_would_help() {
    let name = "tcp::a_port_below_the_limit_is_refused_with_what_would_help";
    in_fresh(Fresh::Network, name, || {
        let start = Sysctl::new("net.ipv4.ip_unprivileged_port_start");
        // Without privilege it is so already.
        if start.read().unwrap().as_deref() != Some("2000") {
            start.write("2000").unwrap();
        }
        without_privilege(name, || {
            let error = TCP.listen("0.0.0.0:1999".parse().unwrap()).unwrap_err();
            assert_eq!(error.raw_os_error(), Some(13), "{error}");
            let text = error.to_string();
            assert!(text.contains("ip_unprivileged_port_start"), "{text}");
            drop(TCP.listen("0.0.0.0:2000".parse().unwrap()).unwrap());
        });
    });
}
