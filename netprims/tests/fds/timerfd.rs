use crate::*;

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
