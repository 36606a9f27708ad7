use crate::*;

#[rstest]
#[case::copy(WhenFull::Copy, false)]
#[case::refuse(WhenFull::Refuse, false)]
#[case::told_copy(WhenFull::Copy, true)]
#[case::told_refuse(WhenFull::Refuse, true)]
fn without_room_for_notifications_it_copies_or_refuses(
    #[case] when_full: WhenFull,
    #[case] tells_device_errors: bool,
) {
    let case = match (when_full, tells_device_errors) {
        (WhenFull::Copy, false) => "case_1_copy",
        (_, false) => "case_2_refuse",
        (WhenFull::Copy, true) => "case_3_told_copy",
        (_, true) => "case_4_told_refuse",
    };
    let test = format!("room::without_room_for_notifications_it_copies_or_refuses::{case}");
    in_fresh(Fresh::Network, &test, || {
        black_hole();
        // Before Linux 6.8 it is the machine's, and 20 KiB by default: leave it so.
        let room = Sysctl::new("net.core.optmem_max");
        let is_ours = room.read().unwrap().is_some();
        if is_ours {
            room.write(8192).unwrap();
        }
        a_silent_neighbour();
        let socket = UdpSocket::bind("10.7.0.1:0").unwrap();
        SockRef::from(&socket)
            .set_send_buffer_size(1 << 20)
            .unwrap();
        socket.connect(SILENT).unwrap();
        tune(&socket, Tuning::new().receive_errors(tells_device_errors));
        let pool = TxPool::new(64, 4096).unwrap();
        let options = ZeroCopyOptions::new().threshold(1).when_full(when_full);
        let mut sender = options.attach(socket).unwrap();
        let mut held = 0;
        let last = loop {
            match sender.send(filled(&pool, 5)) {
                Ok(Sent::InFlight { .. }) => held += 1,
                last => break last,
            }
        };
        assert!(held > 0);
        match (when_full, last) {
            (WhenFull::Copy, Ok(Sent::Copied(_))) => {
                assert_eq!((sender.totals().full, sender.totals().plain), (1, 4096));
            }
            (WhenFull::Refuse, Err(rejected)) => {
                assert!(matches!(rejected.error, Error::ZeroCopyFull(Limit::Kernel)));
                let text = rejected.error.to_string();
                assert!(text.contains("net.core.optmem_max"), "{text}");
                assert!(rejected.buf.unwrap().iter().all(|byte| *byte == 5));
            }
            (_, last) => panic!("{last:?}"),
        }
        assert_eq!(sender.state(), State::ZeroCopy);
        the_neighbour_answers();
        let released = reap(&mut sender, 1, 0).released.len();
        assert!(released <= held);
        in_flight(sender.send(filled(&pool, 6)));
    });
}

#[test]
fn without_lockable_memory_it_refuses_too() {
    let test = "room::without_lockable_memory_it_refuses_too";
    with_lockable_memory(0, test, || {
        let (near, _far) = udp();
        let pool = TxPool::new(1, 4096).unwrap();
        let options = ZeroCopyOptions::new()
            .threshold(1)
            .when_full(WhenFull::Refuse);
        let mut sender = options.attach(near).unwrap();
        let rejected = sender.send(filled(&pool, 5)).unwrap_err();
        assert!(matches!(rejected.error, Error::ZeroCopyFull(Limit::Kernel)));
        assert!(rejected.error.to_string().contains("RLIMIT_MEMLOCK"));
    });
}

#[test]
fn epoll_still_tells_what_came_before_there_was_no_room() {
    let test = "room::epoll_still_tells_what_came_before_there_was_no_room";
    in_fresh(Fresh::Network, test, || {
        black_hole();
        let room = Sysctl::new("net.core.optmem_max");
        if room.read().unwrap().is_some() {
            room.write(8192).unwrap();
        }
        a_silent_neighbour();
        let socket = UdpSocket::bind("10.7.0.1:0").unwrap();
        SockRef::from(&socket)
            .set_send_buffer_size(1 << 20)
            .unwrap();
        let pool = TxPool::new(64, 4096).unwrap();
        let options = ZeroCopyOptions::new().threshold(1);
        let mut sender = options.attach(socket).unwrap();
        let epoll = Epoll::new().unwrap();
        epoll.add(&sender, 0, Interest::READABLE).unwrap();
        let done = in_flight(sender.send_to(filled(&pool, 1), KNOWN));
        while sender.totals().full == 0 {
            sender.send_to(filled(&pool, 2), SILENT).unwrap();
        }
        let mut events = Events::with_capacity(1);
        assert_eq!(epoll.wait(&mut events, Some(PATIENCE)).unwrap(), 1);
        let released = reap(&mut sender, 1, 0).released;
        assert_eq!(released, [(done, 4096, Usage::ZeroCopied)]);
    });
}
