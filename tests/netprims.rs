//! netprims on the lab's kernels: what only root may set up, and zero-copy where it really happens.

use std::net::UdpSocket;
use std::process::Command;
use std::time::Duration;

use lab_tests::{Lab, gate};
use netprims::Error;
use netprims::buffer::TxPool;
use netprims::fd::{BusyPoll, Epoll};
use netprims::netns::NetNs;
use netprims::ring::{Event, Refusal, Ring, Strays, Usage, Wait, ZcPolicy};
use netprims::sysctl::{KNOWN, Scope, Sysctl, scopes};
use netprims::tuning::{Cause, Limit, Tuning, Value};
use netprims::zerocopy::{self, ZeroCopyOptions};

/// A sysctl changed for the length of a test.
struct Changed {
    name: &'static str,
    before: String,
}

impl Changed {
    fn to(name: &'static str, value: &str) -> Self {
        let before = Sysctl::new(name)
            .read()
            .expect("read")
            .expect("the sysctl is there");
        write(name, value);
        Self { name, before }
    }
}

impl Drop for Changed {
    fn drop(&mut self) {
        write(self.name, &self.before);
    }
}

/// Writes a sysctl. The program that does so is in a package a machine need not have.
fn write(name: &str, value: &str) {
    let path = format!("/proc/sys/{}", name.replace('.', "/"));
    std::fs::write(&path, value).unwrap_or_else(|error| panic!("{path} = {value}: {error}"));
}

/// A device that takes everything and delivers nothing, with a neighbour at 10.7.0.2.
struct BlackHole<'lab> {
    lab: &'lab Lab,
}

impl<'lab> BlackHole<'lab> {
    fn new(lab: &'lab Lab) -> Self {
        lab.sh("ip link add hole type dummy || ip link add hole type ifb");
        let hole = Self { lab };
        lab.sh("ip link set hole mtu 65535 up && ip addr add 10.7.0.1/24 dev hole");
        lab.sh("ip neigh add 10.7.0.2 lladdr 02:00:00:00:00:02 dev hole");
        hole
    }
}

impl Drop for BlackHole<'_> {
    fn drop(&mut self) {
        self.lab.sh("ip link del hole");
    }
}

/// The last line `zc_send` prints.
fn zc_send(lab: &Lab, arguments: &str) -> String {
    let said = lab.sh(&format!(
        "'{}' {arguments}",
        lab.program("zc_send").display()
    ));
    said.lines().last().unwrap_or_default().to_owned()
}

/// What nobody gets to read, and whether the program succeeded.
fn zc_send_unprivileged(lab: &Lab, before: &str, arguments: &[&str]) -> (bool, String) {
    let line = format!("{before} exec setpriv {NOBODY} \"$@\"");
    zc_send_by(lab, &line, arguments)
}

/// As whom setpriv(1) runs a program.
const NOBODY: &str = "--reuid=65534 --clear-groups";
const ROOT: &str = "--reuid=0";
/// Nobody, but of the group 4711.
const MEMBER: &str = "--reuid=65534 --groups=4711";

/// What a line of the shell, which runs what is behind it, makes it say, and whether it succeeded.
fn zc_send_by(lab: &Lab, line: &str, arguments: &[&str]) -> (bool, String) {
    let program = lab.program("zc_send");
    let output = Command::new("sh")
        .args(["-c", line, "sh"])
        .arg(program)
        .args(arguments)
        .env("RUST_BACKTRACE", "0")
        .output()
        .expect("run sh");
    let text = [output.stdout, output.stderr].concat();
    (
        output.status.success(),
        String::from_utf8_lossy(&text).into_owned(),
    )
}

#[test]
fn a_clamped_buffer_names_the_sysctl_and_its_value() {
    gate(|_| {
        let _limit = Changed::to("net.core.rmem_max", "300000");
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let report = Tuning::new()
            .receive_buffer(300_001)
            .apply(&socket)
            .unwrap();
        let difference = report.differences().next().expect("it is clamped");
        assert_eq!(difference.effective(), Some(Value::Bytes(600_000)));
        let Cause::Sysctl { name, value, .. } = difference.cause() else {
            panic!("{report}")
        };
        assert_eq!(*name, "net.core.rmem_max");
        assert_eq!(*value, Limit::Read("300000".to_owned()));
        let report = Tuning::new()
            .receive_buffer(300_000)
            .apply(&socket)
            .unwrap();
        assert!(report.is_granted(), "doubling is no difference: {report}");
    });
}

