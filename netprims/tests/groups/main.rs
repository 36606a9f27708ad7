//! Sockets on one address, and who gets what: on real sockets, by the CPU that sends.
#![expect(clippy::unwrap_used, reason = "a test's way to fail")]

use std::net::{SocketAddr, TcpStream};
use std::os::fd::{AsFd, OwnedFd};
use std::thread;
use std::time::{Duration, Instant};

use netprims::Error;
use netprims::socket::{Group, Steering, TcpBuilder, TcpListener, UdpBuilder, UdpSocket};
use netprims::tuning::Tuning;
use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::unistd::Pid;
use rstest::rstest;

#[path = "../again/mod.rs"]
mod again;
#[path = "../netns/mod.rs"]
mod netns;
mod programs;
#[expect(
    unsafe_code,
    reason = "loading programs, refusing options, and giving up privilege"
)]
mod sys {
    pub(crate) mod bpf;
    #[path = "../../sys/seccomp.rs"]
    pub(crate) mod seccomp;
    #[path = "../../sys/unprivileged.rs"]
    pub(crate) mod unprivileged;
}

const TCP: TcpBuilder = TcpBuilder::new();
const UDP: UdpBuilder = UdpBuilder::new();

fn any() -> SocketAddr {
    "127.0.0.1:0".parse().unwrap()
}

/// What the tests do with either kind of group.
trait Member: AsFd + Into<OwnedFd> + Sized + Sync {
    fn group(members: usize, steering: Steering<'_>) -> Group<Self> {
        let (group, reports) = Self::group_at(any(), members, steering).unwrap();
        assert_eq!(reports, members);
        group
    }

    /// The group, and how many reports came with it.
    fn group_at(
        at: SocketAddr,
        members: usize,
        steering: Steering<'_>,
    ) -> netprims::Result<(Group<Self>, usize)>;
    fn address(&self) -> SocketAddr;
    /// One connection or datagram, on its way when it returns.
    fn knock(at: SocketAddr);
    /// Takes what waits.
    fn arrived(&self) -> usize;
}

impl Member for TcpListener {
    fn group_at(
        at: SocketAddr,
        members: usize,
        steering: Steering<'_>,
    ) -> netprims::Result<(Group<Self>, usize)> {
        let (group, reports) = TCP.listen_group(at, members, steering)?;
        Ok((group, reports.len()))
    }

    fn address(&self) -> SocketAddr {
        self.local_addr().unwrap()
    }

    fn knock(at: SocketAddr) {
        TcpStream::connect(at).unwrap();
    }

    fn arrived(&self) -> usize {
        self.set_nonblocking(true).unwrap();
        std::iter::from_fn(|| self.accept().ok()).count()
    }
}

impl Member for UdpSocket {
    fn group_at(
        at: SocketAddr,
        members: usize,
        steering: Steering<'_>,
    ) -> netprims::Result<(Group<Self>, usize)> {
        let (group, reports) = UDP.bind_group(at, members, steering)?;
        Ok((group, reports.len()))
    }

    fn address(&self) -> SocketAddr {
        self.local_addr().unwrap()
    }

    fn knock(at: SocketAddr) {
        let (socket, _) = UDP.connect(at).unwrap();
        socket.send(b"x").unwrap();
    }

    fn arrived(&self) -> usize {
        self.set_nonblocking(true).unwrap();
        std::iter::from_fn(|| self.recv(&mut [0; 1]).ok()).count()
    }
}

/// What came to each member of connections or datagrams made on one CPU.
fn knocks<'a, M: Member + 'a>(
    members: impl IntoIterator<Item = &'a M>,
    count: usize,
    cpu: usize,
) -> Vec<usize> {
    let members: Vec<_> = members.into_iter().collect();
    let at = members[0].address();
    thread::scope(|scope| {
        scope.spawn(|| {
            pin(cpu);
            (0..count).for_each(|_| M::knock(at));
        });
    });
    // The kernel may deliver a little later than the sender returns.
    let patience = Instant::now() + Duration::from_secs(10);
    let mut counts = vec![0; members.len()];
    while counts.iter().sum::<usize>() < count && Instant::now() < patience {
        for (count, member) in counts.iter_mut().zip(&members) {
            *count += member.arrived();
        }
    }
    counts
}

