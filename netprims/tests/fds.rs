//! Each kind of descriptor: what it does, what it refuses, and that nothing stays open.
#![expect(clippy::unwrap_used, reason = "a test's way to fail")]
#![expect(
    clippy::zombie_processes,
    reason = "children are waited for through their pidfd"
)]

use std::fs::File;
use std::io::{Read, Seek, Write};
use std::net::TcpListener;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::ExitStatusExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::{Command, Stdio};
use std::time::Duration;

use descriptors::{balanced, is_close_on_exec, without_privilege};
use netprims::fd::{
    BusyPoll, Clock, Epoll, EventFd, EventFdOptions, Events, Interest, MemFd, MemFdOptions, PidFd,
    Seals, TimerFd, TimerFdOptions,
};
use netprims::socket::TcpBuilder;
use netprims::{Error, Result};
use rstest::rstest;

mod descriptors;

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
    });
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

mod epoll {
    use super::*;

    fn waited(epoll: &Epoll, events: &mut Events) -> Vec<(u64, bool, bool)> {
        epoll.wait(events, Some(Duration::ZERO)).unwrap();
        let told = events
            .iter()
            .map(|event| (event.token(), event.is_readable(), event.is_writable()));
        told.collect()
    }

    #[test]
    fn tells_what_was_asked_for_until_it_is_removed() {
        balanced(|| {
            let epoll = Epoll::new().unwrap();
            let mut events = Events::with_capacity(8);
            let (near, mut far) = UnixStream::pair().unwrap();
            epoll.add(&near, u64::MAX, Interest::READABLE).unwrap();
            assert_eq!(
                errno(epoll.add(&near, 1, Interest::NONE)),
                Some(17),
                "EEXIST"
            );
            assert_eq!(waited(&epoll, &mut events), []);
            far.write_all(b"x").unwrap();
            assert_eq!(waited(&epoll, &mut events), [(u64::MAX, true, false)]);
            let both = Interest::READABLE.and(Interest::WRITABLE);
            epoll.modify(&near, 5, both.one_shot()).unwrap();
            assert_eq!(waited(&epoll, &mut events), [(5, true, true)]);
            assert_eq!(waited(&epoll, &mut events), [], "one shot");
            epoll.modify(&near, 6, both.edge_triggered()).unwrap();
            assert_eq!(waited(&epoll, &mut events), [(6, true, true)]);
            assert_eq!(waited(&epoll, &mut events), [], "no new edge");
            drop(far);
            epoll.wait(&mut events, None).unwrap();
            let event = events.iter().next().unwrap();
            assert!(event.is_read_closed() && event.is_closed() && !event.is_error());
            epoll.remove(&near).unwrap();
            assert_eq!(waited(&epoll, &mut events), []);
            assert_eq!(errno(epoll.remove(&near)), Some(2), "ENOENT");
            assert_eq!(errno(epoll.modify(&near, 0, both)), Some(2));
        });
    }

    #[test]
    fn an_exclusive_interest_is_taken_once() {
        balanced(|| {
            let epoll = Epoll::new().unwrap();
            let bell = EventFd::new().unwrap();
            let interest = Interest::READABLE.exclusive();
            epoll.add(&bell, 1, interest).unwrap();
            assert_eq!(errno(epoll.modify(&bell, 1, interest)), Some(22));
        });
    }

    #[test]
    fn what_cannot_be_waited_for_is_refused() {
        balanced(|| {
            let epoll = Epoll::new().unwrap();
            let file = File::open("/proc/self/exe").unwrap();
            assert_eq!(errno(epoll.add(&file, 0, Interest::READABLE)), Some(1));
            assert_eq!(errno(epoll.add(&epoll, 0, Interest::READABLE)), Some(22));
        });
    }

    #[test]
    fn more_events_than_room_come_with_the_next_wait() {
        balanced(|| {
            let epoll = Epoll::new().unwrap();
            let bells = [1, 2, 3].map(|token| {
                let bell = EventFdOptions::new().initial(1).open().unwrap();
                let interest = Interest::READABLE.edge_triggered();
                epoll.add(&bell, token, interest).unwrap();
                bell
            });
            let mut events = Events::with_capacity(2);
            let first = waited(&epoll, &mut events).len();
            assert_eq!((first, waited(&epoll, &mut events).len()), (2, 1));
            drop(bells);
        });
    }

