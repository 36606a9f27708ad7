//! Polling against a scripted kernel.

use std::net::UdpSocket;
use std::panic::{AssertUnwindSafe, catch_unwind};

use rstest::rstest;

use super::*;
use crate::sys::memory::{Pool, Shape};
use crate::sys::uring::Wish;
use crate::sys::uring::fake::Fake;

fn core(sends: usize) -> (Core<Fake>, Pool) {
    core_of(sends, Wish::ZeroCopy)
}

fn core_of(sends: usize, wish: Wish) -> (Core<Fake>, Pool) {
    let mut engine = Engine::new(Fake::new(), 8, Duration::from_millis(1));
    let pool = engine.pool(Shape::new(4, 100).unwrap()).unwrap().unwrap();
    // One whose messages the kernel has all at once.
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let socket = engine.add(socket.into()).unwrap();
    for _ in 0..sends {
        assert!(engine.send(socket, pool.take().unwrap(), wish).is_ok());
    }
    (Core::new(engine), pool)
}

fn free(pool: &Pool) -> usize {
    let held: Vec<_> = std::iter::from_fn(|| pool.take()).collect();
    held.len()
}

#[rstest]
#[case::asked_for(Wish::Plain)]
#[case::copied_after_all(Wish::ZeroCopy)]
fn a_plain_result_is_told_as_sent_then_released(#[case] wish: Wish) {
    let (mut core, _pool) = core_of(1, wish);
    core.engine.kernel_mut().result(0, 60, false);
    let mut told = Vec::new();
    let events = core.poll(Wait::No, |event| match event {
        Event::Sent { result, .. } => told.push(format!("{result:?}")),
        Event::Released { usage, buf, .. } => told.push(format!("{usage:?} {}", buf.len())),
        other => panic!("{other:?}"),
    });
    assert_eq!(events.unwrap(), 2);
    assert_eq!(told, ["Ok(60)", "Copied 100"]);
    assert_eq!(
        (core.engine.totals().copied, core.engine.totals().not_sent),
        (60, 40)
    );
}

/// What is told may be asked to be cancelled, in vain, by the handler that hears of it.
#[rstest]
#[case::the_send(false)]
#[case::all_of_the_socket(true)]
fn what_is_cancelled_as_it_is_told_is_released(#[case] all: bool) {
    let (mut core, pool) = core_of(0, Wish::Plain);
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let socket = core.engine.add(socket.into()).unwrap();
    let sent = core.engine.send(socket, pool.take().unwrap(), Wish::Plain);
    let key = sent.map_err(|(_, error)| error).unwrap();
    core.engine.kernel_mut().result(0, 100, false);
    let mut told = Vec::new();
    let events = core.poll_with(Wait::No, |event, engine| match event {
        Event::Sent { .. } => {
            let asked = match all {
                true => engine.cancel_all(socket),
                false => engine.cancel(key),
            };
            told.push(format!("sent {}", asked.is_ok()));
        }
        Event::Released { .. } => told.push("released".into()),
        other => panic!("{other:?}"),
    });
    assert_eq!(events.unwrap(), 2);
    assert_eq!(told, ["sent true", "released"]);
    assert_eq!((core.engine.in_flight(), free(&pool)), (0, 4));
}

#[rstest]
#[case::plain(Wish::Plain)]
#[case::zero_copy(Wish::ZeroCopy)]
fn a_panicking_handler_loses_nothing(#[case] wish: Wish) {
    let (mut core, pool) = core_of(3, wish);
    for nth in 0..3 {
        core.engine.kernel_mut().result(nth, 100, false);
    }
    // Sent 0 (panic), Released 0 (panic), Sent 1 (panic), ...
    let mut told = 0;
    for _ in 0..6 {
        let panicked = catch_unwind(AssertUnwindSafe(|| {
            core.poll(Wait::No, |_| {
                told += 1;
                panic!("the user's handler");
            })
        }));
        assert!(panicked.is_err());
    }
    assert_eq!((told, core.engine.in_flight(), free(&pool)), (6, 0, 4));
    assert_eq!(core.engine.totals().sends, 3);
}

#[test]
fn nothing_in_flight_does_not_block() {
    let (mut core, _pool) = core(0);
    assert_eq!(core.poll(Wait::Forever, |_| ()).unwrap(), 0);
    assert_eq!(core.engine.kernel_mut().entered, [None]);
}