fn pin(cpu: usize) {
    let mut set = CpuSet::new();
    set.set(cpu).unwrap();
    sched_setaffinity(Pid::from_raw(0), &set).unwrap();
}

/// The CPUs this process may use, at most `most` of them.
fn cpus(most: usize) -> Vec<usize> {
    let set = sched_getaffinity(Pid::from_raw(0)).unwrap();
    let cpus = (0..CpuSet::count()).filter(|cpu| set.is_set(*cpu).unwrap());
    cpus.take(most).collect()
}

/// As many CPUs as this process may use, at most four. With one, what steers by CPU cannot be told from what does not.
fn several_cpus() -> Vec<usize> {
    let cpus = cpus(4);
    assert!(
        cpus.len() > 1,
        "this process may use one CPU; to see it steered by CPU takes two"
    );
    cpus
}

fn each_cpu_has_its_member<M: Member>(count: usize, members: usize) {
    let group = M::group(members, Steering::Cpu);
    for cpu in several_cpus() {
        let mut want = vec![0; members];
        want[cpu % members] = count;
        assert_eq!(knocks(&group, count, cpu), want, "from CPU {cpu}");
    }
    group.close().unwrap();
}

/// Runs on a thread without privilege.
fn as_nobody(body: impl FnOnce() + Send) {
    thread::scope(|scope| {
        scope.spawn(|| {
            if nix::unistd::geteuid().is_root() {
                sys::unprivileged::become_nobody().unwrap();
                assert_eq!(nix::unistd::geteuid().as_raw(), 65_534);
            }
            let status = std::fs::read_to_string("/proc/thread-self/status").unwrap();
            assert!(status.contains("CapEff:\t0000000000000000"), "{status}");
            body();
        });
    });
}

#[test]
fn a_group_of_2_gets_50_of_50_connections_at_the_connecting_cpu_without_privilege() {
    as_nobody(|| each_cpu_has_its_member::<TcpListener>(50, 2));
}

#[test]
fn a_group_of_2_gets_50_of_50_datagrams_at_the_sending_cpu_without_privilege() {
    as_nobody(|| each_cpu_has_its_member::<UdpSocket>(50, 2));
}

#[rstest]
fn a_cpu_beyond_the_members_counts_modulo(#[values(1, 2, 3, 7)] members: usize) {
    each_cpu_has_its_member::<TcpListener>(10, members);
    each_cpu_has_its_member::<UdpSocket>(10, members);
}

