//! Programs that steer, and what keeps one from it.

use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

use netprims::Error;
use netprims::socket::{Group, Steering, TcpListener, UdpSocket};
use netprims::sysctl::Sysctl;
use netprims::tuning::Tuning;

use crate::netns::{Fresh, in_fresh};
use crate::{Member, TCP, UDP, any, as_nobody, cpus, knocks, pin, sys};

#[test]
fn a_descriptor_that_is_no_program_is_refused_and_the_steering_stays() {
    let cpu = cpus(1)[0];
    let file = std::fs::File::open("/dev/null").unwrap();
    let wrong = Steering::Program(file.as_fd());
    fn advised(error: Error) {
        assert_eq!(error.raw_os_error(), Some(22), "{error}");
        assert!(error.to_string().contains("no program"), "{error}");
    }
    advised(TCP.listen_group(any(), 2, wrong).map(drop).unwrap_err());
    advised(UDP.bind_group(any(), 2, wrong).map(drop).unwrap_err());
    let group = TcpListener::group(2, Steering::Cpu);
    advised(group.steer(wrong).unwrap_err());
    assert_eq!(knocks(&group, 20, cpu)[cpu % 2], 20);
}

#[test]
fn a_locked_filter_is_an_error_that_says_so() {
    let group = TcpListener::group(2, Steering::Kernel);
    sys::bpf::lock_filter(group[0].as_fd()).unwrap();
    let error = group.steer(Steering::Cpu).unwrap_err();
    assert_eq!(error.raw_os_error(), Some(1), "{error}");
    assert!(error.to_string().contains("SO_LOCK_FILTER"), "{error}");
}

/// The limit belongs to a network namespace since Linux 6.8; before, it is everybody's, and is left alone.
#[test]
fn a_program_beyond_optmem_max_names_it() {
    in_fresh(
        Fresh::Network,
        "programs::a_program_beyond_optmem_max_names_it",
        || {
            let limit = Sysctl::new("net.core.optmem_max");
            if limit.read().unwrap().is_none() {
                println!("not run: net.core.optmem_max is not this network namespace's");
                return;
            }
            limit.write("1").unwrap();
            let socket = TCP
                .tuning(Tuning::tcp().reuse_port(true))
                .listen("0.0.0.0:0".parse().unwrap());
            let group = Group::from(vec![socket.unwrap().0]);
            let error = group.steer(Steering::Cpu).unwrap_err();
            assert_eq!(error.raw_os_error(), Some(12), "{error}");
            assert!(error.to_string().contains("net.core.optmem_max"), "{error}");
        },
    );
}

/// A loaded program; `None`, said aloud, where this process may not load any.
fn loaded(result: std::io::Result<OwnedFd>) -> Option<OwnedFd> {
    match result {
        Ok(fd) => Some(fd),
        Err(error) if matches!(error.raw_os_error(), Some(1 | 38)) => {
            assert!(
                !nix::unistd::geteuid().is_root(),
                "bpf(2) refuses root: {error}"
            );
            println!("not run: bpf(2) is refused ({error}), which takes CAP_BPF");
            None
        }
        Err(error) => panic!("bpf: {error}"),
    }
}

#[test]
fn a_socket_filter_names_the_place() {
    fn named<M: Member>() {
        let cpu = cpus(1)[0];
        for place in [0, 1, 2] {
            let Some(program) = loaded(sys::bpf::always(place)) else {
                return;
            };
            let group = M::group(3, Steering::Program(program.as_fd()));
            drop(program);
            let mut want = [0; 3];
            want[usize::try_from(place).unwrap()] = 20;
            assert_eq!(knocks(&group, 20, cpu), want);
        }
        // A place that nobody has is left to the hash.
        let Some(program) = loaded(sys::bpf::always(3)) else {
            return;
        };
        let group = M::group(2, Steering::Program(program.as_fd()));
        let counts = knocks(&group, 200, cpu);
        assert!(
            counts.iter().sum::<usize>() == 200 && !counts.contains(&0),
            "{counts:?}"
        );
        group.steer(Steering::Cpu).unwrap();
        assert_eq!(knocks(&group, 20, cpu)[cpu % 2], 20);
        group.steer(Steering::Program(program.as_fd())).unwrap();
        let counts = knocks(&group, 200, cpu);
        assert!(!counts.contains(&0), "{counts:?}");
    }
    named::<TcpListener>();
    named::<UdpSocket>();
}

