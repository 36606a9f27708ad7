use crate::*;

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
