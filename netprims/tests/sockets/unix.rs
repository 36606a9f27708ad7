use std::io::{Read, Write};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use netprims::Error;
use netprims::socket::UnixBuilder;
use netprims::sysctl::Sysctl;
use netprims::tuning::{Outcome, Tuning, Value};
use rstest::rstest;

use crate::descriptors::is_close_on_exec;

const UNIX: UnixBuilder = UnixBuilder::new();
const REPLACES: UnixBuilder = UNIX.replace_stale(true);

/// A folder of a test's own, gone with it.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("netprims-unix-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir(&path).unwrap();
        Self(path)
    }

    fn name(&self) -> SocketAddr {
        SocketAddr::from_pathname(self.file()).unwrap()
    }

    fn file(&self) -> PathBuf {
        self.0.join("socket")
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn abstract_name() -> SocketAddr {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    // A NUL is a byte as any other there.
    let name = format!("netprims\0{} {number}", std::process::id());
    SocketAddr::from_abstract_name(name).unwrap()
}

fn talks(name: &SocketAddr) {
    let (listener, _) = UNIX.listen(name).unwrap();
    let (mut near, _) = UNIX.connect(name).unwrap();
    let (mut far, peer) = listener.accept().unwrap();
    assert!(peer.is_unnamed());
    assert!(is_close_on_exec(&listener) && is_close_on_exec(&near) && is_close_on_exec(&far));
    near.write_all(b"there").unwrap();
    near.shutdown(std::net::Shutdown::Write).unwrap();
    let mut text = String::new();
    far.read_to_string(&mut text).unwrap();
    assert_eq!(text, "there");
    let same = |other: SocketAddr| {
        assert_eq!(other.as_pathname(), name.as_pathname());
        assert_eq!(other.as_abstract_name(), name.as_abstract_name());
    };
    same(listener.local_addr().unwrap());
    same(near.peer_addr().unwrap());
    near.close().unwrap();
    far.close().unwrap();
    listener.close().unwrap();
}

#[test]
fn a_path_is_talked_over_and_its_file_stays() {
    let folder = Folder::new();
    talks(&folder.name());
    assert!(folder.file().exists(), "it is not ours to remove");
}

#[test]
fn an_abstract_name_is_talked_over_and_goes_with_its_socket() {
    let name = abstract_name();
    talks(&name);
    talks(&name);
}

#[test]
fn an_unnamed_socket_gets_a_name_from_the_kernel() {
    let unnamed = SocketAddr::from_pathname("").unwrap();
    let (listener, _) = UNIX.listen(&unnamed).unwrap();
    let name = listener.local_addr().unwrap();
    assert_eq!(name.as_abstract_name().unwrap().len(), 5);
    drop(UNIX.connect(&name).unwrap());
    listener.accept().unwrap();
}

#[test]
fn datagrams_come_in_order_and_whole() {
    let folder = Folder::new();
    let (server, _) = UNIX.bind_datagram(&folder.name()).unwrap();
    let (client, _) = UNIX.connect_datagram(&folder.name()).unwrap();
    assert!(is_close_on_exec(&server) && is_close_on_exec(&client));
    client.send(b"one").unwrap();
    client.send(b"").unwrap();
    let (named, _) = UNIX.bind_datagram(&abstract_name()).unwrap();
    named.send_to(b"two", &folder.name()).unwrap();
    let mut data = [0; 16];
    let (bytes, from) = server.recv_from(&mut data).unwrap();
    assert!(bytes == 3 && from.is_unnamed());
    assert_eq!(server.recv(&mut data).unwrap(), 0);
    let (_, from) = server.recv_from(&mut data).unwrap();
    server.send_to(b"back", &from).unwrap();
    assert_eq!(named.recv(&mut data).unwrap(), 4);
    assert_eq!(&data[..4], b"back");
    client.set_nonblocking(true).unwrap();
    let full = std::iter::repeat_with(|| client.send(b"x")).find_map(Result::err);
    assert_eq!(full.unwrap().raw_os_error(), Some(11));
}

#[test]
fn a_receiver_that_is_connected_elsewhere_takes_nothing() {
    let [receiver, elsewhere] = [abstract_name(), abstract_name()];
    let (socket, _) = UNIX.bind_datagram(&receiver).unwrap();
    let (_other, _) = UNIX.bind_datagram(&elsewhere).unwrap();
    let socket = std::os::unix::net::UnixDatagram::from(socket);
    socket.connect_addr(&elsewhere).unwrap();
    let (sender, _) = UNIX.bind_datagram(&abstract_name()).unwrap();
    let error = sender.send_to(b"x", &receiver).unwrap_err();
    assert_eq!(error.raw_os_error(), Some(1), "{error}");
}

#[test]
fn a_datagram_socket_without_a_peer_ends_for_itself() {
    let name = abstract_name();
    let (socket, _) = UNIX.bind_datagram(&name).unwrap();
    socket.shutdown(std::net::Shutdown::Both).unwrap();
    assert_eq!(socket.recv(&mut [0; 1]).unwrap(), 0);
    let (sender, _) = UNIX.connect_datagram(&name).unwrap();
    let error = sender.send(b"x").unwrap_err();
    assert_eq!(error.raw_os_error(), Some(32), "{error}");
}

#[test]
fn a_name_in_use_says_what_to_do() {
    let folder = Folder::new();
    let (_listener, _) = UNIX.listen(&folder.name()).unwrap();
    for error in [
        UNIX.listen(&folder.name()).map(drop).unwrap_err(),
        UNIX.bind_datagram(&folder.name()).map(drop).unwrap_err(),
    ] {
        assert_eq!(error.raw_os_error(), Some(98), "{error}");
        let text = error.to_string();
        assert!(text.contains("replace_stale"), "{text}");
        assert!(text.contains(folder.file().to_str().unwrap()), "{text}");
    }
}

#[rstest]
#[case::stream(false)]
#[case::datagram(true)]
fn a_stale_file_is_replaced_only_if_asked(#[case] datagram: bool) {
    let folder = Folder::new();
    let name = folder.name();
    let open = |builder: UnixBuilder| {
        if datagram {
            builder.bind_datagram(&name).map(|(socket, _)| drop(socket))
        } else {
            builder.listen(&name).map(|(socket, _)| drop(socket))
        }
    };
    open(REPLACES).unwrap();
    assert_eq!(open(UNIX).unwrap_err().raw_os_error(), Some(98));
    open(REPLACES).unwrap();
    open(REPLACES).unwrap();
}

#[test]
fn what_lives_or_is_no_socket_is_never_removed() {
    let folder = Folder::new();
    let refused = || {
        for error in [
            REPLACES.listen(&folder.name()).map(drop).unwrap_err(),
            REPLACES
                .bind_datagram(&folder.name())
                .map(drop)
                .unwrap_err(),
        ] {
            assert_eq!(error.raw_os_error(), Some(98), "{error}");
        }
        assert!(folder.file().symlink_metadata().is_ok());
    };
    let remove = |file: &Path| std::fs::remove_file(file).unwrap();
    let (listener, _) = UNIX.backlog(0).listen(&folder.name()).unwrap();
    refused();
    // What asked before still waits: a full queue is not an absent server.
    refused();
    drop(listener);
    remove(&folder.file());
    let (_datagram, _) = UNIX.bind_datagram(&folder.name()).unwrap();
    refused();
    remove(&folder.file());
    std::fs::write(folder.file(), "a file").unwrap();
    refused();
    remove(&folder.file());
    std::fs::create_dir(folder.file()).unwrap();
    refused();
    std::fs::remove_dir(folder.file()).unwrap();
    // A link to a stale socket is a link.
    let stale = folder.0.join("stale");
    drop(
        UNIX.listen(&SocketAddr::from_pathname(&stale).unwrap())
            .unwrap(),
    );
    std::os::unix::fs::symlink(&stale, folder.file()).unwrap();
    refused();
    assert!(stale.exists());
    // An abstract name has no file.
    let name = abstract_name();
    let (_listener, _) = REPLACES.listen(&name).unwrap();
    assert_eq!(REPLACES.listen(&name).unwrap_err().raw_os_error(), Some(98));
}

/// As a server is between bind and listen.
#[rstest]
#[case::by_its_path(false)]
#[case::by_another(true)]
fn what_is_bound_and_does_not_listen_yet_is_never_removed(#[case] by_another: bool) {
    let folder = Folder::new();
    let file = if by_another {
        let link = folder.0.join("link");
        std::os::unix::fs::symlink(&folder.0, &link).unwrap();
        link.join("socket")
    } else {
        folder.file()
    };
    let server = socket2::Socket::new(socket2::Domain::UNIX, socket2::Type::STREAM, None).unwrap();
    server
        .bind(&socket2::SockAddr::unix(&file).unwrap())
        .unwrap();
    for _ in 0..2 {
        let error = REPLACES.listen(&folder.name()).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(98), "{error}");
    }
    server.listen(1).unwrap();
    drop(UNIX.connect(&folder.name()).unwrap());
    // A connection that is left has the path in the table too, and keeps nothing.
    let _far = server.accept().unwrap();
    drop(server);
    drop(REPLACES.listen(&folder.name()).unwrap());
}