#[test]
fn a_congestion_control_that_is_not_allowed_lists_those_that_are() {
    gate(|lab| {
        let _allowed = Changed::to("net.ipv4.tcp_allowed_congestion_control", "reno");
        let _default = Changed::to("net.ipv4.tcp_congestion_control", "reno");
        let arguments = ["--congestion", "cubic", "--count", "1"];
        let (succeeded, text) = zc_send_unprivileged(lab, "", &arguments);
        assert!(succeeded, "{text}");
        let line = text
            .lines()
            .find(|line| line.starts_with("TCP_CONGESTION"))
            .expect(&text);
        let start =
            "TCP_CONGESTION: cubic requested, reno in effect: not allowed without CAP_NET_ADMIN";
        assert!(line.starts_with(start), "{line}");
        assert!(line.contains("allowed: reno)"), "{line}");
    });
}

#[test]
fn buffers_above_what_the_kernel_keeps_are_refused_and_the_largest_is_not() {
    gate(|lab| {
        let _limit = Changed::to("net.core.rmem_max", "2147483647");
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let most = Tuning::new().receive_buffer(1_073_741_823).strict(true);
        let report = most.apply(&socket).unwrap();
        let outcome = report.outcome("SO_RCVBUF").expect("it was asked for");
        assert_eq!(outcome.effective(), Some(Value::Bytes(2_147_483_646)));
        let more = Tuning::new().receive_buffer(1_073_741_824);
        assert!(
            matches!(more.apply(&socket), Err(Error::InvalidValue { .. })),
            "{}",
            lab.release()
        );
    });
}

/// Which kernels ask for a privilege to raise it.
#[test]
fn busy_polling_without_privilege_is_reported_as_the_kernel_has_it() {
    const INSIDE: &str = "UNPRIVILEGED";
    if std::env::var_os(INSIDE).is_some() {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let tuning = Tuning::new().busy_poll(Duration::from_micros(50));
        println!("{}", tuning.apply(&socket).unwrap());
        return;
    }
    gate(|lab| {
        let test = "busy_polling_without_privilege_is_reported_as_the_kernel_has_it";
        let program = lab.this_test();
        let text = lab.sh(&format!(
            "{INSIDE}=1 setpriv --reuid=65534 --clear-groups '{}' --exact {test} --nocapture",
            program.display()
        ));
        let want = if lab.release().starts_with("6.1.") {
            "SO_BUSY_POLL: 50 µs requested, 0 µs in effect: needs CAP_NET_ADMIN"
        } else {
            "SO_BUSY_POLL: 50 µs\n"
        };
        assert!(text.contains(want), "{text}");
    });
}

#[test]
fn udp_over_a_device_that_does_not_copy_is_all_zero_copied() {
    gate(|lab| {
        const LEN: u32 = 60_000;
        let _hole = BlackHole::new(lab);
        let socket = UdpSocket::bind("10.7.0.1:0").unwrap();
        socket.connect("10.7.0.2:9").unwrap();
        let mut ring = Ring::builder().build().unwrap();
        let told = ring.capabilities().usage_report;
        let pool = ring.tx_pool(8, LEN).unwrap();
        let socket = ring.add(socket).unwrap();
        let rounds = lab.volume(20, 2000);
        for _ in 0..rounds {
            while let Some(buf) = pool.take() {
                ring.send(socket, buf, ZcPolicy::Always).unwrap();
            }
            while ring.in_flight() > 0 {
                let events =
                    ring.poll(Wait::AtMost(Duration::from_secs(60)), |event| match event {
                        Event::Sent { result, .. } => assert_eq!(result.unwrap(), 60_000),
                        Event::Released { usage, .. } if told => {
                            assert_eq!(usage, Usage::ZeroCopied)
                        }
                        Event::Released { usage, .. } => assert_eq!(usage, Usage::Unknown),
                        other => panic!("{other:?}"),
                    });
                assert!(events.unwrap() > 0, "nothing for a minute");
            }
        }
        let totals = ring.totals();
        let bytes = rounds * 8 * u64::from(LEN);
        let want = if told { (bytes, 0) } else { (0, bytes) };
        assert_eq!((totals.zero_copied, totals.unknown), want);
        assert_eq!((totals.copied, totals.not_sent), (0, 0));
        assert_eq!(ring.strays(), Strays::default());
    });
}

