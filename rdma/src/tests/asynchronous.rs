//! Events of the device.

use std::os::fd::AsFd;
use std::thread;
use std::time::Duration;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use rstest::rstest;

use super::*;
use crate::sys::About;
use crate::{DeviceEvents, EventKind, EventSubject};

const LONG: Duration = Duration::from_secs(30);

fn is_readable(events: &DeviceEvents) -> bool {
    let mut fds = [PollFd::new(events.as_fd(), PollFlags::POLLIN)];
    poll(&mut fds, PollTimeout::ZERO).unwrap() == 1
}

#[test]
fn an_event_is_told_once_and_the_descriptor_says_when() {
    let rig = Rig::new();
    let events = rig.context.events().unwrap();
    let others = rig.context.events().unwrap();
    assert_eq!(events.next_event().unwrap(), None);
    assert!(!is_readable(&events));
    rig.fake.raise(10, About::Port(1));
    assert!(is_readable(&events));
    let event = events.next_event().unwrap().unwrap();
    assert_eq!(event.kind, EventKind::PortError);
    assert_eq!(event.subject, EventSubject::Port(PortNum::FIRST));
    assert_eq!(event.to_string(), "port 1: port down");
    assert_eq!(others.next_event().unwrap(), None);
    assert!(!is_readable(&events));
}

#[test]
fn a_waiter_is_woken_and_a_wait_ends() {
    let rig = Rig::new();
    let events = rig.context.events().unwrap();
    assert_eq!(events.wait(Duration::from_millis(1)).unwrap(), None);
    for _ in 0..100 {
        let fake = rig.fake.clone();
        let device = thread::spawn(move || fake.raise(18, About::Port(1)));
        let event = events.wait(LONG).unwrap().unwrap();
        assert_eq!(event.kind, EventKind::GidChange);
        device.join().unwrap();
    }
}

#[test]
fn a_queue_pair_is_named_by_what_is_never_another_s() {
    let rig = Rig::new();
    let events = rig.context.events().unwrap();
    let qps = [rig.qp(), rig.qp()];
    assert_ne!(qps[0].identity(), qps[1].identity());
    let about = |number: usize| EventSubject::Qp(qps[number].identity());
    for number in [1, 0] {
        rig.fake.raise_of_qp(1, qps[number].number().number());
        let event = events.next_event().unwrap().unwrap();
        assert_eq!(
            (event.kind, event.subject),
            (EventKind::QpFatal, about(number))
        );
    }
    // It stays what it was when the queue pair is gone, and the next one is another, also if it has the
    // same number on the wire.
    let [gone, kept] = qps;
    let identity = gone.identity();
    assert_eq!(identity.qpn(), gone.number());
    drop(gone);
    assert_ne!(rig.qp().identity(), identity);
    let reset = kept.identity();
    assert_eq!(kept.reset().unwrap().0.identity(), reset);
}

#[test]
fn a_shared_receive_queue_tells_when_it_runs_low() {
    let rig = Rig::new();
    let events = rig.context.events().unwrap();
    let srq = rig.pd.create_srq(4, 1).unwrap();
    srq.set_limit(3).unwrap();
    assert_eq!(rig.fake.state().srq_limit, 3);
    rig.fake.raise_of_srq(15);
    let event = events.next_event().unwrap().unwrap();
    assert_eq!(event.kind, EventKind::SrqLimitReached);
    assert_eq!(event.subject, EventSubject::Srq(srq.number()));
    assert_ne!(rig.pd.create_srq(4, 1).unwrap().number(), srq.number());
    let error = srq.set_limit(5).unwrap_err().to_string();
    assert!(
        error.contains("ibv_modify_srq to a limit of 5, of 4"),
        "{error}"
    );
}

#[rstest]
#[case::device(8, About::Device, EventKind::DeviceFatal, EventSubject::Device)]
#[case::port_out_of_range(9, About::Port(-1), EventKind::PortActive, EventSubject::Device)]
#[case::of_the_future(77, About::Unknown, EventKind::Unknown(77), EventSubject::Unknown)]
fn whatever_a_driver_says_is_a_value(
    #[case] raw: u32,
    #[case] about: About,
    #[case] kind: EventKind,
    #[case] subject: EventSubject,
) {
    let rig = Rig::new();
    rig.fake.raise(raw, about);
    let event = rig.context.events().unwrap().next_event().unwrap().unwrap();
    assert_eq!((event.kind, event.subject), (kind, subject));
}

#[test]
fn a_device_that_was_removed_says_so_after_its_last_event() {
    let rig = Rig::new();
    let events = rig.context.events().unwrap();
    rig.fake.raise(8, About::Device);
    rig.fake.remove();
    assert!(events.wait(LONG).unwrap().is_some());
    let error = events.wait(LONG).unwrap_err().to_string();
    assert!(error.contains("the device was removed"), "{error}");
}

#[test]
fn events_keep_their_device_open() {
    let rig = Rig::new();
    let events = rig.context.events().unwrap();
    let fake = rig.fake.clone();
    drop(rig);
    assert_eq!(fake.state().count("close_device"), 0);
    fake.raise(8, About::Device);
    assert!(events.next_event().unwrap().is_some());
    drop(events);
    assert_eq!(fake.state().count("close_device"), 1);
}
