//! The example does what it says, with io_uring and without.

use std::io::Write;
use std::net::TcpStream;
use std::process::{Command, Output};
use std::time::Duration;

use netprims::tuning::Tuning;
use program::Program;

mod container;
mod program;

const EPERM: u16 = 1;
const ENOSYS: u16 = 38;

fn zc_sink(arguments: &[&str]) -> Output {
    let program = env!("CARGO_BIN_EXE_zc_sink");
    Command::new(program)
        .args(arguments)
        .output()
        .expect("zc_sink")
}

/// What it said, if it has succeeded.
fn said(output: &Output) -> Vec<String> {
    let text = String::from_utf8_lossy(&output.stdout);
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{text}{error}");
    text.lines().map(str::to_owned).collect()
}

fn line<'a>(lines: &'a [String], start: &str) -> &'a str {
    let line = lines.iter().find_map(|line| line.strip_prefix(start));
    line.unwrap_or_else(|| panic!("no {start:?}: {lines:?}"))
}

/// A number of the line of statistics.
fn number(lines: &[String], name: &str) -> u64 {
    let line = lines.iter().find(|line| line.starts_with("chunks="));
    let mut fields = line.expect("statistics").split([' ', '=']);
    fields.find(|field| *field == name).expect("a field");
    fields
        .next()
        .and_then(|number| number.parse().ok())
        .expect("a number")
}

#[test]
fn the_report_says_which_rung_and_why_none_higher_and_every_byte_is_counted() {
    for (arguments, rung, why) in [
        (&[][..], "multishot", "zero-copy: no, "),
        (
            &["--no-bundles"],
            "multishot",
            "bundles: no, the plan does without",
        ),
        (
            &["--at-most", "plain"],
            "plain",
            "multishot: no, the plan's at_most excludes it",
        ),
        // One slot, shorter than what is sent at once: the receive waits for it again and again.
        (
            &["--slots", "1", "--slot-len", "5000"],
            "multishot",
            "zero-copy: no, ",
        ),
    ] {
        let all = [&["--bytes", "10000001"], arguments].concat();
        let lines = said(&zc_sink(&all));
        assert_eq!(line(&lines, "path: "), "io_uring");
        assert!(line(&lines, "receives: ").starts_with(rung), "{lines:?}");
        assert!(lines.iter().any(|line| line.starts_with(why)), "{lines:?}");
        assert_eq!(number(&lines, "bytes"), 10_000_001);
        assert_eq!(number(&lines, "stepped_down"), 0);
        assert_eq!(number(&lines, "copied"), 10_000_001);
        assert!(number(&lines, "chunks") > 0);
        let want = "connections=1 bytes=10000001, all as they were sent";
        assert_eq!(line(&lines, "zc_sink: "), want);
    }
}

/// Some kernels have it, for some users; either way the report says so, and every byte comes.
#[test]
fn zero_copy_without_a_device_is_reached_or_the_report_says_why_not() {
    let lines = said(&zc_sink(&["--bytes", "3000001", "--no-device"]));
    let rung = line(&lines, "receives: ");
    if rung.starts_with("zero-copy") {
        assert_eq!(number(&lines, "copied"), 3_000_001, "{lines:?}");
    } else {
        assert!(rung.starts_with("multishot"), "{rung}");
        let why = line(&lines, "zero-copy: no, ");
        assert_ne!(why, "the plan does without");
    }
    assert_eq!(number(&lines, "bytes"), 3_000_001);
    let want = "connections=1 bytes=3000001, all as they were sent";
    assert_eq!(line(&lines, "zc_sink: "), want);
}

