//! The example does what it says, with io_uring and without.

use std::fs;
use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::Duration;

use program::Program;
use tempfile::TempDir;

mod container;
mod program;

const EPERM: u16 = 1;

/// Where the kernel refuses io_uring, or does not.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Place {
    Host,
    Container,
}

const PLACES: [Place; 2] = [Place::Host, Place::Container];

/// Bytes of which no two parts are alike.
fn bytes(len: u32) -> Vec<u8> {
    (0..len)
        .map(|at| at.wrapping_mul(0x9e37_79b9).to_be_bytes()[0])
        .collect()
}

/// Sizes around those of a buffer and of what is sent plainly.
const SIZES: [u32; 9] = [
    0, 1, 100, 16_383, 16_384, 65_535, 65_536, 200_000, 5_000_000,
];

/// A folder with a file of each size, and things beside it that nobody may have.
fn folder() -> TempDir {
    let folder = TempDir::new().expect("a folder");
    let served = folder.path().join("served");
    fs::create_dir_all(served.join("sub")).expect("a folder");
    for size in SIZES {
        fs::write(served.join(format!("{size}.bin")), bytes(size)).expect("write");
    }
    fs::write(served.join("index.html"), "at the top").expect("write");
    fs::write(served.join("sub/index.html"), "below").expect("write");
    fs::write(folder.path().join("secret"), "secret").expect("write");
    symlink("../secret", served.join("out")).expect("a link");
    symlink(folder.path().join("secret"), served.join("far_out")).expect("a link");
    symlink("index.html", served.join("in")).expect("a link");
    let made = Command::new("mkfifo").arg(served.join("pipe")).status();
    assert!(made.expect("mkfifo").success());
    folder
}

/// Starts a server that ends after so many connections.
fn serve(place: Place, folder: &Path, connections: usize) -> (Program, SocketAddr) {
    serve_with(place, folder, connections, &[])
}

/// As `serve`, with further arguments.
fn serve_with(
    place: Place,
    folder: &Path,
    connections: usize,
    more: &[&str],
) -> (Program, SocketAddr) {
    let served = folder.join("served");
    let count = connections.to_string();
    let arguments = [
        served.to_str().expect("a path"),
        "--listen",
        "127.0.0.1:0",
        "--connections",
        &count,
    ];
    let arguments = [&arguments, more].concat();
    let start = || Program::start(env!("CARGO_BIN_EXE_zc_file_server"), &arguments);
    let program = match place {
        Place::Host => start(),
        Place::Container => container::inside(EPERM, start),
    };
    let at = program.address();
    let line = program.says("path: ");
    match place {
        Place::Host => assert_eq!(line, "path: io_uring"),
        Place::Container => assert!(
            line.starts_with("path: epoll, since io_uring is refused") && line.contains("seccomp"),
            "{line}"
        ),
    }
    (program, at)
}

/// Sends a request, and returns the first line of the answer and its body.
fn ask(at: SocketAddr, request: &str) -> (String, Vec<u8>) {
    let mut stream = TcpStream::connect(at).expect("connect");
    stream
        .set_read_timeout(Some(Duration::from_secs(60)))
        .expect("a time");
    stream.write_all(request.as_bytes()).expect("write");
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).expect("read");
    let end = answer
        .windows(4)
        .position(|four| four == b"\r\n\r\n")
        .expect("a head");
    let body = answer.split_off(end + 4);
    let head = String::from_utf8(answer).expect("text");
    let len = head
        .lines()
        .find_map(|line| line.strip_prefix("Content-Length: "));
    assert_eq!(len.expect("a length").parse(), Ok(body.len()));
    (head.lines().next().unwrap_or_default().to_owned(), body)
}

fn get(at: SocketAddr, path: &str) -> (String, Vec<u8>) {
    ask(at, &format!("GET {path} HTTP/1.0\r\n\r\n"))
}

