//! Whatever is opened, refused, passed or interrupted by a panic: afterwards `/proc/self/fd` is as it was before.
//!
//! Every test here runs alone in the process. The full volume is run with `LAB_FULL` set.
#![expect(clippy::unwrap_used, reason = "a test's way to fail")]

use std::io::{Read, Write};
use std::net::SocketAddr;
use std::os::fd::{AsFd, OwnedFd};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::UnixDatagram;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::time::Duration;

use again::{limited, nothing_is_started};
use descriptors::balanced;
use netns::{Fresh, in_fresh};
use netprims::Error;
use netprims::fd::pass::{self, Cut};
use netprims::fd::{Epoll, EventFd, MemFd, PidFd, TimerFd};
use netprims::netns::NetNs;
use netprims::socket::{Group, Steering, TcpBuilder, TcpStream, UdpBuilder, UnixBuilder};
use netprims::tuning::{SocketKind, Tuning};
use rstest::rstest;

mod again;
mod descriptors;
mod netns;

const TCP: TcpBuilder = TcpBuilder::new();
const UDP: UdpBuilder = UdpBuilder::new();
const UNIX: UnixBuilder = UnixBuilder::new();

fn any() -> SocketAddr {
    "127.0.0.1:0".parse().unwrap()
}

fn volume(full: usize, reduced: usize) -> usize {
    if std::env::var_os("LAB_FULL").is_some() {
        full
    } else {
        reduced
    }
}

/// The only one that opens anything or starts a process.
fn alone<T>(body: impl FnOnce() -> T) -> T {
    let _quiet = nothing_is_started();
    balanced(body)
}

/// A buffer larger than any kernel's limit, and still a value that can be asked for.
fn too_much() -> u32 {
    (1 << 30) - 1
}

#[test]
fn connections_accepted_and_closed() {
    let cycles = volume(100_000, 5_000);
    // Reset at close: nothing is left in TIME_WAIT, which would use up the ports.
    let tuning = Tuning::tcp().linger(Duration::ZERO);
    alone(|| {
        let (listener, _) = TCP.tuning(tuning).listen(any()).unwrap();
        let peer = listener.local_addr().unwrap();
        for cycle in 0..cycles {
            let (mut near, _) = TCP.tuning(tuning).connect(peer).unwrap();
            let (mut far, _) = listener.accept().unwrap();
            match cycle % 4 {
                0 => drop((near, far)),
                1 => {
                    near.close().unwrap();
                    far.close().unwrap();
                }
                2 => {
                    near.write_all(b"x").unwrap();
                    far.read_exact(&mut [0; 1]).unwrap();
                    netprims::fd::close(far).unwrap();
                }
                _ => {
                    let owned: OwnedFd = near.into();
                    let near = TcpStream::from(std::net::TcpStream::from(owned));
                    drop(socket2::Socket::from(OwnedFd::from(near)));
                    drop(std::net::TcpStream::from(far));
                }
            }
        }
    });
}

#[test]
fn unix_connections_accepted_and_closed() {
    let cycles = volume(100_000, 5_000);
    alone(|| {
        let name = format!("netprims cycles {}", std::process::id());
        let name = std::os::unix::net::SocketAddr::from_abstract_name(name).unwrap();
        let (listener, _) = UNIX.listen(&name).unwrap();
        for _ in 0..cycles {
            let (near, _) = UNIX.connect(&name).unwrap();
            let (far, _) = listener.accept().unwrap();
            near.close().unwrap();
            drop(far);
        }
    });
}