    /// `None` if this kernel has no busy-poll parameters, and says so.
    fn with_parameters(epoll: &Epoll) -> Option<()> {
        let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap();
        let mut parts = release
            .split('.')
            .map(|part| part.parse::<u32>().unwrap_or(0));
        let version = (parts.next().unwrap(), parts.next().unwrap());
        if version >= (6, 9) {
            return Some(());
        }
        let error = epoll.busy_poll().unwrap_err();
        assert!(error.to_string().contains("6.9"), "{error}");
        None
    }

    #[test]
    fn busy_poll_parameters_are_granted_and_read_back() {
        balanced(|| {
            let epoll = Epoll::new().unwrap();
            if with_parameters(&epoll).is_none() {
                return;
            }
            assert_eq!(epoll.busy_poll().unwrap(), BusyPoll::default());
            const POLL: BusyPoll = BusyPoll::new(Duration::from_micros(50))
                .budget(64)
                .prefer(true);
            for poll in [POLL, POLL.prefer(false).budget(1), BusyPoll::default()] {
                epoll.set_busy_poll(poll).unwrap();
                assert_eq!(epoll.busy_poll().unwrap(), poll);
            }
            let most = BusyPoll::new(Duration::from_micros(0x7fff_ffff));
            epoll.set_busy_poll(most).unwrap();
            assert_eq!(epoll.busy_poll().unwrap(), most);
        });
    }

    #[test]
    fn busy_poll_parameters_no_kernel_takes_change_nothing() {
        balanced(|| {
            let epoll = Epoll::new().unwrap();
            assert!(is_invalid(
                epoll.set_busy_poll(BusyPoll::new(Duration::from_nanos(1)))
            ));
            let long = BusyPoll::new(Duration::from_micros(1 << 31));
            assert!(is_invalid(epoll.set_busy_poll(long)));
            if with_parameters(&epoll).is_some() {
                assert_eq!(epoll.busy_poll().unwrap(), BusyPoll::default());
            }
        });
    }

    #[test]
    fn a_large_budget_needs_the_privilege() {
        const INSIDE: &str = "NETPRIMS_TEST_UNPRIVILEGED";
        let name = "epoll::a_large_budget_needs_the_privilege";
        let budget = BusyPoll::new(Duration::from_micros(50)).budget(65);
        if std::env::var_os(INSIDE).is_some() {
            let epoll = Epoll::new().unwrap();
            if with_parameters(&epoll).is_some() {
                let error = epoll.set_busy_poll(budget).unwrap_err();
                assert_eq!(error.raw_os_error(), Some(1), "{error}");
                assert!(error.to_string().contains("CAP_NET_ADMIN"), "{error}");
                assert_eq!(epoll.busy_poll().unwrap(), BusyPoll::default());
                epoll.set_busy_poll(budget.budget(64)).unwrap();
            }
            return;
        }
        balanced(|| {
            let epoll = Epoll::new().unwrap();
            if with_parameters(&epoll).is_some() && nix::unistd::geteuid().is_root() {
                epoll.set_busy_poll(budget).unwrap();
                assert_eq!(epoll.busy_poll().unwrap().packets(), 65);
            }
            without_privilege(name, INSIDE);
        });
    }
}

mod eventfd {
    use super::*;

    #[test]
    fn counts_and_is_taken_whole_or_by_one() {
        balanced(|| {
            const SEMAPHORE: EventFdOptions = EventFdOptions::new()
                .initial(2)
                .semaphore(true)
                .nonblocking(true);
            let semaphore = SEMAPHORE.open().unwrap();
            assert_eq!(semaphore.take().unwrap(), 1);
            assert_eq!(semaphore.take().unwrap(), 1);
            assert_eq!(errno(semaphore.take()), EAGAIN);
            let bell = SEMAPHORE.semaphore(false).open().unwrap();
            bell.add(u64::MAX - 3).unwrap();
            assert_eq!(errno(bell.add(1)), EAGAIN, "full");
            assert_eq!(bell.take().unwrap(), u64::MAX - 1);
            assert_eq!(errno(bell.take()), EAGAIN);
            assert!(is_invalid(bell.add(u64::MAX)));
        });
    }