/// Its last line: connections, bytes, zero-copied, copied.
fn totals(program: Program) -> [u64; 4] {
    let (lines, status) = program.end();
    assert!(status.success(), "{lines:?}");
    let line = lines
        .iter()
        .find_map(|line| line.strip_prefix("zc_file_server: "));
    let fields = line
        .unwrap_or_else(|| panic!("{lines:?}"))
        .split(' ')
        .map(|field| {
            let (_, number) = field.split_once('=').expect("name=number");
            number.parse().expect("a number")
        });
    let fields: Vec<u64> = fields.collect();
    fields.try_into().expect("four numbers")
}

#[test]
fn every_byte_of_every_file_arrives_at_many_clients() {
    const CLIENTS: usize = 8;
    let folder = folder();
    for place in PLACES {
        let (program, at) = serve(place, folder.path(), CLIENTS * SIZES.len());
        let clients: Vec<_> = (0..CLIENTS)
            .map(|shift| {
                thread::spawn(move || {
                    for size in SIZES.iter().cycle().skip(shift).take(SIZES.len()) {
                        let (line, body) = get(at, &format!("/{size}.bin"));
                        assert_eq!(line, "HTTP/1.0 200 OK");
                        assert!(body == bytes(*size), "{size} bytes, others came");
                    }
                })
            })
            .collect();
        for client in clients {
            client.join().expect("a client");
        }
        let [connections, sent, zero_copied, copied] = totals(program);
        assert_eq!(connections, 72);
        let bodies = u64::from(SIZES.iter().sum::<u32>()) * 8;
        assert!(sent > bodies && sent < bodies + 72 * 200, "{sent}");
        assert_eq!((zero_copied, copied), (0, sent), "loopback copies");
    }
}

#[test]
fn nothing_outside_the_folder_is_served() {
    let folder = folder();
    let requests = [
        ("/", "200 OK", "at the top"),
        ("/sub/", "200 OK", "below"),
        ("/in", "200 OK", "at the top"),
        ("/out", "403 Forbidden", ""),
        ("/far_out", "403 Forbidden", ""),
        ("/../secret", "403 Forbidden", ""),
        ("/sub/../../secret", "403 Forbidden", ""),
        ("/%2e%2e/secret", "403 Forbidden", ""),
        ("//etc/passwd", "403 Forbidden", ""),
        ("/sub", "403 Forbidden", ""),
        ("/pipe", "403 Forbidden", ""),
        ("/none", "404 Not Found", ""),
        ("/index.html/x", "404 Not Found", ""),
        ("secret", "400 Bad Request", ""),
    ];
    for place in PLACES {
        let (program, at) = serve(place, folder.path(), requests.len() + 3);
        for (path, status, body) in requests {
            let (line, got) = get(at, path);
            assert_eq!(
                (line, got),
                (format!("HTTP/1.0 {status}"), body.into()),
                "{path}"
            );
        }
        let (line, _) = ask(at, "POST / HTTP/1.0\r\n\r\n");
        assert_eq!(line, "HTTP/1.0 501 Not Implemented");
        let (line, _) = ask(at, "what?\r\n\r\n");
        assert_eq!(line, "HTTP/1.0 400 Bad Request");
        let (line, _) = ask(at, &"x".repeat(8193));
        assert_eq!(line, "HTTP/1.0 431 Request Header Fields Too Large");
        totals(program);
    }
}