#[test]
fn nobody_there_is_an_error_that_names_the_place() {
    let folder = Folder::new();
    let error = UNIX.connect(&folder.name()).unwrap_err();
    assert_eq!(error.raw_os_error(), Some(2), "{error}");
    drop(UNIX.listen(&folder.name()).unwrap());
    let error = UNIX.connect(&folder.name()).unwrap_err();
    assert_eq!(error.raw_os_error(), Some(111), "{error}");
    let error = UNIX.connect_datagram(&folder.name()).unwrap_err();
    assert_eq!(error.raw_os_error(), Some(111), "{error}");
    let error = UNIX.connect(&abstract_name()).unwrap_err();
    assert!(error.to_string().contains("@netprims\\x00"), "{error}");
}

#[test]
fn a_backlog_that_is_cut_is_not_granted_and_one_that_is_not_holds() {
    let limit: u32 = {
        let somaxconn = Sysctl::new("net.core.somaxconn").read().unwrap();
        somaxconn.unwrap().parse().unwrap()
    };
    let name = abstract_name();
    let (listener, report) = UNIX.backlog(limit + 1).listen(&name).unwrap();
    let [Outcome::Differs(difference)] = report.outcomes() else {
        panic!("{report}")
    };
    assert_eq!(difference.effective(), Some(Value::Number(limit)));
    assert!(
        report.to_string().contains("net.core.somaxconn"),
        "{report}"
    );
    assert_eq!(UNIX.backlog(limit + 1).check_listen().unwrap(), report);
    let strict = UNIX.tuning(Tuning::unix().strict(true)).backlog(limit + 1);
    let folder = Folder::new();
    let error = strict.listen(&folder.name()).unwrap_err();
    assert!(matches!(error, Error::NotGranted(_)), "{error}");
    assert!(!folder.file().exists(), "it was bound");
    drop(listener);
    for backlog in [0, 1, 5] {
        let name = abstract_name();
        let (_listener, report) = UNIX.backlog(backlog).listen(&name).unwrap();
        assert!(report.is_granted(), "{report}");
        let mut waiting = Vec::new();
        let full = loop {
            let socket = socket2::Socket::new(socket2::Domain::UNIX, socket2::Type::STREAM, None);
            let socket = socket.unwrap();
            socket.set_nonblocking(true).unwrap();
            let address = [b"\0", name.as_abstract_name().unwrap()].concat();
            let address = String::from_utf8(address).unwrap();
            match socket.connect(&socket2::SockAddr::unix(address).unwrap()) {
                Ok(()) => waiting.push(socket),
                Err(error) => break error,
            }
        };
        assert_eq!(full.raw_os_error(), Some(11));
        assert_eq!(waiting.len(), usize::try_from(backlog + 1).unwrap());
    }
}

/// What the documentation of `listen` says: an accepted connection is to be tuned itself.
#[test]
fn the_listeners_options_are_not_the_connections() {
    let name = abstract_name();
    let tuning = Tuning::unix().send_buffer(50_000).strict(true);
    let (listener, _) = UNIX.tuning(tuning).listen(&name).unwrap();
    let (near, _) = UNIX.tuning(tuning).connect(&name).unwrap();
    let (far, _) = listener.accept().unwrap();
    let size = |socket: socket2::SockRef<'_>| socket.send_buffer_size().unwrap();
    assert_eq!(size((&near).into()), 100_000);
    assert_ne!(size((&far).into()), 100_000);
    let _ = tuning.apply(&far).unwrap();
    assert_eq!(size((&far).into()), 100_000);
}
