//! The example does what it says, with io_uring and without.

use std::net::UdpSocket;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use program::Program;

mod container;
mod program;

const PROGRAM: &str = env!("CARGO_BIN_EXE_udp_echo_ring");
const EPERM: u16 = 1;
const ENOSYS: u16 = 38;
const PATIENCE: Duration = Duration::from_secs(60);

/// Starts it, with io_uring or where that is refused.
fn start(refusal: Option<u16>, arguments: &[&str]) -> Program {
    match refusal {
        Some(errno) => container::inside(errno, || Program::start(PROGRAM, arguments)),
        None => Program::start(PROGRAM, arguments),
    }
}

fn succeeded(program: Program) -> Vec<String> {
    let (lines, status) = program.end();
    assert!(status.success(), "{lines:?}");
    lines
}

fn path(refusal: Option<u16>) -> &'static str {
    if refusal.is_some() {
        "path: epoll, since io_uring is refused: "
    } else {
        "path: io_uring"
    }
}

#[test]
fn both_ends_over_loopback_agree() {
    for refusal in [None, Some(EPERM), Some(ENOSYS)] {
        let lines = succeeded(start(refusal, &["--datagrams", "5000"]));
        assert!(lines.iter().any(|line| line.starts_with(path(refusal))));
        let bytes: u64 = (0..5000).map(|number| 8 + number * 37 % 1400).sum();
        let want = format!("udp_echo_ring: datagrams=5000 bytes={bytes} cut=0 dropped=0");
        assert_eq!(lines.last(), Some(&want));
    }
}

#[test]
fn everybody_gets_an_answer_of_their_own_and_what_is_cut_gets_none() {
    for refusal in [None, Some(EPERM)] {
        let arguments = [
            "--listen",
            "127.0.0.1:0",
            "--datagrams",
            "13",
            "--longest",
            "1000",
        ];
        let program = start(refusal, &arguments);
        let server = program.address();
        program.says(path(refusal));
        let clients = [(); 3].map(|()| {
            let client = UdpSocket::bind("127.0.0.1:0").expect("bind");
            client.set_read_timeout(Some(PATIENCE)).expect("a time");
            client
        });
        let mut answer = [0; 2000];
        for len in [0, 1, 999, 1000] {
            for (number, client) in (1..).zip(&clients) {
                client.send_to(&vec![number; len], server).expect("send");
            }
            for (number, client) in (1..).zip(&clients) {
                let (got, from) = client.recv_from(&mut answer).expect("an answer");
                assert_eq!((&answer[..got], from), (&vec![number; len][..], server));
            }
        }
        clients[0].send_to(&[1; 1001], server).expect("send");
        let lines = succeeded(program);
        let want = "udp_echo_ring: datagrams=13 bytes=6000 cut=1 dropped=0";
        assert_eq!(lines.last().map(String::as_str), Some(want));
    }
}

/// The fourth datagram is longer than there is room for, so its answer never comes.
#[test]
fn it_ends_when_its_own_client_gives_up() {
    for refusal in [None, Some(EPERM)] {
        let program = start(refusal, &["--longest", "100", "--patience", "0.5"]);
        let (lines, status) = program.end();
        assert!(!status.success(), "{lines:?}");
        assert!(lines.iter().any(|line| line.starts_with(path(refusal))));
    }
}

#[test]
fn under_a_flood_it_ends_after_as_many_as_asked_for() {
    for refusal in [None, Some(EPERM)] {
        let program = start(refusal, &["--listen", "127.0.0.1:0", "--datagrams", "1000"]);
        let server = program.address();
        let is_over = AtomicBool::new(false);
        let flood = || {
            let client = UdpSocket::bind("127.0.0.1:0").expect("bind");
            while !is_over.load(Ordering::Relaxed) {
                client.send_to(&[1; 1000], server).expect("send");
            }
        };
        let (lines, status) = thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(flood);
            }
            let end = program.end();
            is_over.store(true, Ordering::Relaxed);
            end
        });
        assert!(status.success(), "{lines:?}");
        let want = "udp_echo_ring: datagrams=1000 ";
        assert!(lines.iter().any(|line| line.starts_with(want)), "{lines:?}");
    }
}