#[test]
fn clients_that_go_away_or_do_not_read_keep_nobody_from_being_served() {
    let folder = folder();
    for place in PLACES {
        let (program, at) = serve(place, folder.path(), 51);
        let ask_for = |request: &[u8]| {
            let mut stream = TcpStream::connect(at).expect("connect");
            stream.write_all(request).expect("write");
            stream
        };
        let large = b"GET /5000000.bin HTTP/1.0\r\n\r\n";
        // They leave a few buffers to others, and none of them reads.
        let silent: Vec<_> = (0..30).map(|_| ask_for(large)).collect();
        for _ in 0..10 {
            drop(ask_for(large));
            drop(ask_for(b"GET /"));
        }
        let (line, body) = get(at, "/200000.bin");
        assert_eq!(line, "HTTP/1.0 200 OK");
        assert!(body == bytes(200_000), "other bytes came");
        for mut stream in silent {
            // Who sends no more gets the answer all the same.
            stream.shutdown(Shutdown::Write).expect("shutdown");
            let mut answer = Vec::new();
            stream.read_to_end(&mut answer).expect("read");
            assert!(answer.ends_with(&bytes(5_000_000)), "other bytes came");
        }
        let [connections, ..] = totals(program);
        assert_eq!(connections, 51);
    }
}

/// More than there are buffers for: each may have 8 of 256.
#[test]
fn clients_that_never_read_are_left_and_others_get_their_buffers() {
    let folder = folder();
    for place in PLACES {
        let (program, at) = serve_with(place, folder.path(), 43, &["--patience", "1"]);
        let ask_for = |request: &[u8]| {
            let mut stream = TcpStream::connect(at).expect("connect");
            stream.write_all(request).expect("write");
            stream
        };
        let silent: Vec<_> = (0..40)
            .map(|_| ask_for(b"GET /5000000.bin HTTP/1.0\r\n\r\n"))
            .collect();
        // Neither of them ever asks for anything.
        let quiet = [ask_for(b""), ask_for(b"GET /")];
        let (line, body) = get(at, "/5000000.bin");
        assert_eq!(line, "HTTP/1.0 200 OK");
        assert!(body == bytes(5_000_000), "other bytes came");
        let [connections, ..] = totals(program);
        assert_eq!(connections, 43);
        for mut stream in silent.into_iter().chain(quiet) {
            let mut answer = Vec::new();
            let end = stream.read_to_end(&mut answer);
            assert!(
                end.is_err() || answer.len() < 5_000_000,
                "it was waited for"
            );
        }
    }
}

/// It takes longer than the server's patience, and never stops for so long. No socket has room for the file.
#[test]
fn a_client_that_reads_slowly_gets_everything() {
    const LEN: u32 = 40_000_000;
    let folder = folder();
    let whole = bytes(LEN);
    fs::write(folder.path().join("served/large.bin"), &whole).expect("write");
    for place in PLACES {
        let (program, at) = serve_with(place, folder.path(), 1, &["--patience", "2"]);
        let mut stream = TcpStream::connect(at).expect("connect");
        let request = b"GET /large.bin HTTP/1.0\r\n\r\n";
        stream.write_all(request).expect("write");
        let mut answer = Vec::new();
        let mut part = vec![0; 800_000];
        loop {
            thread::sleep(Duration::from_millis(100));
            let read = stream.read(&mut part);
            let len = read.unwrap_or_else(|error| panic!("{place:?}: {error}"));
            if len == 0 {
                break;
            }
            answer.extend_from_slice(&part[..len]);
        }
        assert!(answer.ends_with(&whole), "other bytes came");
        totals(program);
    }
}

#[test]
fn it_outlives_a_lack_of_descriptors() {
    let folder = folder();
    let served = folder.path().join("served");
    let arguments = [served.to_str().expect("a path"), "--listen", "127.0.0.1:0"];
    let start = || Program::start_with(16, env!("CARGO_BIN_EXE_zc_file_server"), &arguments);
    for program in [start(), container::inside(EPERM, start)] {
        let at = program.address();
        let waiting: Vec<_> = (0..20)
            .map(|_| TcpStream::connect(at).expect("connect"))
            .collect();
        program.says("accept: Too many open files");
        drop(waiting);
        // A file is a descriptor, too: not before some of them are gone.
        let is_served = |_| {
            thread::sleep(Duration::from_millis(50));
            get(at, "/100.bin") == ("HTTP/1.0 200 OK".to_owned(), bytes(100))
        };
        assert!((0..200).any(is_served), "it serves nobody any more");
    }
}