#[test]
fn a_socket_without_a_ring_tells_zero_copied_from_copied() {
    gate(|lab| {
        let _hole = BlackHole::new(lab);
        let pool = TxPool::new(8, 60_000).unwrap();
        for (near, far, want) in [
            ("10.7.0.1:0", "10.7.0.2:9", Usage::ZeroCopied),
            ("127.0.0.1:0", "127.0.0.1:9", Usage::Copied),
        ] {
            let socket = UdpSocket::bind(near).unwrap();
            let mut sender = ZeroCopyOptions::new()
                .give_up_after(0)
                .attach(socket)
                .unwrap();
            let rounds = lab.volume(20, 2000);
            for _ in 0..rounds {
                while let Some(buf) = pool.take() {
                    sender.send_to(buf, far.parse().unwrap()).unwrap();
                }
                while sender.in_flight() > 0 {
                    let is_ready = sender.wait(Some(Duration::from_secs(60))).unwrap();
                    assert!(is_ready, "nothing for a minute");
                    let reap = |event| match event {
                        zerocopy::Event::Released { usage, .. } => assert_eq!(usage, want),
                        other => panic!("{other:?}"),
                    };
                    sender.reap(reap).unwrap();
                }
            }
            let totals = sender.totals();
            let bytes = rounds * 8 * 60_000;
            let all = (totals.zero_copied, totals.copied, totals.plain);
            let is_zero_copied = want == Usage::ZeroCopied;
            let want = if is_zero_copied {
                (bytes, 0, 0)
            } else {
                (0, bytes, 0)
            };
            assert_eq!((all, totals.strays), (want, 0));
        }
    });
}

#[test]
fn the_example_tells_zero_copied_from_copied() {
    gate(|lab| {
        let copied = "zc_send: tcp sends=50 bytes=3000000 zero_copied=0 copied=3000000 not_sent=0";
        assert_eq!(zc_send(lab, "--count 50"), copied);
        let _hole = BlackHole::new(lab);
        let zero = "zc_send: udp sends=50 bytes=3000000 zero_copied=3000000 copied=0 not_sent=0";
        assert_eq!(zc_send(lab, "--udp 10.7.0.2:9 --count 50"), zero);
        let plain = "zc_send: udp sends=50 bytes=3000000 zero_copied=0 copied=3000000 not_sent=0";
        assert_eq!(zc_send(lab, "--udp 10.7.0.2:9 --count 50 --plain"), plain);
    });
}

#[test]
fn io_uring_that_is_disabled_is_told_by_its_sysctl() {
    gate(|lab| {
        if !has_io_uring_disabled(lab) {
            return drop(Ring::builder().build().unwrap());
        }
        let _disabled = Changed::to("kernel.io_uring_disabled", "2");
        let error = Ring::builder().build().map(drop).unwrap_err();
        assert!(
            matches!(
                error,
                Error::RingRefused {
                    refusal: Refusal::Disabled { value: 2, .. },
                    ..
                }
            ),
            "{error}"
        );
        assert!(
            error.to_string().contains("kernel.io_uring_disabled is 2"),
            "{error}"
        );
    });
}

/// It came with Linux 6.6, and with it the refusal.
fn has_io_uring_disabled(lab: &Lab) -> bool {
    let disabled = Sysctl::new("kernel.io_uring_disabled")
        .read()
        .expect("a sysctl");
    assert_eq!(disabled.is_none(), lab.release().starts_with("6.1."));
    disabled.is_some()
}

#[test]
fn the_example_goes_over_epoll_for_those_whom_the_sysctl_shuts_out() {
    gate(|lab| {
        let path = |user: &str| {
            let line = format!("exec setpriv {user} \"$@\"");
            let (succeeded, text) = zc_send_by(lab, &line, &["--count", "5"]);
            assert!(succeeded, "{text}");
            let all = "zc_send: tcp sends=5 bytes=300000 zero_copied=0 copied=300000 not_sent=0";
            assert_eq!(text.lines().last(), Some(all));
            let mut lines = text.lines().filter_map(|line| line.strip_prefix("path: "));
            lines.next().expect(&text).to_owned()
        };
        if !has_io_uring_disabled(lab) {
            return assert_eq!(path(NOBODY), "io_uring");
        }
        let _group = Changed::to("kernel.io_uring_group", "4711");
        for (value, shut_out, let_in) in [
            ("0", &[][..], &[ROOT, MEMBER, NOBODY][..]),
            ("1", &[NOBODY], &[ROOT, MEMBER]),
            ("2", &[ROOT, MEMBER, NOBODY], &[]),
        ] {
            let _disabled = Changed::to("kernel.io_uring_disabled", value);
            for user in let_in {
                assert_eq!(path(user), "io_uring", "{user} at {value}");
            }
            let why = format!("kernel.io_uring_disabled is {value}; set it to 0");
            for user in shut_out {
                let path = path(user);
                let is_told = path.starts_with("epoll, since io_uring is refused");
                assert!(is_told && path.contains(&why), "{user} at {value}: {path}");
            }
        }
    });
}

#[test]
fn too_little_lockable_memory_says_what_to_raise() {
    gate(|lab| {
        let (succeeded, text) = zc_send_unprivileged(lab, "ulimit -l 64;", &["--count", "1"]);
        assert!(!succeeded, "{text}");
        assert!(text.contains("RLIMIT_MEMLOCK"), "{text}");
    });
}