    #[test]
    fn wakes_another_thread() {
        balanced(|| {
            let bell = EventFd::new().unwrap();
            let taken = std::thread::scope(|scope| {
                let waiter = scope.spawn(|| bell.take());
                bell.add(7).unwrap();
                waiter.join().unwrap()
            });
            assert_eq!(taken.unwrap(), 7);
        });
    }
}

mod timerfd {
    use super::*;

    const OPTIONS: TimerFdOptions = TimerFdOptions::new(Clock::Monotonic).nonblocking(true);

    #[test]
    fn fires_once_or_at_every_interval() {
        balanced(|| {
            let timer = TimerFd::new(Clock::Boottime).unwrap();
            timer.set(Duration::ZERO, None).unwrap();
            assert_eq!(timer.wait().unwrap(), 1);
            assert_eq!(timer.remaining().unwrap(), None);
            let every = Duration::from_micros(100);
            timer.set(every, Some(every)).unwrap();
            let mut fired = 0;
            while fired < 10 {
                fired += timer.wait().unwrap();
            }
            assert!(timer.remaining().unwrap().unwrap() <= every);
        });
    }

    #[test]
    fn is_quiet_until_it_fires_and_when_it_is_disarmed() {
        balanced(|| {
            let timer = OPTIONS.open().unwrap();
            assert_eq!(errno(timer.wait()), EAGAIN);
            let hour = Duration::from_secs(3600);
            timer.set(hour, None).unwrap();
            assert_eq!(errno(timer.wait()), EAGAIN);
            let left = timer.remaining().unwrap().unwrap();
            assert!(left <= hour && left > Duration::from_secs(60), "{left:?}");
            timer.disarm().unwrap();
            assert_eq!(timer.remaining().unwrap(), None);
            assert_eq!(errno(timer.wait()), EAGAIN);
        });
    }

    #[test]
    fn a_time_the_kernel_cannot_count_changes_nothing() {
        balanced(|| {
            let timer = OPTIONS.open().unwrap();
            let hour = Duration::from_secs(3600);
            timer.set(hour, None).unwrap();
            assert!(is_invalid(timer.set(Duration::MAX, None)));
            assert!(is_invalid(timer.set(hour, Some(Duration::MAX))));
            assert!(timer.remaining().unwrap().is_some());
        });
    }
}

mod memfd {
    use super::*;

    #[test]
    fn is_a_file_with_a_length() {
        balanced(|| {
            let memory = MemFd::new("").unwrap();
            assert!(memory.is_empty().unwrap());
            memory.set_len(5).unwrap();
            let mut file = File::from(memory);
            file.write_all(b"he").unwrap();
            file.rewind().unwrap();
            let mut text = Vec::new();
            file.read_to_end(&mut text).unwrap();
            assert_eq!(text, b"he\0\0\0");
            let memory = MemFd::from(file);
            assert_eq!(memory.len().unwrap(), 5);
            assert!(is_invalid(memory.set_len(1 << 63)));
            assert_eq!(errno(memory.set_len((1 << 63) - 1)), None);
        });
    }

    #[test]
    fn a_seal_holds() {
        balanced(|| {
            let memory = MemFdOptions::new("sealed").sealable(true).open().unwrap();
            assert_eq!(memory.seals().unwrap(), Seals::NONE);
            memory.set_len(4096).unwrap();
            memory.seal(Seals::SHRINK).unwrap();
            assert_eq!(errno(memory.set_len(0)), Some(1), "EPERM");
            memory.set_len(8192).unwrap();
            memory.seal(Seals::GROW.and(Seals::FUTURE_WRITE)).unwrap();
            assert_eq!(errno(memory.set_len(9000)), Some(1));
            memory.seal(Seals::SEAL).unwrap();
            assert_eq!(errno(memory.seal(Seals::WRITE)), Some(1));
            let seals = memory.seals().unwrap();
            assert!(seals.contains(Seals::SHRINK.and(Seals::SEAL)));
            assert!(!seals.contains(Seals::WRITE));
        });
    }

