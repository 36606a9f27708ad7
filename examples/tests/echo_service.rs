//! Runs `echo_service` with files of its kind.
#![expect(clippy::unwrap_used, reason = "a test's way to fail")]

use std::fs;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::path::PathBuf;
use std::process::{Command, Output};
use std::thread;

use program::{Program, outlives_a_lack_of_descriptors};
use tempfile::TempDir;

mod program;

const SERVICE: &str = env!("CARGO_BIN_EXE_echo_service");
const SAMPLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/echo_service/echo.toml");

/// A file with this in it.
fn file(text: &str) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("service.toml");
    fs::write(&path, text).unwrap();
    (folder, path)
}

fn check(text: &str) -> (String, String, Option<i32>) {
    let (_folder, path) = file(text);
    let Output {
        status,
        stdout,
        stderr,
    } = Command::new(SERVICE)
        .arg(path)
        .arg("--check")
        .output()
        .unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (text(stdout), text(stderr), status.code())
}

fn somaxconn() -> u32 {
    let text = fs::read_to_string("/proc/sys/net/core/somaxconn").unwrap();
    text.trim().parse().unwrap()
}

#[test]
fn serves_as_the_sample_says_and_prints_the_report() {
    let program = Program::start(SERVICE, &[SAMPLE, "--connections", "8"]);
    let at = program.address();
    thread::scope(|scope| {
        for number in 0..8 {
            scope.spawn(move || {
                let data = vec![number; 100_000];
                let mut stream = TcpStream::connect(at).unwrap();
                let mut back = Vec::new();
                thread::scope(|scope| {
                    let (data, writer) = (&data, stream.try_clone().unwrap());
                    scope.spawn(move || {
                        (&writer).write_all(data).unwrap();
                        writer.shutdown(Shutdown::Write).unwrap();
                    });
                    stream.read_to_end(&mut back).unwrap();
                });
                assert!(back == data);
            });
        }
    });
    let (lines, status) = program.end();
    assert!(status.success(), "{lines:?}");
    let said = |line: &str| assert!(lines.iter().any(|said| said == line), "{line}: {lines:?}");
    said("TCP_NODELAY: on");
    said("SO_KEEPALIVE: on");
    said("TCP_KEEPCNT: 3");
    let served = lines.iter().filter(|line| line.ends_with(": 100000 bytes"));
    assert_eq!(served.count(), 8, "{lines:?}");
}

#[test]
fn a_cut_backlog_is_in_the_report() {
    let asked = somaxconn() + 1;
    let (_folder, path) = file(&format!("listen = '127.0.0.1:0'\nbacklog = {asked}"));
    let program = Program::start(SERVICE, &[path.to_str().unwrap(), "--connections", "0"]);
    program.address();
    let (lines, status) = program.end();
    assert!(
        status.success() && lines.concat().contains("net.core.somaxconn"),
        "{lines:?}"
    );
}

#[test]
fn a_lack_of_descriptors_passes() {
    outlives_a_lack_of_descriptors(SERVICE, &[SAMPLE]);
}

/// What only a connection can be asked for does not keep a service from starting, and each connection is asked for it.
#[test]
fn what_only_a_connection_can_have_is_asked_of_connections() {
    let text =
        "listen = '127.0.0.1:0'\ntuning.ulp = 'tls'\ntuning.defer_accept_s = 1\ntuning.strict = ";
    for strict in ["false", "true"] {
        let text = format!("{text}{strict}");
        let (said, error, code) = check(&text);
        assert_eq!(code, Some(0), "{said}{error}");
        assert!(said.contains("TCP_ULP: tls requested"), "{said}");
        let (_folder, path) = file(&text);
        let program = Program::start(SERVICE, &[path.to_str().unwrap(), "--connections", "1"]);
        let mut stream = TcpStream::connect(program.address()).unwrap();
        stream.write_all(b"x").unwrap();
        stream.shutdown(Shutdown::Write).unwrap();
        let mut back = Vec::new();
        let read = stream.read_to_end(&mut back);
        let (lines, status) = program.end();
        assert!(status.success(), "{lines:?}");
        let asked = lines.iter().any(|line| {
            line.starts_with("127.0.0.1:") && line.contains("the kernel module tls is not loaded")
        });
        let has_tls = std::path::Path::new("/sys/module/tls").exists();
        assert!(asked || has_tls, "{lines:?}");
        if strict == "true" && asked {
            assert_eq!(back, b"", "{lines:?}");
        } else {
            read.unwrap();
            assert_eq!(back, b"x", "{lines:?}");
        }
    }
}

#[test]
fn a_strict_service_that_is_not_granted_all_does_not_start() {
    let asked = somaxconn() + 1;
    let text = format!("listen = '127.0.0.1:0'\nbacklog = {asked}\ntuning.strict = true");
    let (_folder, path) = file(&text);
    let Output {
        status,
        stdout,
        stderr,
    } = Command::new(SERVICE).arg(path).output().unwrap();
    let stderr = String::from_utf8(stderr).unwrap();
    assert_eq!((status.code(), stdout), (Some(1), Vec::new()), "{stderr}");
    assert!(stderr.contains("listen backlog: "), "{stderr}");
}

#[test]
fn check_says_what_would_be_granted_and_opens_nothing() {
    let (said, _, code) = check(&fs::read_to_string(SAMPLE).unwrap());
    assert!(
        said.contains("TCP_NODELAY: on") && !said.contains("listening"),
        "{said}"
    );
    assert_eq!(code, Some(0), "{said}");

    let asked = somaxconn() + 1;
    let (said, _, code) = check(&format!("listen = '[::1]:0'\nbacklog = {asked}"));
    assert!(said.contains("net.core.somaxconn"), "{said}");
    assert_eq!(code, Some(1));

    let (said, _, code) = check("listen = '[::1]:0'\ntuning.receive_buffer = 1073741823");
    assert!(said.contains("net.core.rmem_max"), "{said}");
    assert_eq!(code, Some(1));
}

#[test]
fn what_cannot_be_is_named_before_anything_is_opened() {
    for (text, named) in [
        ("listen = 'here'", "listen"),
        ("listen = '127.0.0.1:0'\nbacklogs = 1", "backlogs"),
        ("listen = '127.0.0.1:0'\ntuning.nodelays = true", "nodelays"),
        (
            "listen = '127.0.0.1:0'\ntuning.congestion = 'a name of many letters'",
            "congestion",
        ),
        ("listen = '127.0.0.1:0'\ntuning.udp_gro = true", "UDP_GRO"),
        (
            "listen = '127.0.0.1:0'\ntuning.receive_buffer = 0",
            "SO_RCVBUF",
        ),
    ] {
        let (said, error, code) = check(text);
        assert_eq!((said.as_str(), code), ("", Some(1)), "{text}");
        assert!(error.contains(named), "{text}: {error}");
    }
}
