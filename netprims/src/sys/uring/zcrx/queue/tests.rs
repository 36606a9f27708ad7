use std::num::NonZeroUsize;

use rstest::rstest;

use super::super::abi::{Offsets, RefillEntry};
use super::super::arrival::Fragment;
use super::super::fake::Fake;
use super::*;

const PAGES: u32 = 4;
const DEVICE: Source = Source::Device {
    interface: 3,
    queue: 9,
};

fn area() -> Mapping {
    let len = page_size().unwrap() * PAGES as usize;
    Mapping::anonymous(NonZeroUsize::new(len).unwrap()).unwrap()
}

fn register(kernel: &mut Fake, source: Source) -> Result<Queue, Refused> {
    // SAFETY: there is no kernel, and nobody reads the area.
    unsafe { Queue::register(kernel, source, &area(), Duration::from_millis(30)) }
}

fn give_back(queue: &mut Queue, page: u32) -> bool {
    // SAFETY: there is no kernel, and nobody reads the area.
    unsafe { queue.give_back(page) }
}

fn errno(refused: &Refused) -> i32 {
    refused.error.raw_os_error().unwrap()
}

#[rstest]
#[case::no_device(Source::NoDevice, (0, 0, NO_DEVICE))]
#[case::a_device(DEVICE, (3, 9, 0))]
fn the_kernel_is_asked_for_what_is_wanted(#[case] source: Source, #[case] want: (u32, u32, u32)) {
    let mut kernel = Fake::new();
    let queue = register(&mut kernel, source).unwrap();
    let [asked] = kernel.registered[..] else {
        panic!("once")
    };
    let registration = asked.queue;
    assert_eq!(
        (
            registration.interface,
            registration.queue,
            registration.flags
        ),
        want
    );
    assert_eq!(registration.entries, PAGES * 2);
    assert_eq!((registration.id, registration.page_len), (0, 0));
    assert_eq!((asked.area.token, asked.area.flags), (0, 0));
    let page = page_size().unwrap() as u64;
    assert_eq!((asked.area.address % page, asked.area.len), (0, page * 4));
    assert_eq!(
        (asked.region.address % page, asked.region.len % page),
        (0, 0)
    );
    assert_eq!(asked.region.flags, USER_MEMORY);
    let events = asked.events.unwrap();
    assert_eq!((events.kinds, events.flags), (0, WITH_STATISTICS));
    let entries = u64::from(registration.entries) * size_of::<RefillEntry>() as u64;
    assert!(events.counters_offset + 16 <= asked.region.len);
    assert!(events.counters_offset >= page + entries && events.counters_offset % 64 == 0);
    assert_eq!((queue.id(), queue.shape().pages()), (7, PAGES));
}

#[test]
fn statistics_are_not_asked_of_a_kernel_that_does_not_have_them() {
    let mut kernel = Fake::new();
    kernel.events = None;
    let queue = register(&mut kernel, Source::NoDevice).unwrap();
    assert_eq!(kernel.registered[0].events, None);
    assert_eq!(queue.counters(), None);
}

#[test]
fn a_queue_that_is_being_given_up_is_waited_for() {
    let mut kernel = Fake::new();
    kernel.refuses = [libc::EEXIST, libc::EEXIST].into();
    assert!(register(&mut kernel, DEVICE).is_ok());
    assert_eq!(kernel.registered.len(), 3);
    assert!(
        kernel
            .registered
            .iter()
            .all(|asked| *asked == kernel.registered[0])
    );
}

#[test]
fn a_queue_that_stays_busy_is_not_waited_for_without_end() {
    let mut kernel = Fake::new();
    kernel.refuses = std::iter::repeat_n(libc::EEXIST, 1000).collect();
    let refused = register(&mut kernel, DEVICE).unwrap_err();
    assert_eq!((errno(&refused), refused.source), (libc::EEXIST, DEVICE));
    assert!((2..1000).contains(&kernel.registered.len()));
}

#[rstest]
#[case(libc::EPERM)]
#[case(libc::EINVAL)]
#[case(libc::EOPNOTSUPP)]
#[case(libc::ENODEV)]
#[case(libc::ENOMEM)]
#[case(libc::ENOSPC)]
fn another_refusal_is_final(#[case] refusal: i32) {
    let mut kernel = Fake::new();
    kernel.refuses = [refusal].into();
    let refused = register(&mut kernel, DEVICE).unwrap_err();
    assert_eq!(errno(&refused), refusal);
    assert_eq!(refused.support.queues, Some(true));
    assert_eq!(kernel.registered.len(), 1);
}