/// The other order than that of the CPUs' numbers, and one member fewer than there are CPUs.
#[test]
fn a_listed_cpu_has_the_member_of_its_place_in_the_list_without_privilege() {
    fn listed<M: Member>(start: impl Fn(usize, Steering<'_>) -> Group<M>) {
        let cpus = several_cpus();
        let list: Vec<u32> = cpus
            .iter()
            .rev()
            .map(|cpu| u32::try_from(*cpu).unwrap())
            .collect();
        for members in [cpus.len(), cpus.len() - 1] {
            let group = start(members, Steering::Cpus(&list));
            for (place, cpu) in cpus.iter().rev().enumerate() {
                let mut want = vec![0; members];
                want[place % members] = 20;
                assert_eq!(knocks(&group, 20, *cpu), want, "from CPU {cpu} of {list:?}");
            }
        }
    }
    fn steered<M: Member>(members: usize, steering: Steering<'_>) -> Group<M> {
        let group = M::group(members, Steering::Kernel);
        group.steer(steering).unwrap();
        group
    }
    as_nobody(|| {
        listed(TcpListener::group);
        listed(UdpSocket::group);
        listed::<TcpListener>(steered);
        listed::<UdpSocket>(steered);
    });
}

#[test]
fn the_kernels_hash_spreads_over_all_members() {
    fn spreads<M: Member>() {
        let group = M::group(2, Steering::Kernel);
        let counts = knocks(&group, 200, cpus(1)[0]);
        assert_eq!(counts.iter().sum::<usize>(), 200);
        assert!(!counts.contains(&0), "{counts:?}");
    }
    spreads::<TcpListener>();
    spreads::<UdpSocket>();
}

/// One of each number of members: a group of one is one, too.
fn is_steered_another_way<M: Member>(members: usize) {
    let cpus = cpus(4);
    let group = M::group(members, Steering::Kernel);
    let spreads = || {
        let counts = knocks(&group, 200, cpus[0]);
        assert!(
            counts.iter().sum::<usize>() == 200 && !counts.contains(&0),
            "{counts:?}"
        );
    };
    spreads();
    // Nothing to take away is no error.
    group.steer(Steering::Kernel).unwrap();
    group.steer(Steering::Cpu).unwrap();
    for cpu in &cpus {
        assert_eq!(knocks(&group, 20, *cpu)[cpu % members], 20);
    }
    group.steer(Steering::Kernel).unwrap();
    spreads();
}

#[rstest]
fn a_running_group_is_steered_another_way(#[values(1, 2, 3)] members: usize) {
    is_steered_another_way::<TcpListener>(members);
    is_steered_another_way::<UdpSocket>(members);
}

/// As before Linux 5.3, which has no way to take a program away.
#[rstest]
fn where_no_program_is_taken_away_one_leaves_all_to_the_hash(#[values(1, 2, 3)] members: usize) {
    const DETACH: i32 = 68;
    thread::scope(|scope| {
        scope.spawn(|| {
            sys::seccomp::refuse_option(1, DETACH, 92).unwrap();
            is_steered_another_way::<TcpListener>(members);
            is_steered_another_way::<UdpSocket>(members);
        });
    });
}

/// What `reuseport_detach_sock` does, and why a group is better kept whole.
#[test]
fn closing_a_member_moves_the_last_one_into_its_place() {
    fn moves<M: Member>() {
        let cpu = cpus(1)[0];
        let group = M::group(3, Steering::Cpu);
        let place = cpu % 3;
        let mut members = group.into_members();
        if place == 2 {
            // The last one's place is empty then, which the hash fills.
            drop(members.remove(2));
            assert_eq!(knocks(&members, 20, cpu).iter().sum::<usize>(), 20);
            return;
        }
        drop(members.remove(place));
        // Of the two that are left the former last one is the second.
        assert_eq!(knocks(&members, 20, cpu), [0, 20]);
    }
    moves::<TcpListener>();
    moves::<UdpSocket>();
}

#[test]
fn a_group_taken_over_is_steered_by_its_new_holder() {
    let cpu = cpus(1)[0];
    let (group, _) = UDP.bind_group(any(), 2, Steering::Kernel).unwrap();
    let fds: Vec<OwnedFd> = group.into_members().into_iter().map(Into::into).collect();
    let group: Group<UdpSocket> = fds
        .into_iter()
        .map(UdpSocket::from)
        .collect::<Vec<_>>()
        .into();
    group.steer(Steering::Cpu).unwrap();
    assert_eq!(knocks(&group, 20, cpu)[cpu % 2], 20);
    let none: Group<UdpSocket> = Group::from(Vec::new());
    assert!(matches!(
        none.steer(Steering::Cpu),
        Err(Error::InvalidValue { .. })
    ));
}

#[rstest]
#[case::kernel(Steering::Kernel)]
#[case::cpu(Steering::Cpu)]
fn a_group_is_made_only_where_nobody_is(#[case] steering: Steering<'static>) {
    fn refused<M: Member>(at: SocketAddr, steering: Steering<'_>) {
        for members in [1, 2] {
            let error = M::group_at(at, members, steering).map(drop).unwrap_err();
            assert_eq!(error.raw_os_error(), Some(98), "{error}");
            assert!(error.to_string().contains(&at.to_string()), "{error}");
        }
    }
    fn beside<M: Member>(steering: Steering<'_>, single: impl FnOnce() -> M) {
        for mine in [Steering::Kernel, Steering::Cpu] {
            let group = M::group(2, mine);
            refused::<M>(group[0].address(), steering);
        }
        let single = single();
        let at = single.address();
        refused::<M>(at, steering);
        drop(single);
        // Nothing is left of what failed.
        M::group_at(at, 2, steering).unwrap().0.close().unwrap();
    }
    let shares = Tuning::tcp().reuse_port(true);
    beside(steering, || TCP.tuning(shares).listen(any()).unwrap().0);
    beside(steering, || {
        UDP.tuning(Tuning::udp().reuse_port(true))
            .bind(any())
            .unwrap()
            .0
    });
}

#[rstest]
#[case("127.0.0.1:0")]
#[case("[::1]:0")]
#[case("0.0.0.0:0")]
#[case("[::]:0")]
fn members_share_the_port_that_the_kernel_chose(#[case] local: SocketAddr) {
    let (listeners, reports) = TCP.listen_group(local, 5, Steering::Cpu).unwrap();
    let (sockets, _) = UDP.bind_group(local, 5, Steering::Cpu).unwrap();
    assert!(reports.iter().all(|report| report.is_granted()));
    let same = |addresses: Vec<SocketAddr>| {
        assert_eq!(addresses.len(), 5);
        assert!(addresses[0].port() != 0 && addresses[0].ip() == local.ip());
        assert!(addresses.iter().all(|address| *address == addresses[0]));
    };
    same(listeners.members().iter().map(Member::address).collect());
    same(sockets.members().iter().map(Member::address).collect());
}

#[test]
fn what_cannot_be_a_group_is_refused_by_name() {
    for members in [0, 32_769, usize::MAX] {
        for error in [
            TCP.listen_group(any(), members, Steering::Cpu)
                .map(drop)
                .unwrap_err(),
            UDP.bind_group(any(), members, Steering::Cpu)
                .map(drop)
                .unwrap_err(),
        ] {
            assert!(
                matches!(
                    error,
                    Error::InvalidValue {
                        option: "members",
                        ..
                    }
                ),
                "{error}"
            );
        }
    }
    let refused = |error: Error, name: &str| {
        assert!(
            matches!(&error, Error::InvalidValue { option, .. } if *option == name),
            "{error}"
        );
    };
    let tcp = TCP.tuning(Tuning::tcp().reuse_port(false));
    let error = tcp.listen_group(any(), 2, Steering::Cpu).unwrap_err();
    refused(error, "SO_REUSEPORT");
    let udp = UDP.tuning(Tuning::udp().reuse_port(false));
    let error = udp.bind_group(any(), 2, Steering::Cpu).unwrap_err();
    refused(error, "SO_REUSEPORT");
    // With it UDP sockets are let in beside others, at no place that is known.
    let udp = UDP.tuning(Tuning::udp().reuse_address(true));
    let error = udp.bind_group(any(), 2, Steering::Cpu).unwrap_err();
    refused(error, "SO_REUSEADDR");
    for cpus in [&[][..], &[0], &[0, 0], &[7, 0, 7]] {
        let steering = Steering::Cpus(cpus);
        refused(TCP.listen_group(any(), 2, steering).unwrap_err(), "cpus");
        refused(UDP.bind_group(any(), 2, steering).unwrap_err(), "cpus");
        let group = TcpListener::group(2, Steering::Kernel);
        refused(group.steer(steering).unwrap_err(), "cpus");
    }
}

#[rstest]
fn whether_the_address_is_reused_is_the_tunings_matter(#[values(true, false)] on: bool) {
    let asked = Tuning::tcp().reuse_port(true).reuse_address(on);
    let tcp = TCP.tuning(asked.strict(true));
    let (group, reports) = tcp.listen_group(any(), 2, Steering::Cpu).unwrap();
    for (member, report) in group.members().iter().zip(reports) {
        let socket = socket2::SockRef::from(member);
        assert_eq!(socket.reuse_address().unwrap(), on, "{report}");
    }
}

#[test]
fn multipath_tcp_is_left_to_the_hash() {
    let builder = TCP.mptcp(true);
    let group = match builder.listen_group(any(), 2, Steering::Kernel) {
        Ok((group, _)) => group,
        // EPROTONOSUPPORT: not built in; ENOPROTOOPT: switched off.
        Err(error) if matches!(error.raw_os_error(), Some(92 | 93)) => {
            println!("not run: {error}");
            return;
        }
        Err(error) => panic!("{error}"),
    };
    let counts = knocks(&group, 200, cpus(1)[0]);
    assert!(!counts.contains(&0), "{counts:?}");
    group.steer(Steering::Kernel).unwrap();
    for error in [
        group.steer(Steering::Cpu).unwrap_err(),
        builder.listen_group(any(), 2, Steering::Cpu).unwrap_err(),
    ] {
        assert_eq!(error.raw_os_error(), Some(95), "{error}");
        assert!(error.to_string().contains("Multipath TCP"), "{error}");
    }
}
