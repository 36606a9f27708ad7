//! Events of a Soft-RoCE device.

use std::os::fd::AsFd;
use std::process::Command;
use std::time::{Duration, Instant};

use lab_tests::{Rxe, gate};
use netprims_rdma::{
    Cq, DeviceEvent, DeviceEvents, Error, EventKind, EventSubject, Leaks, Mr, PortState, Qp, Rc,
    Rts, Srq, leaks,
};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::pair::{connect, index, open};
use super::{DEPTH, PATIENCE, PORT};

const SHORT: Duration = Duration::from_millis(300);

/// Waits for an event of a kind, past others.
fn wait_for(events: &DeviceEvents, kind: EventKind) -> DeviceEvent {
    let start = Instant::now();
    while start.elapsed() < PATIENCE {
        let event = events.wait(PATIENCE).unwrap();
        let event = event.unwrap_or_else(|| panic!("no {kind}"));
        if event.kind == kind {
            return event;
        }
    }
    panic!("no {kind}")
}

/// Whatever was told before.
fn forget(events: &DeviceEvents) {
    while events.wait(SHORT).unwrap().is_some() {}
}

#[test]
fn a_link_that_goes_down_and_up_is_told_and_so_are_its_addresses() {
    gate(|lab| {
        let rxe = lab.rxe();
        let context = open(&rxe);
        let events = context.events().unwrap();
        forget(&events);
        let netdev = rxe.netdev();
        lab.sh(&format!("ip link set {netdev} down"));
        let down = wait_for(&events, EventKind::PortError);
        assert_eq!(down.subject, EventSubject::Port(PORT));
        assert_eq!(context.query_port(PORT).unwrap().state, PortState::Down);
        lab.sh(&format!("ip link set {netdev} up"));
        let up = wait_for(&events, EventKind::PortActive);
        assert_eq!(up.subject, EventSubject::Port(PORT));
        assert_eq!(context.query_port(PORT).unwrap().state, PortState::Active);
        forget(&events);
        let before = context.gid_table(PORT).unwrap().len();
        lab.sh(&format!("ip addr add 10.77.9.9/24 dev {netdev}"));
        let changed = wait_for(&events, EventKind::GidChange);
        assert_eq!(changed.subject, EventSubject::Port(PORT));
        assert_eq!(context.gid_table(PORT).unwrap().len(), before + 1);
        // Nothing is left of what was told, and the descriptor agrees.
        forget(&events);
        let mut fds = [PollFd::new(events.as_fd(), PollFlags::POLLIN)];
        assert_eq!(poll(&mut fds, PollTimeout::ZERO).unwrap(), 0);
        assert_eq!(events.next_event().unwrap(), None);
    });
}

/// Two connected queue pairs, of which the second receives by a shared queue of two receives.
struct Rig {
    events: DeviceEvents,
    cq: Cq,
    memory: Mr,
    a: Qp<Rc, Rts>,
    b: Qp<Rc, Rts>,
    srq: Srq,
}

impl Rig {
    fn new(rxe: &Rxe) -> Self {
        let context = open(rxe);
        let events = context.events().unwrap();
        let pd = context.alloc_pd().unwrap();
        let cq = context.create_cq(64).unwrap();
        let memory = pd.register_local(8, 64).unwrap();
        let mut srq = pd.create_srq(4, 1).unwrap();
        for token in [0, 1] {
            srq.post_recv(memory.take().unwrap(), token).unwrap();
        }
        let a = pd.create_rc(&cq, &cq, DEPTH).unwrap().init(PORT).unwrap();
        let b = pd.create_rc_with_srq(&cq, &cq, &srq, DEPTH).unwrap();
        let (a, b) = connect(&context, index(rxe), a, b.init(PORT).unwrap());
        forget(&events);
        Rig {
            events,
            cq,
            memory,
            a,
            b,
            srq,
        }
    }

    /// Sends a message, and waits until it was received.
    fn send(&mut self) {
        self.a.post_send(self.memory.take().unwrap(), 7).unwrap();
        let start = Instant::now();
        let mut done = 0;
        while done < 2 {
            assert!(start.elapsed() < PATIENCE);
            for mut completion in self.cq.poll().unwrap() {
                let one = match self.srq.owns(&completion) {
                    true => self.srq.complete(&mut completion),
                    false => self.a.complete(&mut completion),
                };
                one.unwrap().unwrap().check().unwrap();
                done += 1;
            }
        }
    }
}

#[test]
fn a_shared_receive_queue_that_runs_low_is_told_once() {
    gate(|lab| {
        let rxe = lab.rxe();
        let mut rig = Rig::new(&rxe);
        assert!(matches!(rig.srq.set_limit(1000), Err(Error::Verb { .. })));
        rig.srq.set_limit(2).unwrap();
        assert_eq!(rig.events.wait(SHORT).unwrap(), None);
        rig.send();
        let event = wait_for(&rig.events, EventKind::SrqLimitReached);
        assert_eq!(event.subject, EventSubject::Srq(rig.srq.number()));
        rig.send();
        assert_eq!(rig.events.wait(SHORT).unwrap(), None);
    });
}

/// Soft-RoCE says so since Linux 6.11; before, the queue pair fails without a word.
#[test]
fn a_queue_pair_that_takes_no_more_of_a_shared_queue_is_named() {
    gate(|lab| {
        let rxe = lab.rxe();
        let Rig { events, b, .. } = Rig::new(&rxe);
        let identity = b.identity();
        let b = b.stop().unwrap();
        if lab.release().starts_with("6.1.") {
            assert_eq!(events.wait(SHORT).unwrap(), None);
            return;
        }
        let event = wait_for(&events, EventKind::QpLastReceive);
        assert_eq!(event.subject, EventSubject::Qp(identity));
        assert_eq!(identity.qpn(), b.number());
    });
}

#[test]
fn events_that_nobody_fetched_keep_nothing_from_going() {
    gate(|lab| {
        let rxe = lab.rxe();
        let before = leaks();
        let mut rig = Rig::new(&rxe);
        rig.srq.set_limit(2).unwrap();
        rig.send();
        let b = rig.b.stop().unwrap();
        let mut fds = [PollFd::new(rig.events.as_fd(), PollFlags::POLLIN)];
        assert_eq!(poll(&mut fds, PollTimeout::from(5000u16)).unwrap(), 1);
        b.close().unwrap();
        drop((rig.a, rig.cq, rig.srq, rig.memory, rig.events));
        assert_eq!(leaks(), before);
    });
}

/// Soft-RoCE cannot take a device away from those who have it open: its removal waits for them, and no event
/// tells them.
#[test]
fn a_removal_waits_until_the_device_is_closed() {
    gate(|lab| {
        let rxe = lab.rxe();
        let context = open(&rxe);
        let events = context.events().unwrap();
        let pd = context.alloc_pd().unwrap();
        let cq = context.create_cq(64).unwrap();
        let memory = pd.register_local(8, 64).unwrap();
        let mut qp = pd.create_rc(&cq, &cq, DEPTH).unwrap().init(PORT).unwrap();
        qp.post_recv(memory.take().unwrap(), 1).unwrap();
        forget(&events);
        let mut removal = Command::new("rdma")
            .args(["link", "delete", rxe.device()])
            .spawn()
            .unwrap();
        assert_eq!(events.wait(SHORT).unwrap(), None);
        assert!(removal.try_wait().unwrap().is_none());
        drop((qp, cq, memory, pd, events));
        assert!(removal.try_wait().unwrap().is_none());
        drop(context);
        assert!(removal.wait().unwrap().success());
        assert_eq!(leaks(), Leaks::default());
    });
}