#[test]
fn messages_cut_at_every_length_and_limit() {
    let rounds = volume(20, 1);
    alone(|| {
        let bell = EventFd::new().unwrap();
        let text = [7; 32];
        for _ in 0..rounds {
            for room in 0..=text.len() {
                for count in [0, 1, 2, 3, 7, 64, 253] {
                    for limit in [0, 1, count / 2, count] {
                        let (near, far) = UnixDatagram::pair().unwrap();
                        pass::send(&near, &text, &vec![bell.as_fd(); count]).unwrap();
                        let mut data = vec![0; room];
                        match pass::receive(&far, &mut data, limit) {
                            Ok(message) => {
                                assert!(room == text.len() && count <= limit);
                                assert_eq!(message.into_fds().len(), count);
                            }
                            Err(Error::MessageCut { cut, fds, .. }) => {
                                assert!(matches!(cut, Cut::Data | Cut::TooMany { .. }), "{cut}");
                                assert!(room < text.len() || count > limit);
                                assert_eq!(fds, count);
                            }
                            Err(error) => panic!("{error}"),
                        }
                    }
                }
            }
        }
    });
}

/// Runs something that panics, and sees that it did.
fn panics(body: impl FnOnce()) {
    let panic = catch_unwind(AssertUnwindSafe(body)).unwrap_err();
    assert_eq!(panic.downcast_ref(), Some(&"seeded"), "another panic");
}

fn seeded() -> ! {
    resume_unwind(Box::new("seeded"))
}

/// The crate calls its user's code in a namespace, and with the events of a ring.
#[test]
fn panics_in_a_namespace() {
    in_fresh(Fresh::Network, "panics_in_a_namespace", || {
        balanced(|| {
            for _ in 0..volume(1_000, 50) {
                let there = NetNs::fresh().unwrap();
                let inner = NetNs::fresh().unwrap();
                panics(|| {
                    there
                        .run(|| {
                            let _listener = TCP.listen("0.0.0.0:0".parse().unwrap()).unwrap();
                            let _group = UDP
                                .bind_group("0.0.0.0:0".parse().unwrap(), 3, Steering::Cpu)
                                .unwrap();
                            let _: () = inner.run(|| seeded()).unwrap();
                        })
                        .unwrap();
                });
            }
        });
    });
}

#[cfg(feature = "ring")]
#[test]
fn panics_in_a_rings_handler() {
    use netprims::ring::{Ring, Wait, ZcPolicy};

    alone(|| {
        for round in 0..volume(1_000, 50) {
            let (listener, _) = TCP.listen(any()).unwrap();
            let (near, _) = TCP.connect(listener.local_addr().unwrap()).unwrap();
            let (_far, _) = listener.accept().unwrap();
            let mut ring = match Ring::builder().in_flight(4).build() {
                Ok(ring) => ring,
                Err(error @ Error::RingRefused { .. }) => {
                    println!("not run: {error}");
                    return;
                }
                Err(error) => panic!("{error}"),
            };
            let pool = ring.tx_pool(4, 4096).unwrap();
            let socket = ring.add(near).unwrap();
            let policy = if round % 2 == 0 {
                ZcPolicy::Always
            } else {
                ZcPolicy::Never
            };
            for _ in 0..2 {
                let mut buf = pool.take().unwrap();
                buf.set_len(100).unwrap();
                ring.send(socket, buf, policy).unwrap();
            }
            panics(|| {
                ring.poll(Wait::AtMost(Duration::from_secs(10)), |_event| seeded())
                    .unwrap();
            });
            if round % 3 == 0 {
                netprims::fd::close(ring.remove(socket).unwrap()).unwrap();
            }
        }
    });
}

