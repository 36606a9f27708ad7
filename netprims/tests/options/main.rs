//! Every option × (set and read back, clamp, refusal, unknown to the kernel) × (the process as it is, without privilege),
//! on real sockets. `cargo xtask test` runs this on the host's kernel and on each of the lab's.
//!
//! `rows/` says what must come of each; `table.md` is it for people, kept equal by a test. After a change write it anew:
//! `NETPRIMS_TABLE=overwrite cargo test -p netprims --test options`.
#![expect(clippy::unwrap_used, reason = "a test's way to fail")]

use std::fs::File;
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixDatagram;

use cell::{Ask, Cell, Count, Row};
use host::{is_root, kernel};
use netprims::Error;
use netprims::tuning::{Cause, Outcome, Tuning, Value};
use rows::all;
use rstest::rstest;
use socket2::{Domain, Socket, Type};

mod cell;
#[path = "../host/mod.rs"]
mod host;
mod raw;
mod rows;
#[expect(
    unsafe_code,
    reason = "giving up privilege and options, for one thread"
)]
#[path = "../sys"]
mod sys {
    pub(crate) mod raw_option;
    pub(crate) mod seccomp;
    pub(crate) mod unprivileged;
}
mod values;

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
    /// No socket at all.
    File,
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
    /// The descriptor is none that has options.
    NoSocket,
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
            Self::NotSupported => "not of this socket or kernel".to_owned(),
            Self::NotLoaded => "refused: not loaded".to_owned(),
            Self::TooLate => "not set: too late".to_owned(),
            Self::TooEarly => "not set: too early".to_owned(),
            Self::Invalid => "an error, nothing set".to_owned(),
            Self::NoSocket => "an error: no socket".to_owned(),
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
        On::File => (File::open("/dev/null").unwrap().into(), Vec::new()),
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

fn check(row: &Row, ask: &Ask, who: Who) {
    let root = who == Who::Process && is_root();
    let (socket, _others) = open(ask.on);
    let wants = |wants: cell::Wants| if root { wants.root } else { wants.nobody };
    let mut want = wants(ask.wants);
    let mut effective = ask.effective;
    let mut other = None;
    if let Some(older) = ask.older.filter(|older| kernel() < older.before) {
        other = older.taken_over.then_some(want);
        want = wants(older.wants);
        effective = None;
    }
    if !matches!(want, Want::Invalid | Want::NoSocket) && !is_known(row, &socket) {
        // What comes too late is not asked for.
        if want != Want::TooLate {
            want = Want::NotSupported;
        }
        effective = None;
    }
    if let Some(first) = ask.first {
        let _ = first.apply(&socket).unwrap();
    }
    let result = ask.tuning.apply(&socket);
    match want {
        Want::Invalid => {
            let error = result.unwrap_err();
            let named =
                matches!(&error, Error::InvalidValue { option, .. } if *option == row.option);
            return assert!(named, "{}: {error}", row.option);
        }
        Want::NoSocket => {
            let error = result.unwrap_err();
            return assert_eq!(error.raw_os_error(), Some(libc::ENOTSOCK), "{error}");
        }
        _ => {}
    }
    let report = result.unwrap();
    let outcome = report.outcome(row.option).unwrap();
    let came = came(row.option, outcome);
    if want == Want::IfLoaded {
        let loaded = host::sysctl("net.ipv4.tcp_available_ulp").unwrap();
        want = match loaded.split(' ').any(|name| name == "tls") {
            true => Want::Granted,
            false => Want::NotLoaded,
        };
    }
    if Some(came) != other {
        assert_eq!(came, want, "{who:?} on {:?}: {report}", ask.on);
    }
    let text = outcome.effective().map(|value: Value| value.to_string());
    if let Some(effective) = effective {
        assert_eq!(
            text.as_deref().unwrap_or("unreadable"),
            effective,
            "{report}"
        );
    }
    if came == Want::Granted {
        let raw = ask.raw.expect("what is granted has a value");
        let own = [row.number];
        let options = if ask.at.is_empty() { &own } else { ask.at };
        for option in options {
            raw.check(&socket, *option);
        }
    }
    // What the report says is not only said: a second look is the same, unless the privilege was the first's.
    if came == Want::Granted {
        let again = ask.tuning.apply(&socket).unwrap();
        assert_eq!(again.outcome(row.option), Some(outcome), "{again}");
    }
}