/// What is unread when a connection is closed resets it, and an answer that is on its way is lost.
#[test]
fn who_sends_more_than_is_asked_for_gets_the_answer_all_the_same() {
    let folder = folder();
    let body = "x".repeat(1 << 20);
    for place in PLACES {
        let (program, at) = serve(place, folder.path(), 4);
        let (line, _) = ask(at, &body);
        assert_eq!(line, "HTTP/1.0 431 Request Header Fields Too Large");
        let (line, _) = ask(at, &format!("POST / HTTP/1.0\r\n\r\n{body}"));
        assert_eq!(line, "HTTP/1.0 501 Not Implemented");
        let (line, got) = ask(at, &format!("GET /100.bin HTTP/1.0\r\n\r\n{body}"));
        assert_eq!((line.as_str(), got), ("HTTP/1.0 200 OK", bytes(100)));
        // Also what comes when the answer is over is read.
        let mut late = TcpStream::connect(at).expect("connect");
        let request = b"GET /100.bin HTTP/1.0\r\n\r\n";
        late.write_all(request).expect("write");
        late.read_to_end(&mut Vec::new()).expect("read");
        for part in body.as_bytes().chunks(1 << 14) {
            // A server that closes has the time to.
            thread::sleep(Duration::from_millis(2));
            late.write_all(part)
                .unwrap_or_else(|error| panic!("{place:?}: {error}"));
        }
        drop(late);
        totals(program);
    }
}

#[test]
fn who_has_the_answer_and_stays_is_left() {
    let folder = folder();
    for place in PLACES {
        let (program, at) = serve_with(place, folder.path(), 1, &["--patience", "0.5"]);
        let mut stream = TcpStream::connect(at).expect("connect");
        let request = b"GET /100.bin HTTP/1.0\r\n\r\n";
        stream.write_all(request).expect("write");
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).expect("read");
        assert!(answer.ends_with(&bytes(100)), "other bytes came");
        totals(program);
        drop(stream);
    }
}

#[test]
fn with_one_buffer_for_all_every_byte_arrives() {
    let folder = folder();
    for place in PLACES {
        let (program, at) = serve_with(place, folder.path(), 6, &["--buffers", "1"]);
        let clients: Vec<_> = (0..6)
            .map(|_| thread::spawn(move || get(at, "/5000000.bin")))
            .collect();
        for client in clients {
            let (line, body) = client.join().expect("a client");
            assert_eq!(line, "HTTP/1.0 200 OK");
            assert!(body == bytes(5_000_000), "other bytes came");
        }
        totals(program);
    }
}

/// There are descriptors for more than it takes at a time, and not for all.
#[test]
fn connections_beyond_the_most_wait_until_there_is_room() {
    let folder = folder();
    let served = folder.path().join("served");
    let arguments = [
        served.to_str().expect("a path"),
        "--listen",
        "127.0.0.1:0",
        "--connections",
        "16",
        "--at-a-time",
        "3",
        "--patience",
        "0.5",
    ];
    let start = || Program::start_with(16, env!("CARGO_BIN_EXE_zc_file_server"), &arguments);
    for place in PLACES {
        let program = match place {
            Place::Host => start(),
            Place::Container => container::inside(EPERM, start),
        };
        let at = program.address();
        let silent: Vec<_> = (0..15)
            .map(|_| TcpStream::connect(at).expect("connect"))
            .collect();
        assert_eq!(get(at, "/100.bin").1, bytes(100));
        let (lines, status) = program.end();
        assert!(status.success(), "{lines:?}");
        // An accept of a ring has taken all that waited when it is told to stop.
        let is_lack = |line: &String| line.contains("Too many open files");
        let has_lacked = lines.iter().any(is_lack);
        assert!(place == Place::Host || !has_lacked, "{lines:?}");
        drop(silent);
    }
}