#[test]
fn where_io_uring_is_refused_every_byte_comes_over_epoll() {
    for errno in [EPERM, ENOSYS] {
        let lines = container::inside(errno, || said(&zc_sink(&["--bytes", "10000001"])));
        let path = line(&lines, "path: ");
        assert!(
            path.starts_with("epoll, since io_uring is refused: io_uring_setup"),
            "{path}"
        );
        assert!(path.contains("a seccomp filter"), "{path}");
        assert_eq!(line(&lines, "receives: "), "plain, by read(2)");
        let want = "connections=1 bytes=10000001, all as they were sent";
        assert_eq!(line(&lines, "zc_sink: "), want);
    }
}

#[test]
fn several_that_send_at_once_are_told_apart() {
    let arguments = ["--listen", "127.0.0.1:0", "--connections", "5"];
    let start = || Program::start(env!("CARGO_BIN_EXE_zc_sink"), &arguments);
    for program in [start(), container::inside(EPERM, start)] {
        let at = program.address();
        let mut streams: Vec<_> = (0..5)
            .map(|_| TcpStream::connect(at).expect("connect"))
            .collect();
        for _ in 0..100 {
            for (stream, turns) in streams.iter_mut().zip(1..) {
                let bytes: Vec<u8> = (0..=250).collect();
                stream.write_all(&bytes.repeat(turns)).expect("write");
            }
        }
        drop(streams);
        let (lines, status) = program.end();
        assert!(status.success(), "{lines:?}");
        for turns in 1..=5 {
            let want = format!("{} bytes from a connection: Closed", turns * 251 * 100);
            assert!(lines.contains(&want), "{lines:?}");
        }
        let want = "connections=5 bytes=376500, all as they were sent";
        assert_eq!(line(&lines, "zc_sink: "), want);
    }
}

/// The bytes of a stream up to a position.
fn stream(len: usize) -> Vec<u8> {
    (0..=250).cycle().take(len).collect()
}

#[test]
fn connections_beyond_the_most_wait_until_there_is_room() {
    let arguments = [
        "--listen",
        "127.0.0.1:0",
        "--connections",
        "20",
        "--at-a-time",
        "3",
    ];
    let start = || Program::start(env!("CARGO_BIN_EXE_zc_sink"), &arguments);
    for program in [start(), container::inside(EPERM, start)] {
        let at = program.address();
        // These say nothing and stay.
        let silent: Vec<_> = (0..3)
            .map(|_| TcpStream::connect(at).expect("connect"))
            .collect();
        for len in 1..=17 {
            let mut stream = TcpStream::connect(at).expect("connect");
            stream.write_all(&self::stream(len)).expect("write");
        }
        drop(silent);
        let (lines, status) = program.end();
        assert!(status.success(), "{lines:?}");
        for len in 1..=17 {
            let want = format!("{len} bytes from a connection: Closed");
            assert!(lines.contains(&want), "{lines:?}");
        }
        // They came first, and nobody was received from before one of them was gone.
        let first = lines.iter().find(|line| line.contains("from a connection"));
        assert_eq!(
            first.map(String::as_str),
            Some("0 bytes from a connection: Closed")
        );
    }
}

#[test]
fn it_outlives_a_lack_of_descriptors() {
    let arguments = ["--listen", "127.0.0.1:0", "--connections", "30"];
    let start = || Program::start_with(16, env!("CARGO_BIN_EXE_zc_sink"), &arguments);
    for program in [start(), container::inside(EPERM, start)] {
        let at = program.address();
        let mut streams: Vec<_> = (0..30)
            .map(|_| TcpStream::connect(at).expect("connect"))
            .collect();
        program.says("accept: Too many open files");
        for stream in &mut streams {
            stream.write_all(&self::stream(100)).expect("write");
        }
        drop(streams);
        let (lines, status) = program.end();
        assert!(status.success(), "{lines:?}");
        let want = "connections=30 bytes=3000, all as they were sent";
        assert_eq!(line(&lines, "zc_sink: "), want);
    }
}