#[rstest]
#[case::another_number_of_entries(|request: &mut Registration| request.queue.entries = 16)]
#[case::offsets_outside(|request: &mut Registration| request.queue.offsets = Offsets { entries: 1 << 20, ..Offsets::default() })]
#[case::pages_of_no_power_of_two(|request: &mut Registration| request.queue.page_len = 12_288)]
#[case::pages_longer_than_the_area(|request: &mut Registration| request.queue.page_len = 1 << 20)]
#[case::a_token_within_the_area(|request: &mut Registration| request.area.token = 1 << 47)]
fn an_answer_that_cannot_be_is_refused(#[case] answers: fn(&mut Registration)) {
    let mut kernel = Fake::new();
    kernel.answers = answers;
    let refused = register(&mut kernel, Source::NoDevice).unwrap_err();
    assert_eq!(errno(&refused), libc::EPROTO);
}

#[test]
fn a_kernel_that_does_not_tell_the_length_uses_pages() {
    let mut kernel = Fake::new();
    kernel.answers = |_| {};
    // Head and tail and entries all at the start: strange, and in the region.
    let queue = register(&mut kernel, Source::NoDevice).unwrap();
    assert_eq!(queue.shape().page_len as usize, page_size().unwrap());
}

#[test]
fn what_is_read_is_of_the_area_that_was_registered() {
    let mut kernel = Fake::new();
    kernel.answers = |request| {
        (Fake::new().answers)(request);
        request.area.token = 5 << AREA_SHIFT;
    };
    let queue = register(&mut kernel, Source::NoDevice).unwrap();
    let fragment = Fragment {
        page: 1,
        start: 2,
        len: 3,
    };
    let token = 5 << AREA_SHIFT;
    assert_eq!(
        queue.read(3, true, token | 4098),
        Arrival::Fragment(fragment)
    );
    assert_eq!(queue.read(3, true, 4098), Arrival::Stray);
    assert_eq!(queue.read(3, true, token | (4 * 4096)), Arrival::Stray);
}

#[test]
fn half_of_the_pages_are_worth_a_flush() {
    let mut kernel = Fake::new();
    let mut queue = register(&mut kernel, Source::NoDevice).unwrap();
    assert!(give_back(&mut queue, 0));
    queue.publish(&mut kernel).unwrap();
    assert_eq!(kernel.controlled, [], "one of four");
    assert!(give_back(&mut queue, 1));
    queue.publish(&mut kernel).unwrap();
    let flush = Control {
        id: 7,
        operation: FLUSH,
        ..Control::default()
    };
    assert_eq!(kernel.controlled, [flush]);
    assert_eq!((queue.flushes(), queue.given()), (1, 2));
}

#[test]
fn what_is_given_back_but_does_not_fit_stays_out() {
    let mut kernel = Fake::new();
    let mut queue = register(&mut kernel, Source::NoDevice).unwrap();
    for nth in 0..PAGES * 2 {
        assert!(give_back(&mut queue, nth % PAGES));
    }
    assert!(!give_back(&mut queue, 0));
    assert_eq!(queue.given(), PAGES * 2);
}

#[test]
fn a_page_outside_the_area_is_not_given_back() {
    let mut queue = register(&mut Fake::new(), Source::NoDevice).unwrap();
    assert!(!give_back(&mut queue, PAGES));
    assert_eq!(queue.given(), 0);
}

#[test]
fn nothing_is_flushed_where_there_is_nothing_or_no_way() {
    let mut kernel = Fake::new();
    let mut queue = register(&mut kernel, Source::NoDevice).unwrap();
    queue.flush(&mut kernel).unwrap();
    kernel.queues = None;
    let mut old = register(&mut kernel, DEVICE).unwrap();
    assert!(give_back(&mut old, 0));
    old.flush(&mut kernel).unwrap();
    assert_eq!((kernel.controlled.len(), old.flushes()), (0, 0));
}

#[test]
fn a_flush_that_fails_is_told_and_not_counted() {
    let mut kernel = Fake::new();
    let mut queue = register(&mut kernel, Source::NoDevice).unwrap();
    kernel.controls_fail = Some(libc::ENXIO);
    assert!(give_back(&mut queue, 0));
    let error = queue.flush(&mut kernel).unwrap_err();
    assert_eq!(error.raw_os_error(), Some(libc::ENXIO));
    assert_eq!((queue.flushes(), queue.has_waiting()), (0, true));
}