/// Values near this one that the kernel may take as well.
fn neighbours(value: &str) -> Vec<String> {
    let (rest, last) = value
        .rsplit_once(char::is_whitespace)
        .map_or(("", value), |(rest, last)| (rest, last));
    let Ok(number) = last.parse::<u64>() else {
        // A congestion control.
        return vec!["reno".to_owned(), "cubic".to_owned()];
    };
    let near = [number + 1, number.saturating_sub(1), number * 2];
    near.map(|near| format!("{rest} {near}").trim().to_owned())
        .into()
}

fn value(name: &Sysctl) -> Option<String> {
    name.read().unwrap_or_else(|error| panic!("{error}"))
}

/// Sets another value than the one in effect, and returns whether one was taken.
fn change(name: &Sysctl) -> bool {
    let before = value(name).expect("it was shown");
    let mut near = neighbours(&before).into_iter();
    near.any(|near| name.write(near).is_ok() && value(name).as_ref() != Some(&before))
}

/// Not by the bits of a file, as the crate looks: by what a change does.
#[test]
fn the_scope_of_a_sysctl_is_what_a_change_of_it_shows() {
    gate(|lab| {
        let child = NetNs::fresh().unwrap();
        let told = scopes(KNOWN).unwrap();
        for (name, scope) in KNOWN.iter().zip(&told) {
            let here = value(name);
            let there = child.run(|| value(name)).unwrap();
            match scope {
                Some(Scope::Namespace) => {
                    assert!(child.run(|| change(name)).unwrap(), "{name}: {there:?}");
                    assert_eq!(value(name), here, "{name}: the child's is its own");
                }
                Some(Scope::ReadOnlyInChildren) => {
                    assert_eq!(there, here, "{name}");
                    let same = there.unwrap();
                    let error = child.run(|| name.write(&same)).unwrap().unwrap_err();
                    // EACCES by its mode; EPERM where the kernel asks again.
                    assert!(matches!(error.raw_os_error(), Some(13 | 1)), "{error}");
                    if change(name) {
                        let seen = child.run(|| value(name)).unwrap();
                        assert_eq!(seen, value(name), "{name}: the child sees the change");
                        name.write(here.unwrap()).unwrap();
                    }
                }
                Some(Scope::FirstNamespace) => {
                    assert!(
                        here.is_some() && there.is_none(),
                        "{name}: {here:?} {there:?}"
                    );
                    let error = child.run(|| name.write(1)).unwrap().unwrap_err();
                    assert_eq!(error.raw_os_error(), Some(2), "{error}");
                }
                None => assert_eq!((here, there), (None, None), "{name}"),
            }
            println!("{name}: {scope:?}");
        }
        for scope in [
            Scope::Namespace,
            Scope::ReadOnlyInChildren,
            Scope::FirstNamespace,
        ] {
            assert!(
                told.contains(&Some(scope)),
                "none is {scope:?} on {}",
                lab.release()
            );
        }
    });
}

#[test]
fn a_named_namespace_is_entered_and_left() {
    gate(|lab| {
        lab.sh("ip netns add blue && ip -n blue link set lo up");
        let blue = NetNs::by_name("blue").unwrap();
        let pid: u32 = {
            let pid = lab.sh("ip netns exec blue sleep 1000 >/dev/null 2>&1 & echo $!");
            pid.trim().parse().unwrap()
        };
        let of_process = || NetNs::of_process(pid).unwrap();
        // The shell's child enters by and by.
        while !of_process().is_same(&blue).unwrap() {
            std::thread::sleep(Duration::from_millis(10));
        }
        let socket = blue.run(|| UdpSocket::bind("127.0.0.1:4711")).unwrap();
        assert!(!blue.is_current().unwrap());
        let free = UdpSocket::bind("127.0.0.1:4711");
        drop((socket.unwrap(), free.unwrap()));
        assert_ne!(
            blue.cookie().unwrap(),
            NetNs::current().unwrap().cookie().unwrap()
        );
        lab.sh(&format!("kill {pid} && ip netns del blue"));
        blue.close().unwrap();
    });
}

#[test]
fn busy_poll_parameters_are_granted_or_the_error_says_since_when() {
    gate(|lab| {
        let epoll = Epoll::new().unwrap();
        let poll = BusyPoll::new(Duration::from_micros(50)).budget(65);
        let result = epoll.set_busy_poll(poll);
        if lab.release().starts_with("6.1.") {
            let text = result.unwrap_err().to_string();
            assert!(text.contains("since Linux 6.9"), "{text}");
            epoll.busy_poll().unwrap_err();
        } else {
            result.unwrap();
            assert_eq!(epoll.busy_poll().unwrap(), poll);
        }
    });
}