#[test]
fn one_that_resets_its_connection_keeps_it_from_nothing() {
    let arguments = ["--listen", "127.0.0.1:0", "--connections", "2"];
    let start = || Program::start(env!("CARGO_BIN_EXE_zc_sink"), &arguments);
    for program in [start(), container::inside(EPERM, start)] {
        let at = program.address();
        let rude = TcpStream::connect(at).expect("connect");
        let tuning = Tuning::tcp().linger(Duration::ZERO);
        drop(tuning.apply(&rude).expect("SO_LINGER"));
        drop(rude);
        program.says("0 bytes from a connection: Connection reset by peer");
        let mut stream = TcpStream::connect(at).expect("connect");
        stream.write_all(&self::stream(100)).expect("write");
        drop(stream);
        let (lines, status) = program.end();
        assert!(status.success(), "{lines:?}");
        let want = "connections=2 bytes=100, all as they were sent";
        assert_eq!(line(&lines, "zc_sink: "), want);
    }
}

#[test]
fn where_nobody_tells_what_a_device_lacks_it_goes_on_and_says_so() {
    let arguments = ["--bytes", "100001", "--device", "lo:0"];
    let lines = container::without_netlink(|| said(&zc_sink(&arguments)));
    let untold = line(&lines, "lo:0: cannot tell what it lacks: ");
    assert!(untold.contains("ethtool"), "{untold}");
    assert!(line(&lines, "receives: ").starts_with("multishot"));
    let want = "connections=1 bytes=100001, all as they were sent";
    assert_eq!(line(&lines, "zc_sink: "), want);
    // Elsewhere it is told.
    let lines = said(&zc_sink(&arguments));
    assert!(
        !lines.iter().any(|line| line.contains("cannot tell")),
        "{lines:?}"
    );
}

#[test]
fn a_wrong_byte_is_found_and_ends_only_its_connection() {
    let arguments = ["--listen", "127.0.0.1:0", "--connections", "2"];
    let start = || Program::start_with(64, env!("CARGO_BIN_EXE_zc_sink"), &arguments);
    for program in [start(), container::inside(EPERM, start)] {
        let at = program.address();
        let mut good = TcpStream::connect(at).expect("connect");
        good.write_all(&self::stream(1000)).expect("write");
        let mut wrong = TcpStream::connect(at).expect("connect");
        wrong.write_all(&[0, 1, 2, 4]).expect("write");
        program.says("3 bytes from a connection: byte 3 is 4, not as it was sent");
        good.write_all(&self::stream(2004)[1000..]).expect("write");
        drop(good);
        program.says("2004 bytes from a connection: Closed");
        let (lines, status) = program.end();
        assert!(!status.success(), "{lines:?}");
        let want = "Error: byte 3 is 4, not as it was sent";
        assert!(lines.iter().any(|line| line == want), "{lines:?}");
    }
}

#[test]
fn silent_connections_are_left_for_those_that_wait() {
    let arguments = [
        "--listen",
        "127.0.0.1:0",
        "--connections",
        "5",
        "--at-a-time",
        "2",
        "--patience",
        "0.5",
    ];
    let start = || Program::start(env!("CARGO_BIN_EXE_zc_sink"), &arguments);
    for program in [start(), container::inside(EPERM, start)] {
        let at = program.address();
        let connect = || TcpStream::connect(at).expect("connect");
        let mut silent = [(); 4].map(|()| connect());
        silent[0].write_all(&self::stream(7)).expect("write");
        let mut good = connect();
        good.write_all(&self::stream(100)).expect("write");
        drop(good);
        let (lines, status) = program.end();
        assert!(status.success(), "{lines:?}");
        for (want, count) in [("7 bytes", 1), ("0 bytes", 3)] {
            let want = format!("{want} from a connection: Idle");
            let told = lines.iter().filter(|line| **line == want).count();
            assert_eq!(told, count, "{lines:?}");
        }
        let want = "connections=5 bytes=107, all as they were sent";
        assert_eq!(line(&lines, "zc_sink: "), want);
        drop(silent);
    }
}
