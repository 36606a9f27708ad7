use crate::*;

#[rstest]
#[case::hidden(false)]
#[case::told(true)]
fn a_send_that_the_queue_drops_is_counted(#[case] told: bool) {
    let case = if told { "case_2_told" } else { "case_1_hidden" };
    let test = format!("counting::a_send_that_the_queue_drops_is_counted::{case}");
    in_fresh(Fresh::Network, &test, || {
        black_hole();
        let socket = UdpSocket::bind("10.7.0.1:0").unwrap();
        tune(&socket, Tuning::new().receive_errors(told));
        let pool = TxPool::new(4, SLOT).unwrap();
        let mut sender = ZeroCopyOptions::new().attach(socket).unwrap();
        // A queue with no room at all.
        tc("qdisc replace dev hole root bfifo limit 1");
        if told {
            let rejected = sender.send_to(filled(&pool, 1), KNOWN).unwrap_err();
            assert_eq!(rejected.error.raw_os_error(), Some(libc::ENOBUFS));
            assert!(!matches!(rejected.error, Error::ZeroCopyFull(_)));
        } else {
            in_flight(sender.send_to(filled(&pool, 1), KNOWN));
            reap(&mut sender, 1, 0);
        }
        tc("qdisc del dev hole root");
        assert_eq!((sender.state(), sender.in_flight()), (State::ZeroCopy, 0));
        a_silent_neighbour();
        let passes = in_flight(sender.send_to(filled(&pool, 2), KNOWN));
        let stays = in_flight(sender.send_to(filled(&pool, 3), SILENT));
        // Were the dropped one not counted, the notification of this one would be taken for that of the next.
        assert_eq!(reap(&mut sender, 1, 0).released[0].0, passes);
        assert!(!sender.wait(Some(Duration::from_millis(50))).unwrap());
        assert_eq!((sender.in_flight(), pool.outstanding()), (1, 1));
        the_neighbour_answers();
        let released = reap(&mut sender, 1, 0).released;
        assert_eq!(released, [(stays, SLOT as usize, Usage::ZeroCopied)]);
    });
}

#[test]
fn somebody_else_who_sends_without_copying_ends_all_releases() {
    let pool = TxPool::new(16, SLOT).unwrap();
    let (near, far) = tcp();
    let other = near.try_clone().unwrap();
    let mut sender = ZeroCopyOptions::new().attach(near).unwrap();
    SockRef::from(&other)
        .send_with_flags(&[1; 20_000], libc::MSG_ZEROCOPY)
        .unwrap();
    let reader = read_all(far);
    let deadline = Instant::now() + PATIENCE;
    while sender.state() == State::ZeroCopy {
        assert!(Instant::now() < deadline, "{sender:?}");
        sender.wait(Some(PATIENCE)).unwrap();
        sender.reap(drop).unwrap();
    }
    assert_eq!(
        (sender.state(), sender.totals().strays),
        (State::Disturbed, 1)
    );
    assert!(matches!(sender.send(filled(&pool, 1)), Ok(Sent::Copied(_))));
    drop((sender, other));
    assert_eq!(reader.join().unwrap().len(), 20_000 + SLOT as usize);
}

#[test]
fn a_datagram_of_which_some_fragments_are_under_way_is_in_doubt_until_they_are_gone() {
    let test = "counting::a_datagram_of_which_some_fragments_are_under_way_is_in_doubt_until_they_are_gone";
    in_fresh(Fresh::Network, test, || {
        black_hole();
        ip("link set hole mtu 1500");
        let socket = UdpSocket::bind("10.7.0.1:0").unwrap();
        tune(&socket, Tuning::new().receive_errors(true));
        let pool = TxPool::new(4, SLOT).unwrap();
        let mut sender = ZeroCopyOptions::new().attach(&socket).unwrap();
        // Room for a few fragments of the forty, and none leaves.
        tc("qdisc replace dev hole root tbf rate 8kbit burst 1600 limit 10000");
        let not_sent = sender.send_to(filled(&pool, 1), KNOWN).unwrap_err();
        let ticket = not_sent.buf.unwrap_err();
        assert_eq!(not_sent.error.raw_os_error(), Some(libc::ENOBUFS));
        assert_eq!((sender.state(), sender.in_flight()), (State::InDoubt, 1));
        // The queue is exchanged, and what is in it thrown away.
        tc("qdisc replace dev hole root pfifo limit 1000");
        let released = reap(&mut sender, 1, 0).released;
        assert_eq!(released, [(ticket, 0, Usage::NotSent)]);
        assert_eq!(sender.state(), State::ZeroCopy);
        in_flight(sender.send_to(filled(&pool, 2), KNOWN));
        reap(&mut sender, 1, 0);
        assert_eq!((sender.totals().strays, pool.outstanding()), (0, 0));
        // Connected, it is known to be cut, and copied.
        socket.connect(KNOWN).unwrap();
        tc("qdisc replace dev hole root tbf rate 8kbit burst 1600 limit 10000");
        let rejected = sender.send(filled(&pool, 3)).unwrap_err();
        assert_eq!(rejected.error.raw_os_error(), Some(libc::ENOBUFS));
        assert_eq!(rejected.buf.unwrap().len(), SLOT as usize);
        assert_eq!((sender.state(), sender.in_flight()), (State::ZeroCopy, 0));
    });
}