/// Whether this kernel has the option; it must, from the one that brought it on.
fn is_known(row: &Row, socket: &OwnedFd) -> bool {
    let (Some(since), (level, option)) = (row.since, row.number) else {
        return true;
    };
    // Zero is each one's default, which needs no privilege.
    let known = match sys::raw_option::set(socket, level, option, 0) {
        Err(error) => error.raw_os_error() != Some(libc::ENOPROTOOPT),
        Ok(()) => true,
    };
    assert!(known || kernel() < since, "{} is not there", row.option);
    known
}

fn cells(option: &str, who: Who) {
    let row = all().find(|row| row.option == option).unwrap();
    let cells = [row.set, row.clamp, row.refusal];
    let asks = cells.iter().filter_map(|cell| match cell {
        Cell::Ask(ask) => Some(ask),
        Cell::Listed(_) => None,
    });
    for ask in asks {
        // A privilege that is given up stays so: each has a thread of its own.
        on_a_thread(|| {
            if who == Who::Nobody && is_root() {
                sys::unprivileged::become_nobody().unwrap();
            }
            check(row, ask, who);
        });
    }
}

/// The kernel answers as one that was built before the option, or without it.
fn unknown(option: &str, who: Who) {
    let row = all().find(|row| row.option == option).unwrap();
    let Cell::Ask(ask) = row.unknown() else {
        panic!("{option} is set nowhere")
    };
    on_a_thread(|| {
        let (socket, _others) = open(ask.on);
        if who == Who::Nobody && is_root() {
            sys::unprivileged::become_nobody().unwrap();
        }
        let (level, number) = row.number;
        let errno = u16::try_from(libc::ENOPROTOOPT).unwrap();
        sys::seccomp::refuse_option(level, number, errno).unwrap();
        let report = ask.tuning.apply(&socket).unwrap();
        let outcome = report.outcome(option).unwrap();
        assert_eq!(came(option, outcome), Want::NotSupported, "{report}");
        assert_eq!(report.warnings(), [], "{report}");
        let strict = ask.tuning.strict(true).apply(&socket).unwrap_err();
        assert!(matches!(strict, Error::NotGranted(_)), "{strict}");
    });
}

fn on_a_thread(body: impl FnOnce() + Send) {
    let ended = std::thread::scope(|scope| scope.spawn(body).join());
    if let Err(panic) = ended {
        std::panic::resume_unwind(panic);
    }
}

/// One test an option and privilege, from the table's own list.
macro_rules! tests {
    ($($name:ident)*) => {
        #[rstest]
        $(#[case::$name(stringify!($name))])*
        fn option(#[case] name: &str, #[values(Who::Process, Who::Nobody)] who: Who) {
            cells(&name.to_uppercase(), who);
        }

        #[rstest]
        $(#[case::$name(stringify!($name))])*
        fn without(#[case] name: &str, #[values(Who::Process, Who::Nobody)] who: Who) {
            unknown(&name.to_uppercase(), who);
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
    let names: Vec<_> = all().map(|row| row.option.to_lowercase()).collect();
    assert_eq!(names, TESTED);
    assert_eq!(names.len(), fields);
}

#[test]
fn the_table_for_people_is_the_one_that_is_tested() {
    let mut count = Count::default();
    let rows: String = all().map(|row| row.lines(&mut count)).collect();
    let Count { run, listed } = count;
    // Four cells, each for root and for a user without privilege.
    assert_eq!(run + listed, TESTED.len() * 4 * 2);
    let text = format!(
        "# What comes of each option\n\n\
         Written by `NETPRIMS_TABLE=overwrite cargo test -p netprims --test options`, from the rows that the test \
         checks on real sockets, as root and as a user without privilege: {} options, {} cells, of which {run} are run \
         and {listed} are listed with the reason why not.\n\n\
         It holds on every kernel that the test is run on: that of the machine, and by `cargo xtask test` Linux 6.12 and \
         7.2, with `--full` 6.1 too. Where kernels differ, the second column says which one a line is about; \
         *taken over* is what the maintainers of older kernels took from newer ones. \
         *unknown* is the option on a kernel that does not have it, which a filter of system calls stands for.\n\n\
         | option | Linux | cell | socket | requested | in effect | root | without privilege |\n\
         |---|---|---|---|---|---|---|---|\n{rows}",
        TESTED.len(),
        run + listed,
    );
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/options/table.md");
    if std::env::var_os("NETPRIMS_TABLE").is_some_and(|what| what == "overwrite") {
        std::fs::write(path, &text).unwrap();
    }
    let kept = std::fs::read_to_string(path).unwrap();
    for (kept, line) in kept.lines().zip(text.lines()) {
        assert_eq!(kept, line, "tests/options/table.md is not the table");
    }
    assert_eq!(kept.len(), text.len(), "one table is longer");
    print!("{text}");
}
