//! The example does what it says, with io_uring and without.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::process::Command;
use std::thread;
use std::time::Duration;

use program::Program;

mod container;
mod program;

const EPERM: u16 = 1;
const ENOSYS: u16 = 38;

/// What it says when it has succeeded.
fn said(arguments: &[&str]) -> Vec<String> {
    let program = env!("CARGO_BIN_EXE_tokio_ring");
    let output = Command::new(program)
        .args(arguments)
        .output()
        .expect("tokio_ring");
    let text = String::from_utf8_lossy(&output.stdout);
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{text}{error}");
    text.lines().map(str::to_owned).collect()
}

fn line<'a>(lines: &'a [String], start: &str) -> &'a str {
    let line = lines.iter().find_map(|line| line.strip_prefix(start));
    line.unwrap_or_else(|| panic!("no {start:?}: {lines:?}"))
}

const ALL: &str = "messages=200 served=2 left=0 bytes=8000000";

#[test]
fn subscribers_in_the_same_runtime_get_every_message() {
    let lines = said(&["--messages", "200"]);
    assert_eq!(line(&lines, "path: "), "io_uring");
    assert_eq!(line(&lines, "tokio_ring: "), ALL);
}

#[test]
fn where_io_uring_is_refused_they_get_every_message_over_epoll() {
    for errno in [EPERM, ENOSYS] {
        let lines = container::inside(errno, || said(&["--messages", "200"]));
        let path = line(&lines, "path: ");
        assert!(
            path.starts_with("epoll, since io_uring is refused: io_uring_setup"),
            "{path}"
        );
        assert!(path.contains("a seccomp filter"), "{path}");
        assert_eq!(line(&lines, "tokio_ring: "), ALL);
    }
}

/// What a subscriber gets, as the example says it makes it.
fn stream(messages: u64, size: usize) -> Vec<u8> {
    let message = |number: u64| {
        let rest = (number..).map(|position| u8::try_from(position % 251).expect("a byte"));
        number.to_le_bytes().into_iter().chain(rest).take(size)
    };
    (0..messages).flat_map(message).collect()
}

#[test]
fn a_subscriber_that_goes_or_does_not_read_keeps_no_message_from_the_others() {
    const SIZE: usize = 100_000;
    let arguments = [
        "--listen",
        "127.0.0.1:0",
        "--messages",
        "400",
        "--size",
        "100000",
        "--subscribers",
        "4",
        "--every",
        "5",
        "--patience",
        "2",
    ];
    let want = stream(400, SIZE);
    let start = || Program::start(env!("CARGO_BIN_EXE_tokio_ring"), &arguments);
    for program in [start(), container::inside(EPERM, start)] {
        let at = program.address();
        let connect = || TcpStream::connect(at).expect("connect");
        let silent = connect();
        let mut gone = connect();
        let good: Vec<_> = (0..2)
            .map(|_| {
                let mut stream = connect();
                thread::spawn(move || {
                    let mut bytes = Vec::new();
                    stream.read_to_end(&mut bytes).map(|_| bytes).expect("read")
                })
            })
            .collect();
        gone.read_exact(&mut [0; SIZE]).expect("a message");
        drop(gone);
        for good in good {
            let bytes = good.join().expect("a subscriber");
            assert!(bytes == want, "{} bytes, others came", bytes.len());
        }
        // The feed ends also for those who do not read.
        let (lines, status) = program.end();
        drop(silent);
        assert!(status.success(), "{lines:?}");
        assert!(
            line(&lines, "tokio_ring: ").starts_with("messages=400 served=2 left=2 "),
            "{lines:?}"
        );
    }
}

#[test]
fn it_outlives_a_lack_of_descriptors() {
    let arguments = [
        "--listen",
        "127.0.0.1:0",
        "--messages",
        "100",
        "--every",
        "20",
        "--subscribers",
        "1",
    ];
    let start = || Program::start_with(16, env!("CARGO_BIN_EXE_tokio_ring"), &arguments);
    for program in [start(), container::inside(EPERM, start)] {
        let at = program.address();
        // More than it can take: the one that is read from is among those it has taken.
        let mut streams: Vec<_> = (0..16)
            .map(|_| TcpStream::connect(at).expect("connect"))
            .collect();
        program.says("accept: Too many open files");
        let mut first = streams.remove(0);
        drop(streams);
        let mut bytes = Vec::new();
        first.read_to_end(&mut bytes).expect("read");
        assert!(
            bytes == stream(100, 20_000),
            "{} bytes, others came",
            bytes.len()
        );
        let (lines, status) = program.end();
        assert!(status.success(), "{lines:?}");
        assert!(line(&lines, "tokio_ring: ").starts_with("messages=100 served=1 "));
    }
}

