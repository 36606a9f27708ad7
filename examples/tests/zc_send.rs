//! The example does what it says, with io_uring and without.

use std::io::Read;
use std::net::{TcpListener, UdpSocket};
use std::process::{Command, Output};
use std::thread;

mod container;

const EPERM: u16 = 1;
/// What a kernel says to a flag it does not know.
const EINVAL: u16 = 22;
const ENOSYS: u16 = 38;

fn zc_send(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_zc_send"));
    command.args(arguments);
    command
}

/// What a program said that has succeeded.
fn said(output: &Output) -> Vec<String> {
    let text = String::from_utf8_lossy(&output.stdout);
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{text}{error}");
    text.lines().map(str::to_owned).collect()
}

fn path(lines: &[String]) -> &str {
    let line = lines.iter().find_map(|line| line.strip_prefix("path: "));
    line.unwrap_or_else(|| panic!("no path: {lines:?}"))
}

fn last(lines: &[String]) -> &str {
    lines.last().map_or("", String::as_str)
}

/// Runs it where every call of io_uring is answered with `errno`.
fn contained(errno: u16, arguments: &[&str]) -> Vec<String> {
    let lines = container::inside(errno, || {
        said(&zc_send(arguments).output().expect("zc_send"))
    });
    let path = path(&lines);
    let (answer, remedy) = match errno {
        EPERM => (
            "Operation not permitted (os error 1): a seccomp filter",
            "allow io_uring_setup",
        ),
        ENOSYS => (
            "Function not implemented (os error 38): a seccomp filter",
            "allow io_uring_setup",
        ),
        _ => ("Invalid argument (os error 22)", "it takes Linux 6.0"),
    };
    let start = format!("epoll, since io_uring is refused: io_uring_setup: {answer}");
    assert!(path.starts_with(&start) && path.contains(remedy), "{path}");
    lines
}

#[test]
fn over_a_ring_all_arrives_and_all_is_copied_over_loopback() {
    let lines = said(&zc_send(&["--count", "100"]).output().expect("zc_send"));
    assert_eq!(path(&lines), "io_uring");
    let want = "zc_send: tcp sends=100 bytes=6000000 zero_copied=0 copied=6000000 not_sent=0";
    assert_eq!(last(&lines), want);
}

/// A listener's bytes, read to the end.
fn reader() -> (String, thread::JoinHandle<Vec<u8>>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("listen");
    let at = listener.local_addr().expect("an address");
    let reader = thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("accept");
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).expect("read");
        bytes
    });
    (at.to_string(), reader)
}

#[test]
fn in_a_container_that_refuses_a_ring_every_byte_goes_over_epoll() {
    for (errno, plain) in [
        (EPERM, false),
        (ENOSYS, false),
        (EINVAL, false),
        (EPERM, true),
    ] {
        let (at, reader) = reader();
        let mut arguments = vec!["--connect", &at, "--count", "300", "--size", "50001"];
        arguments.extend(plain.then_some("--plain"));
        let lines = contained(errno, &arguments);
        let want = "zc_send: tcp sends=300 bytes=15000300 zero_copied=0 copied=15000300 not_sent=0";
        assert_eq!(last(&lines), want);
        let way = if plain {
            "sends: plain"
        } else {
            "sends: MSG_ZEROCOPY"
        };
        assert!(lines.iter().any(|line| line == way), "{lines:?}");
        let bytes = reader.join().expect("the reader");
        assert_eq!(bytes.len(), 15_000_300);
        let is_as_sent = bytes
            .iter()
            .zip((0..=250).cycle())
            .all(|(is, was)| *is == was);
        assert!(is_as_sent, "other bytes came");
    }
}

#[test]
fn a_peer_that_goes_ends_it_with_the_reason() {
    let run = || {
        let listener = TcpListener::bind("127.0.0.1:0").expect("listen");
        let at = listener.local_addr().expect("an address").to_string();
        let peer = thread::spawn(move || {
            let (mut stream, _) = listener.accept().expect("accept");
            stream.read_exact(&mut [0; 100_000]).expect("read");
        });
        let output = zc_send(&["--connect", &at, "--count", "10000"]).output();
        peer.join().expect("the peer");
        output.expect("zc_send")
    };
    for output in [run(), container::inside(EPERM, run)] {
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success(), "{error}");
        let is_told = ["Connection reset by peer", "Broken pipe"]
            .iter()
            .any(|reason| error.contains(reason));
        assert!(is_told && error.starts_with("Error: send: "), "{error}");
    }
}

#[test]
fn in_a_container_it_checks_its_own_bytes_too() {
    let lines = contained(EPERM, &["--count", "100"]);
    let received = "received 6000000 bytes, all as they were sent";
    assert!(lines.iter().any(|line| line == received), "{lines:?}");
}

#[test]
fn in_a_container_datagrams_go_over_epoll() {
    let peer = UdpSocket::bind("127.0.0.1:0").expect("bind");
    let at = peer.local_addr().expect("an address").to_string();
    let lines = contained(EPERM, &["--udp", &at, "--count", "3", "--size", "1000"]);
    let want = "zc_send: udp sends=3 bytes=3000 zero_copied=0 copied=3000 not_sent=0";
    assert_eq!(last(&lines), want);
    let mut bytes = [0; 2000];
    for _ in 0..3 {
        assert_eq!(peer.recv(&mut bytes).expect("recv"), 1000);
        let is_as_sent = bytes
            .iter()
            .zip((0..=250).cycle())
            .take(1000)
            .all(|(is, was)| *is == was);
        assert!(is_as_sent, "other bytes came");
    }
}

/// A limit is to be raised, not to be gone around.
#[test]
fn a_limit_is_no_reason_to_go_another_way() {
    let line = "ulimit -n 4; exec \"$0\" \"$@\"";
    let output = Command::new("sh")
        .args([
            "-c",
            line,
            env!("CARGO_BIN_EXE_zc_send"),
            "--udp",
            "127.0.0.1:9",
        ])
        .output()
        .expect("sh");
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success(), "{error}");
    assert!(error.contains("RLIMIT_NOFILE"), "{error}");
}
