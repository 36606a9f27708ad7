//! Every option × (set and read back, clamp, refusal) × (the process as it is, without privilege), on real sockets.
//!
//! `rows.rs` says what must come of each; `table.md` is it for people, kept equal by a test. After a change write it anew:
//! `NETPRIMS_TABLE=overwrite cargo test -p netprims --test options`.
#![expect(clippy::unwrap_used, reason = "a test's way to fail")]

use std::net::{TcpListener, TcpStream, UdpSocket};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixDatagram;

use cell::{Cell, Row};
use netprims::Error;
use netprims::tuning::{Cause, Outcome, Tuning, Value};
use rows::ALL;
use rstest::rstest;
use socket2::{Domain, Socket, Type};

mod cell;
mod rows;
#[expect(unsafe_code, reason = "giving up privilege, for one thread")]
mod sys {
    pub(crate) mod unprivileged;
}

/// The socket an option is asked of.
#[derive(Clone, Copy, Debug)]
enum On {
    Tcp,
    Tcp6,
    TcpListening,
    TcpConnected,
    Udp,
    Udp6,
    Unix,
}

/// What must come of it.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Want {
    Granted,
    Sysctl(&'static str),
    System(&'static str),
    Network(&'static str),
    Rule,
    NotSupported,
    NotLoaded,
    TooLate,
    TooEarly,
    /// Refused before the kernel is asked.
    Invalid,
    /// Granted by a kernel with the module, else `NotLoaded`.
    IfLoaded,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Who {
    Process,
    Nobody,
}

impl Want {
    fn text(self) -> String {
        match self {
            Self::Granted => "granted".to_owned(),
            Self::Sysctl(name) => format!("cut: `{name}`"),
            Self::System(name) => format!("refused: {name}"),
            Self::Network(name) => format!("refused: {name} over the network namespace"),
            Self::Rule => "a kernel rule".to_owned(),
            Self::NotSupported => "not of this socket".to_owned(),
            Self::NotLoaded => "refused: not loaded".to_owned(),
            Self::TooLate => "not set: too late".to_owned(),
            Self::TooEarly => "not set: too early".to_owned(),
            Self::Invalid => "an error, nothing set".to_owned(),
            Self::IfLoaded => "granted if the module is loaded".to_owned(),
        }
    }
}

/// The socket, and what must live as long.
fn open(on: On) -> (OwnedFd, Vec<OwnedFd>) {
    let socket = |domain, kind| (Socket::new(domain, kind, None).unwrap().into(), Vec::new());
    let listen = || TcpListener::bind("127.0.0.1:0").unwrap();
    match on {
        On::Tcp => socket(Domain::IPV4, Type::STREAM),
        On::Tcp6 => socket(Domain::IPV6, Type::STREAM),
        On::TcpListening => (listen().into(), Vec::new()),
        On::TcpConnected => {
            let listener = listen();
            let near = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
            let far = listener.accept().unwrap().0;
            (near.into(), vec![far.into(), listener.into()])
        }
        On::Udp => (UdpSocket::bind("127.0.0.1:0").unwrap().into(), Vec::new()),
        On::Udp6 => socket(Domain::IPV6, Type::DGRAM),
        On::Unix => (UnixDatagram::unbound().unwrap().into(), Vec::new()),
    }
}

/// As the report names it.
fn came(option: &str, outcome: &Outcome) -> Want {
    let Outcome::Differs(difference) = outcome else {
        return Want::Granted;
    };
    match difference.cause() {
        Cause::Sysctl { name, .. } => Want::Sysctl(name),
        Cause::Capability(name) => Want::System(name),
        Cause::NetworkCapability(name) => Want::Network(name),
        Cause::KernelRule(_) => Want::Rule,
        Cause::NotSupported | Cause::OtherSockets(_) => Want::NotSupported,
        Cause::CongestionNotLoaded { .. } | Cause::ModuleNotLoaded(_) => Want::NotLoaded,
        Cause::TooLate { .. } => Want::TooLate,
        Cause::TooEarly { .. } => Want::TooEarly,
        other => panic!("{option}: {other:?}"),
    }
}

fn check(row: &Row, cell: &Cell, who: Who) {
    let Cell::Ask {
        tuning,
        on,
        effective,
        privileged,
        nobody,
    } = *cell
    else {
        return;
    };
    let want = if who == Who::Process && is_root() {
        privileged
    } else {
        nobody
    };
    let (socket, _others) = open(on);
    let result = tuning.apply(&socket);
    if want == Want::Invalid {
        let error = result.unwrap_err();
        let named = matches!(&error, Error::InvalidValue { option, .. } if *option == row.option);
        return assert!(named, "{}: {error}", row.option);
    }
    let report = result.unwrap();
    let outcome = report.outcome(row.option).unwrap();
    let came = came(row.option, outcome);
    if want == Want::IfLoaded {
        assert!(matches!(came, Want::Granted | Want::NotLoaded), "{report}");
        return;
    }
    // Or has it all the same: what stable and distributors' kernels take over from newer ones is up to them.
    if kernel() < row.since && came == Want::NotSupported {
        return;
    }
    // A rule of older kernels: socket(7) still has it.
    let older = row.option == "SO_BUSY_POLL" && kernel() < (6, 12) && who == Who::Nobody;
    if older && came == Want::System("CAP_NET_ADMIN") {
        return;
    }
    assert_eq!(came, want, "{who:?} on {on:?}: {report}");
    let text = outcome.effective().map(|value: Value| value.to_string());
    if let Some(effective) = effective {
        assert_eq!(
            text.as_deref().unwrap_or("unreadable"),
            effective,
            "{report}"
        );
    }
    // What the report says is not only said: a second look is the same, unless the privilege was the first's.
    if came == Want::Granted {
        let again = tuning.apply(&socket).unwrap();
        assert_eq!(again.outcome(row.option), Some(outcome), "{again}");
    }
}

fn cells(option: &str, who: Who) {
    let row = ALL.iter().find(|row| row.option == option).unwrap();
    for cell in [&row.set, &row.clamp, &row.refusal] {
        // A privilege that is given up stays so: each has a thread of its own.
        let thread = std::thread::scope(|scope| {
            let thread = scope.spawn(|| {
                if who == Who::Nobody && is_root() {
                    sys::unprivileged::become_nobody().unwrap();
                }
                check(row, cell, who);
            });
            thread.join()
        });
        if let Err(panic) = thread {
            std::panic::resume_unwind(panic);
        }
    }
}

fn status(field: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/thread-self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(field));
    u64::from_str_radix(line.unwrap().trim(), 16).unwrap()
}

/// CAP_NET_ADMIN and CAP_NET_RAW, of the first user namespace.
fn is_root() -> bool {
    let namespace = std::fs::read_link("/proc/self/ns/user").unwrap();
    status("CapEff:") >> 12 & 3 == 3 && namespace.to_string_lossy() == "user:[4026531837]"
}

fn kernel() -> (u32, u32) {
    let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap();
    let mut parts = release.split(|c: char| !c.is_ascii_digit());
    let mut next = || parts.next().unwrap().parse().unwrap();
    (next(), next())
}

/// One test an option and privilege, from the table's own list.
macro_rules! tests {
    ($($name:ident)*) => {
        #[rstest]
        $(#[case::$name(stringify!($name))])*
        fn option(#[case] name: &str, #[values(Who::Process, Who::Nobody)] who: Who) {
            cells(&name.to_uppercase(), who);
        }

        const TESTED: &[&str] = &[$(stringify!($name)),*];
    };
}

tests! {
    so_rcvbuf so_rcvbufforce so_sndbuf so_sndbufforce ipv6_v6only so_reuseaddr so_reuseport so_incoming_cpu
    ip_freebind ip_transparent so_bindtodevice ip_bind_address_no_port ip_local_port_range so_mark ip_tos
    so_priority ip_ttl ip_mtu_discover ip_recverr so_rcvlowat so_peek_off so_zerocopy so_timestamping so_txtime
    so_max_pacing_rate so_linger so_keepalive tcp_keepidle tcp_keepintvl tcp_keepcnt tcp_user_timeout
    tcp_nodelay tcp_quickack tcp_cork tcp_notsent_lowat tcp_maxseg tcp_window_clamp tcp_syncnt tcp_defer_accept
    tcp_fastopen tcp_fastopen_connect udp_segment udp_gro so_busy_poll so_prefer_busy_poll so_busy_poll_budget
    tcp_congestion tcp_ulp
}

#[test]
fn every_option_of_a_tuning_has_a_row_and_a_test() {
    // Each option is a field that is `None` where it was not asked for.
    let fields = format!("{:?}", Tuning::new()).matches(": None").count();
    let names: Vec<_> = ALL.iter().map(|row| row.option.to_lowercase()).collect();
    assert_eq!(names, TESTED);
    assert_eq!(names.len(), fields);
}

#[test]
fn the_table_for_people_is_the_one_that_is_tested() {
    let mut text = String::from(
        "# What comes of each option\n\n\
         Written by `NETPRIMS_TABLE=overwrite cargo test -p netprims --test options`, from the rows that the test \
         checks on real sockets, as root and as a user without privilege.\n\n\
         | option | Linux | cell | socket | requested | in effect | root | without privilege |\n\
         |---|---|---|---|---|---|---|---|\n",
    );
    for row in ALL {
        text += &row.lines();
    }
    print!("{text}");
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/options/table.md");
    if std::env::var_os("NETPRIMS_TABLE").is_some_and(|what| what == "overwrite") {
        std::fs::write(path, &text).unwrap();
    }
    assert_eq!(std::fs::read_to_string(path).unwrap(), text);
}
