use crate::*;

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

const LARGE: BusyPoll = BusyPoll::new(Duration::from_micros(50)).budget(65);

#[test]
fn a_large_budget_needs_the_privilege() {
    let name = "epoll::a_large_budget_needs_the_privilege";
    balanced(|| {
        without_privilege(name, || {
            let epoll = Epoll::new().unwrap();
            if with_parameters(&epoll).is_some() {
                let error = epoll.set_busy_poll(LARGE).unwrap_err();
                assert_eq!(error.raw_os_error(), Some(1), "{error}");
                assert!(error.to_string().contains("CAP_NET_ADMIN"), "{error}");
                assert_eq!(epoll.busy_poll().unwrap(), BusyPoll::default());
                epoll.set_busy_poll(LARGE.budget(64)).unwrap();
            }
        });
    });
}

#[test]
fn root_may_have_a_large_budget() {
    balanced(|| {
        let epoll = Epoll::new().unwrap();
        if with_parameters(&epoll).is_some() && nix::unistd::geteuid().is_root() {
            epoll.set_busy_poll(LARGE).unwrap();
            assert_eq!(epoll.busy_poll().unwrap().packets(), 65);
        }
    });
}