#[test]
fn a_time_limit_is_waited_out_with_nothing_in_flight() {
    let (mut core, _pool) = core(0);
    let start = Instant::now();
    let limit = Wait::AtMost(Duration::from_millis(30));
    assert_eq!(core.poll(limit, |_| ()).unwrap(), 0);
    assert!(start.elapsed() >= Duration::from_millis(30));
    // For ever is for ever, and nothing will come.
    assert_eq!(core.poll(Wait::AtMost(Duration::MAX), |_| ()).unwrap(), 0);
}

#[test]
fn a_time_limit_is_kept_and_is_no_error() {
    let (mut core, _pool) = core(1);
    let start = Instant::now();
    assert_eq!(
        core.poll(Wait::AtMost(Duration::from_millis(30)), |_| ())
            .unwrap(),
        0
    );
    assert!(start.elapsed() >= Duration::from_millis(30));
}

#[test]
fn a_completion_without_an_event_does_not_end_the_wait() {
    let (mut core, _pool) = core(1);
    let kernel = core.engine.kernel_mut();
    kernel.result(0, -libc::EOPNOTSUPP, false);
    let start = Instant::now();
    assert_eq!(
        core.poll(Wait::AtMost(Duration::from_millis(30)), |_| ())
            .unwrap(),
        0
    );
    assert!(start.elapsed() >= Duration::from_millis(30));
    assert_eq!(
        core.engine.kernel_mut().pushed.len(),
        2,
        "it was sent again in between"
    );
}

#[rstest]
#[case(libc::EINTR)]
#[case(libc::EBUSY)]
#[case(libc::EAGAIN)]
fn what_passes_by_itself_does_not_end_the_wait(#[case] errno: i32) {
    let (mut core, _pool) = core(1);
    for _ in 0..3 {
        let passing = io::Error::from_raw_os_error(errno);
        core.engine
            .kernel_mut()
            .enter_results
            .push_back(Err(passing));
    }
    let start = Instant::now();
    assert_eq!(
        core.poll(Wait::AtMost(Duration::from_millis(30)), |_| ())
            .unwrap(),
        0
    );
    assert!(start.elapsed() >= Duration::from_millis(30));
    assert!(core.engine.kernel_mut().enter_results.is_empty());
}

#[test]
fn not_waiting_returns_whatever_the_kernel_answers() {
    let (mut core, _pool) = core(1);
    let passing = io::Error::from_raw_os_error(libc::EAGAIN);
    core.engine
        .kernel_mut()
        .enter_results
        .push_back(Err(passing));
    assert_eq!(core.poll(Wait::No, |_| ()).unwrap(), 0);
}

#[test]
fn a_refused_call_names_itself_and_loses_nothing() {
    let (mut core, _pool) = core(1);
    let kernel = core.engine.kernel_mut();
    kernel
        .enter_results
        .push_back(Err(io::Error::from_raw_os_error(libc::EEXIST)));
    let error = core.poll(Wait::No, |_| ()).unwrap_err();
    assert!(error.to_string().contains("io_uring_enter"), "{error}");
    core.engine.kernel_mut().result(0, 100, false);
    assert_eq!(core.poll(Wait::No, |_| ()).unwrap(), 2);
}

/// As it does for as long as the peer of a socket that was removed does not read what was sent without copying.
#[test]
fn a_kernel_that_always_has_work_does_not_keep_the_caller() {
    let (mut core, _pool) = core(1);
    let kernel = core.engine.kernel_mut();
    kernel.result(0, 100, true);
    kernel.is_work_left = true;
    assert_eq!(core.poll_all(Wait::No, |_, _| ()).unwrap(), 1);
    assert_eq!(core.poll_all(Wait::No, |_, _| ()).unwrap(), 0);
    assert!(!core.can_wait_for_bell(), "who waits must look again");
    core.engine.kernel_mut().notify(0, 0);
    assert_eq!(core.poll_all(Wait::No, |_, _| ()).unwrap(), 1);
}

#[rstest]
#[case(libc::EBUSY)]
#[case(libc::EAGAIN)]
fn what_the_kernel_did_not_take_is_not_waited_for(#[case] errno: i32) {
    let (mut core, _pool) = core(1);
    let refused = || Err(io::Error::from_raw_os_error(errno));
    let kernel = core.engine.kernel_mut();
    kernel.enter_results.extend([(); 16].map(|()| refused()));
    assert_eq!(core.poll_all(Wait::No, |_, _| ()).unwrap(), 0);
    assert!(!core.can_wait_for_bell(), "nobody would ring");
    assert_eq!(core.poll_all(Wait::No, |_, _| ()).unwrap(), 0);
    assert!(core.can_wait_for_bell());
}
