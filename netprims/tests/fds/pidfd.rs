use crate::*;

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