    #[test]
    fn takes_no_seals_unless_asked() {
        balanced(|| {
            let memory = MemFd::new("unsealed").unwrap();
            assert_eq!(memory.seals().unwrap(), Seals::SEAL);
            assert_eq!(errno(memory.seal(Seals::SHRINK)), Some(1));
        });
    }

    #[test]
    fn a_name_the_kernel_cannot_take_is_refused() {
        balanced(|| {
            assert!(is_invalid(MemFd::new(&"x".repeat(250))));
            assert!(is_invalid(MemFd::new("a\0b")));
            MemFd::new(&"x".repeat(249)).unwrap().close().unwrap();
        });
    }
}

mod pidfd {
    use super::*;

    #[rstest]
    #[case::exited("exit 7", 7 << 8)]
    #[case::killed("kill -9 $$", 9)]
    fn a_child_that_ended_is_waited_for_once(#[case] script: &str, #[case] want: i32) {
        balanced(|| {
            let mut command = Command::new("sh");
            let child = command.args(["-c", script]).spawn().unwrap();
            let process = PidFd::open(child.id()).unwrap();
            assert_eq!(process.wait().unwrap().into_raw(), want);
            assert!(process.has_ended().unwrap());
            assert_eq!(errno(process.wait()), Some(10), "ECHILD");
            assert_eq!(errno(process.try_wait()), Some(10));
            assert_eq!(errno(process.send_signal(0)), Some(3), "ESRCH");
            assert_eq!(process.pid().unwrap(), None);
            process.close().unwrap();
        });
    }

    #[test]
    fn a_child_that_ended_and_was_not_waited_for_is_still_itself() {
        balanced(|| {
            let mut command = Command::new("true");
            let child = command.spawn().unwrap();
            let process = PidFd::open(child.id()).unwrap();
            while !process.has_ended().unwrap() {
                std::thread::yield_now();
            }
            assert_eq!(process.pid().unwrap(), Some(child.id()));
            process.send_signal(9).unwrap();
            // It can be opened in this state, too.
            let again = PidFd::open(child.id()).unwrap();
            assert!(again.has_ended().unwrap());
            assert!(process.try_wait().unwrap().unwrap().success());
            assert_eq!(errno(again.wait()), Some(10));
            assert_eq!(errno(PidFd::open(child.id())), Some(3), "ESRCH");
        });
    }

    #[test]
    fn a_child_that_runs_is_signalled() {
        balanced(|| {
            let mut child = Command::new("cat");
            let mut child = child
                .stdin(Stdio::piped())
                .stdout(Stdio::null())
                .spawn()
                .unwrap();
            let process = PidFd::open(child.id()).unwrap();
            assert!(!process.has_ended().unwrap());
            assert!(process.try_wait().unwrap().is_none());
            assert_eq!(errno(process.send_signal(1000)), Some(22), "EINVAL");
            process.send_signal(15).unwrap();
            let epoll = Epoll::new().unwrap();
            epoll.add(&process, 3, Interest::READABLE).unwrap();
            epoll.wait(&mut Events::with_capacity(1), None).unwrap();
            assert_eq!(process.wait().unwrap().signal(), Some(15));
            drop(child.stdin.take());
        });
    }

    #[test]
    fn a_process_that_is_no_child_cannot_be_waited_for() {
        balanced(|| {
            let own = PidFd::open(std::process::id()).unwrap();
            assert_eq!(own.pid().unwrap(), Some(std::process::id()));
            assert!(!own.has_ended().unwrap());
            assert_eq!(errno(own.try_wait()), Some(10), "ECHILD");
        });
    }

    #[rstest]
    #[case(0)]
    #[case(1 << 31)]
    #[case(u32::MAX)]
    fn a_number_no_process_has_is_refused(#[case] pid: u32) {
        balanced(|| assert!(is_invalid(PidFd::open(pid))));
    }

    #[test]
    fn a_process_that_is_not_there_is_an_error_that_names_it() {
        balanced(|| {
            let error = PidFd::open(i32::MAX as u32).unwrap_err();
            assert_eq!(error.raw_os_error(), Some(3));
            assert!(error.to_string().contains("2147483647"), "{error}");
        });
    }
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