/// Rings dropped with connections that were told, kept, refused by a panic, and never told.
#[cfg(feature = "ring")]
#[test]
fn connections_a_ring_has_accepted() {
    use netprims::ring::{Event, Ring, SqPoll, Wait};

    alone(|| {
        for round in 0..volume(1_000, 60) {
            let (listener, _) = TCP.listen(any()).unwrap();
            let address = listener.local_addr().unwrap();
            let builder = Ring::builder().in_flight(1);
            let idle = Duration::from_millis(1);
            let builder = match round % 3 {
                0 => builder,
                1 => builder.registered_files(2),
                _ => builder.sqpoll(SqPoll { idle, cpu: None }),
            };
            let mut ring = match builder.build() {
                Ok(ring) => ring,
                Err(error @ Error::RingRefused { .. }) => {
                    println!("not run: {error}");
                    return;
                }
                Err(error) => panic!("{error}"),
            };
            let listener = ring.add(listener).unwrap();
            ring.accept(listener).unwrap();
            ring.poll(Wait::No, |_event| ()).unwrap();
            // More than the completion queue holds.
            let mut near = Vec::new();
            let mut connect = |count| {
                for _ in 0..count {
                    near.push(std::net::TcpStream::connect(address).unwrap());
                }
            };
            connect(round % 9);
            let mut kept = Vec::new();
            let keep = |event: Event<'_>| {
                if let Event::Accepted { fd, .. } = event {
                    kept.push(fd);
                }
            };
            ring.poll(Wait::No, keep).unwrap();
            connect(6);
            panics(|| {
                ring.poll(Wait::AtMost(Duration::from_secs(10)), |_event| seeded())
                    .unwrap();
            });
            if round % 2 == 0 {
                netprims::fd::close(ring.remove(listener).unwrap()).unwrap();
            }
            // What comes now is accepted behind the ring's back.
            if round % 2 == 1 {
                connect(3);
            }
        }
    });
}

#[test]
fn sockets_dropped_by_a_panic() {
    alone(|| {
        panics(|| {
            let (listener, _) = TCP.listen(any()).unwrap();
            let _connection = TCP.connect(listener.local_addr().unwrap()).unwrap();
            let _group = TCP.listen_group(any(), 4, Steering::Cpu).unwrap();
            let _fds = (
                Epoll::new().unwrap(),
                EventFd::new().unwrap(),
                MemFd::new("dropped").unwrap(),
                PidFd::open(std::process::id()).unwrap(),
                TimerFd::new(netprims::fd::Clock::Monotonic).unwrap(),
                NetNs::current().unwrap(),
            );
            seeded();
        });
    });
}