#[test]
fn a_steering_program_selects_from_its_map() {
    fn selected<M: Member>() {
        let cpu = cpus(1)[0];
        let Some(map) = loaded(sys::bpf::map_of_one()) else {
            return;
        };
        let program = loaded(sys::bpf::select_from(map.as_fd())).unwrap();
        for members in [1, 3] {
            let group = M::group(members, Steering::Program(program.as_fd()));
            // As long as the map is empty the hash decides.
            assert_eq!(knocks(&group, 20, cpu).iter().sum::<usize>(), 20);
            sys::bpf::put(map.as_fd(), group[members - 1].as_fd()).unwrap();
            let mut want = vec![0; members];
            want[members - 1] = 20;
            assert_eq!(knocks(&group, 20, cpu), want);
            group.close().unwrap();
        }
    }
    selected::<TcpListener>();
    selected::<UdpSocket>();
}

#[test]
fn a_steering_program_that_says_drop_is_not_overruled_by_the_hash() {
    let Some(program) = loaded(sys::bpf::drop_all()) else {
        return;
    };
    let steering = Steering::Program(program.as_fd());
    let group = TcpListener::group(2, steering);
    let error = TCP.connect(group[0].address()).unwrap_err();
    assert_eq!(error.raw_os_error(), Some(111), "{error}");
    let group = UdpSocket::group(2, steering);
    let (barrier, _) = TCP.listen(any()).unwrap();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            pin(cpus(1)[0]);
            UdpSocket::knock(group[0].address());
            // A CPU handles what it sends over loopback in order: when this is answered the datagram has been.
            TcpListener::knock(barrier.local_addr().unwrap());
        });
    });
    group.steer(Steering::Kernel).unwrap();
    // Had the first been kept, it would be there with the second.
    UdpSocket::knock(group[0].address());
    let patience = Instant::now() + Duration::from_secs(60);
    let arrived = || group.members().iter().map(Member::arrived).sum::<usize>();
    let mut count = 0;
    while count == 0 && Instant::now() < patience {
        count += arrived();
    }
    assert_eq!(count + arrived(), 1);
}

#[test]
fn attaching_a_loaded_program_needs_no_privilege() {
    let cpu = cpus(1)[0];
    let Some(program) = loaded(sys::bpf::always(1)) else {
        return;
    };
    as_nobody(|| {
        let group = TcpListener::group(2, Steering::Program(program.as_fd()));
        assert_eq!(knocks(&group, 20, cpu), [0, 20]);
        let group = UdpSocket::group(2, Steering::Kernel);
        group.steer(Steering::Program(program.as_fd())).unwrap();
        assert_eq!(knocks(&group, 20, cpu), [0, 20]);
    });
}

#[test]
fn a_steering_program_is_for_tcp_and_udp() {
    let Some(map) = loaded(sys::bpf::map_of_one()) else {
        return;
    };
    let program = loaded(sys::bpf::select_from(map.as_fd())).unwrap();
    let raw = socket2::Socket::new(
        socket2::Domain::IPV4,
        socket2::Type::RAW,
        Some(socket2::Protocol::ICMPV4),
    );
    let raw = raw.unwrap();
    let group = Group::from(vec![raw]);
    let error = group.steer(Steering::Program(program.as_fd())).unwrap_err();
    println!("{error}");
    assert!(error.to_string().contains("TCP and UDP"), "{error}");
}
