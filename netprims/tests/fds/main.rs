//! Each kind of descriptor: what it does, what it refuses, and that nothing stays open.
#![expect(clippy::unwrap_used, reason = "a test's way to fail")]
#![expect(
    clippy::zombie_processes,
    reason = "children are waited for through their pidfd"
)]

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{Read, Seek, Write};
use std::net::TcpListener;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::ExitStatusExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use again::without_privilege;
use descriptors::{balanced, is_close_on_exec};
use netprims::fd::{
    BusyPoll, Clock, Epoll, EventFd, EventFdOptions, Events, Interest, MemFd, MemFdOptions, PidFd,
    Seals, TimerFd, TimerFdOptions,
};
use netprims::netns::NetNs;
use netprims::socket::TcpBuilder;
use netprims::{Error, Result};
use rstest::rstest;

#[path = "../again/mod.rs"]
mod again;
#[path = "../descriptors/mod.rs"]
mod descriptors;
mod epoll;
mod eventfd;
mod memfd;
mod pidfd;
mod timerfd;

const EAGAIN: Option<i32> = Some(11);

fn errno<T>(result: Result<T>) -> Option<i32> {
    match result {
        Ok(_) => None,
        Err(error) => error.raw_os_error(),
    }
}

fn is_invalid<T>(result: Result<T>) -> bool {
    matches!(result, Err(Error::InvalidValue { .. }))
}

fn null() -> OwnedFd {
    File::open("/dev/null").unwrap().into()
}

/// There and back again, and closed with its error.
fn round_trip<T: From<OwnedFd> + Into<OwnedFd> + AsFd + AsRawFd>(value: T) -> T {
    assert!(is_close_on_exec(&value));
    let number = value.as_raw_fd();
    assert_eq!(number, value.as_fd().as_raw_fd());
    let owned: OwnedFd = value.into();
    assert_eq!(owned.as_raw_fd(), number);
    T::from(owned)
}

#[test]
fn every_kind_is_close_on_exec_converts_and_closes() {
    balanced(|| {
        round_trip(Epoll::new().unwrap()).close().unwrap();
        round_trip(EventFd::new().unwrap()).close().unwrap();
        for clock in [Clock::Monotonic, Clock::Realtime, Clock::Boottime] {
            round_trip(TimerFd::new(clock).unwrap()).close().unwrap();
        }
        round_trip(PidFd::open(std::process::id()).unwrap())
            .close()
            .unwrap();
        round_trip(MemFd::new("round trip").unwrap())
            .close()
            .unwrap();
        round_trip(NetNs::current().unwrap()).close().unwrap();
    });
}

/// The names of the types that are one descriptor.
fn kinds(folder: &Path, found: &mut BTreeSet<String>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            kinds(&path, found);
            continue;
        }
        let text = std::fs::read_to_string(&path).unwrap();
        for line in text.lines() {
            let name = line.strip_prefix("owned_fd!(");
            found.extend(name.map(|name| name.trim_end_matches(");").to_owned()));
        }
    }
}

#[test]
fn no_kind_is_left_out_here() {
    let mut found = BTreeSet::new();
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    // Files are opened, and another test may be counting.
    balanced(|| kinds(&sources, &mut found));
    let here = ["Epoll", "EventFd", "MemFd", "NetNs", "PidFd", "TimerFd"];
    assert!(
        found.iter().eq(here),
        "to be converted and closed in the test above: {found:?}"
    );
}

#[test]
fn a_descriptor_of_another_kind_is_an_error_at_the_first_call() {
    balanced(|| {
        let epoll = Epoll::from(null());
        assert_eq!(
            errno(epoll.wait(&mut Events::with_capacity(1), None)),
            Some(22)
        );
        assert_eq!(
            errno(epoll.add(&EventFd::new().unwrap(), 0, Interest::READABLE)),
            Some(22)
        );
        let error = epoll.set_busy_poll(BusyPoll::default()).unwrap_err();
        assert!(error.to_string().contains("epoll"), "{error}");
        epoll.busy_poll().unwrap_err();
        let timer = TimerFd::from(null());
        assert_eq!(errno(timer.set(Duration::ZERO, None)), Some(22));
        assert_eq!(errno(timer.disarm()), Some(22));
        assert_eq!(errno(timer.remaining()), Some(22));
        timer.wait().unwrap_err();
        EventFd::from(null()).take().unwrap_err();
        let memory = MemFd::from(null());
        assert_eq!(errno(memory.seals()), Some(22));
        memory.seal(Seals::SEAL).unwrap_err();
        memory.set_len(1).unwrap_err();
        let process = PidFd::from(null());
        process.send_signal(0).unwrap_err();
        process.wait().unwrap_err();
        process.try_wait().unwrap_err();
        process.pid().unwrap_err();
    });
}

#[test]
fn what_is_dropped_in_a_panic_is_closed() {
    balanced(|| {
        let result = catch_unwind(AssertUnwindSafe(|| {
            let _held = (
                Epoll::new().unwrap(),
                EventFd::new().unwrap(),
                TimerFd::new(Clock::Monotonic).unwrap(),
                PidFd::open(std::process::id()).unwrap(),
                MemFd::new("held").unwrap(),
            );
            // Without the panic hook's noise.
            std::panic::resume_unwind(Box::new("seeded"));
        }));
        assert!(result.is_err());
    });
}

#[test]
fn a_hundred_thousand_connections_leave_nothing_open() {
    balanced(|| {
        let (listener, _) = TcpBuilder::new()
            .listen("127.0.0.1:0".parse().unwrap())
            .unwrap();
        let address = listener.local_addr().unwrap();
        for round in 0..100_000 {
            let near = std::net::TcpStream::connect(address).unwrap();
            let (far, _) = listener.accept().unwrap();
            // The side that closes first keeps the port: by a reset, nobody does.
            socket2::SockRef::from(&near)
                .set_linger(Some(Duration::ZERO))
                .unwrap();
            drop(near);
            if round % 2 == 0 {
                far.close().unwrap();
            }
        }
    });
}

#[test]
fn the_types_of_others_convert_through_the_owned_descriptor() {
    balanced(|| {
        let (listener, _) = TcpBuilder::new()
            .listen("127.0.0.1:0".parse().unwrap())
            .unwrap();
        let socket = socket2::Socket::from(OwnedFd::from(listener));
        let listener: TcpListener = socket.into();
        let listener = netprims::socket::TcpListener::from(OwnedFd::from(listener));
        listener.local_addr().unwrap();
    });
}