/// Each builder, refused at each of its steps.
#[rstest]
#[case::tuning_not_granted(|| {
    let tcp = TCP.tuning(Tuning::tcp().receive_buffer(too_much()).strict(true));
    let udp = UDP.tuning(Tuning::udp().receive_buffer(too_much()).strict(true));
    let unix = UNIX.tuning(Tuning::unix().send_buffer(too_much()).strict(true));
    let name = std::os::unix::net::SocketAddr::from_pathname("").unwrap();
    vec![
        tcp.listen(any()).map(drop),
        tcp.listen_group(any(), 3, Steering::Cpu).map(drop),
        tcp.connect(any()).map(drop),
        udp.bind(any()).map(drop),
        udp.bind_group(any(), 3, Steering::Cpu).map(drop),
        udp.connect("127.0.0.1:9".parse().unwrap()).map(drop),
        unix.listen(&name).map(drop),
        unix.bind_datagram(&name).map(drop),
        unix.connect(&name).map(drop),
        Tuning::new().receive_buffer(too_much()).strict(true).check(SocketKind::UdpV6).map(drop),
    ]
})]
#[case::tuning_that_cannot_be(|| {
    let tcp = TCP.tuning(Tuning::tcp().receive_buffer(0));
    vec![
        tcp.listen(any()).map(drop),
        tcp.connect(any()).map(drop),
        TCP.tuning(Tuning::tcp().reuse_port(false)).listen_group(any(), 2, Steering::Cpu).map(drop),
    ]
})]
#[case::address_taken_or_not_here(|| {
    let (listener, _) = TCP.listen(any()).unwrap();
    let (socket, _) = UDP.bind(any()).unwrap();
    let taken = [listener.local_addr().unwrap(), socket.local_addr().unwrap()];
    let elsewhere = "192.0.2.1:7".parse().unwrap();
    vec![
        TCP.listen(taken[0]).map(drop),
        TCP.listen_group(taken[0], 2, Steering::Cpu).map(drop),
        TCP.listen(elsewhere).map(drop),
        TCP.source(elsewhere).connect(taken[0]).map(drop),
        UDP.bind(taken[1]).map(drop),
        UDP.bind_group(taken[1], 2, Steering::Cpu).map(drop),
        UDP.bind(elsewhere).map(drop),
        UDP.source(elsewhere).connect(taken[1]).map(drop),
    ]
})]
#[case::nobody_there(|| {
    let peer = TCP.listen(any()).unwrap().0.local_addr().unwrap();
    let name = std::os::unix::net::SocketAddr::from_abstract_name("netprims: nobody").unwrap();
    vec![
        TCP.connect(peer).map(drop),
        TCP.connect_timeout(Duration::from_secs(9)).connect(peer).map(drop),
        UNIX.connect(&name).map(drop),
        UNIX.connect_datagram(&name).map(drop),
    ]
})]
#[case::file_in_the_way(|| {
    let name = std::os::unix::net::SocketAddr::from_pathname("/dev/null").unwrap();
    vec![
        UNIX.replace_stale(true).listen(&name).map(drop),
        UNIX.replace_stale(true).bind_datagram(&name).map(drop),
        UNIX.connect(&name).map(drop),
    ]
})]
#[case::no_program(|| {
    let file = std::fs::File::open("/dev/null").unwrap();
    let wrong = Steering::Program(file.as_fd());
    vec![
        TCP.listen_group(any(), 2, wrong).map(drop),
        UDP.bind_group(any(), 2, wrong).map(drop),
        Group::from(vec![UDP.bind(any()).unwrap().0]).steer(Steering::Cpu),
    ]
})]
fn what_is_refused(#[case] attempts: fn() -> Vec<netprims::Result<()>>) {
    alone(|| {
        for (number, result) in attempts().into_iter().enumerate() {
            assert!(result.is_err(), "attempt {number} was not refused");
        }
    });
}

#[test]
fn a_stale_name_replaced() {
    let file = std::env::temp_dir().join(format!("netprims-stale-{}", std::process::id()));
    alone(|| {
        let name = std::os::unix::net::SocketAddr::from_pathname(&file).unwrap();
        let builder = UNIX.replace_stale(true);
        for _ in 0..3 {
            drop(builder.listen(&name).unwrap());
            drop(builder.bind_datagram(&name).unwrap());
        }
    });
    std::fs::remove_file(&file).unwrap();
}

/// A process of its own, since the limit is the whole process's.
#[test]
fn a_group_that_fails_in_the_middle() {
    let name = "a_group_that_fails_in_the_middle";
    limited("--nofile=32", name, || {
        alone(|| {
            let tcp = TCP.listen(any()).unwrap().0.local_addr().unwrap();
            let udp = UDP.bind(any()).unwrap().0.local_addr().unwrap();
            for steering in [Steering::Kernel, Steering::Cpu] {
                for error in [
                    TCP.listen_group(tcp, 64, steering).map(drop).unwrap_err(),
                    UDP.bind_group(udp, 64, steering).map(drop).unwrap_err(),
                ] {
                    assert_eq!(error.raw_os_error(), Some(24), "{error}");
                }
                // The addresses are nobody's again.
                drop(TCP.listen_group(tcp, 8, steering).unwrap());
                drop(UDP.bind_group(udp, 8, steering).unwrap());
            }
        });
    });
}

/// That this file's tests can fail.
#[test]
fn a_descriptor_that_stays_open_is_noticed() {
    let _quiet = nothing_is_started();
    let mut kept = None;
    let panic = catch_unwind(AssertUnwindSafe(|| {
        balanced(|| kept = Some(TCP.listen(any()).unwrap()));
    }));
    drop(kept);
    let panic = panic.unwrap_err();
    let text = panic.downcast_ref::<String>().unwrap();
    assert!(text.contains("descriptors before and after"), "{text}");
}