/// Twice as many as it takes at a time: they cannot take all buffers from one that reads.
#[test]
fn many_that_do_not_read_keep_no_message_from_one_that_does() {
    let arguments = [
        "--listen",
        "127.0.0.1:0",
        "--messages",
        "400",
        "--size",
        "100000",
        "--subscribers",
        "1",
        "--every",
        "5",
        "--patience",
        "2",
    ];
    let start = || Program::start(env!("CARGO_BIN_EXE_tokio_ring"), &arguments);
    for program in [start(), container::inside(EPERM, start)] {
        let at = program.address();
        let mut good = TcpStream::connect(at).expect("connect");
        let silent: Vec<_> = (0..16)
            .map(|_| TcpStream::connect(at).expect("connect"))
            .collect();
        let mut bytes = Vec::new();
        good.read_to_end(&mut bytes).expect("read");
        assert!(
            bytes == stream(400, 100_000),
            "{} bytes, others came",
            bytes.len()
        );
        let (lines, status) = program.end();
        drop(silent);
        assert!(status.success(), "{lines:?}");
        assert!(line(&lines, "tokio_ring: ").starts_with("messages=400 served="));
    }
}

/// It is behind by less than it may be, so that only the end of the feed can leave it.
#[test]
fn a_subscriber_that_talks_and_does_not_read_is_left_at_the_end() {
    let arguments = [
        "--listen",
        "127.0.0.1:0",
        "--messages",
        "60",
        "--size",
        "100000",
        "--subscribers",
        "1",
        "--patience",
        "1",
    ];
    let start = || Program::start(env!("CARGO_BIN_EXE_tokio_ring"), &arguments);
    for program in [start(), container::inside(EPERM, start)] {
        let mut talker = TcpStream::connect(program.address()).expect("connect");
        let talker = thread::spawn(move || {
            while talker.write_all(b"x").is_ok() {
                thread::sleep(Duration::from_millis(50));
            }
        });
        let (lines, status) = program.end();
        assert!(status.success(), "{lines:?}");
        let totals = line(&lines, "tokio_ring: ");
        assert!(
            totals.starts_with("messages=60 served=0 left=1 "),
            "{totals}"
        );
        talker.join().expect("the talker");
    }
}

/// A connection that was reset has ended, too.
fn reset(error: io::Error) -> io::Result<usize> {
    match error.kind() {
        io::ErrorKind::ConnectionReset => Ok(0),
        _ => Err(error),
    }
}

#[test]
fn a_subscriber_that_went_before_the_feed_began_is_none_it_waited_for() {
    let arguments = [
        "--listen",
        "127.0.0.1:0",
        "--messages",
        "50",
        "--subscribers",
        "2",
    ];
    let start = || Program::start(env!("CARGO_BIN_EXE_tokio_ring"), &arguments);
    for program in [start(), container::inside(EPERM, start)] {
        let at = program.address();
        let connect = || TcpStream::connect(at).expect("connect");
        let mut gone = connect();
        gone.shutdown(Shutdown::Write).expect("shutdown");
        let patience = Some(Duration::from_secs(60));
        gone.set_read_timeout(patience).expect("a time");
        // Its connection is closed, by then it is not counted.
        let mut bytes = Vec::new();
        gone.read_to_end(&mut bytes).or_else(reset).expect("read");
        assert!(bytes.is_empty(), "it began with one subscriber");
        let mut good = [connect(), connect()];
        for stream in &mut good {
            bytes.clear();
            stream.read_to_end(&mut bytes).expect("read");
            assert!(
                bytes == self::stream(50, 20_000),
                "{} bytes, others came",
                bytes.len()
            );
        }
        let (lines, status) = program.end();
        assert!(status.success(), "{lines:?}");
        let totals = line(&lines, "tokio_ring: ");
        assert!(
            totals.starts_with("messages=50 served=2 left=1 "),
            "{totals}"
        );
    }
}
