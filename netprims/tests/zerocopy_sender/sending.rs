use crate::*;

#[rstest]
#[case::v4("127.0.0.1:0")]
#[case::v6("[::1]:0")]
fn over_loopback_everything_is_copied_and_told_so(#[case] address: &str) {
    let (near, far) = tcp_at(address);
    let reader = read_all(far);
    let pool = TxPool::new(4, SLOT).unwrap();
    let mut sender = ZeroCopyOptions::new().attach(near).unwrap();
    let tickets: Vec<_> = (1..=4)
        .map(|byte| in_flight(sender.send(filled(&pool, byte))))
        .collect();
    assert_eq!(sender.in_flight(), 4);
    let mut released = reap(&mut sender, 4, 0).released;
    released.sort_unstable_by_key(|(ticket, ..)| *ticket);
    let want = tickets
        .iter()
        .map(|ticket| (*ticket, 60_000, Usage::Copied));
    assert!(released.into_iter().eq(want));
    let totals = sender.totals();
    assert_eq!(
        (totals.buffers, totals.copied, totals.zero_copied),
        (4, 240_000, 0)
    );
    assert_eq!((pool.outstanding(), sender.in_flight()), (0, 0));
    drop(sender);
    let want: Vec<u8> = (1..=4).flat_map(|byte| [byte; SLOT as usize]).collect();
    assert!(reader.join().unwrap() == want);
}

#[test]
fn udp_sends_datagrams_to_the_peer_or_to_an_address() {
    let (near, far) = udp();
    let pool = TxPool::new(4, 20_000).unwrap();
    let mut sender = ZeroCopyOptions::new().attach(&near).unwrap();
    in_flight(sender.send(filled(&pool, 1)));
    let third = UdpSocket::bind("127.0.0.1:0").unwrap();
    in_flight(sender.send_to(filled(&pool, 2), third.local_addr().unwrap()));
    for (socket, byte) in [(&far, 1), (&third, 2)] {
        let mut got = vec![0; 30_000];
        let len = socket.recv(&mut got).unwrap();
        assert!(got[..len] == [byte; 20_000]);
    }
    let released = reap(&mut sender, 2, 0).released;
    assert!(released.iter().all(|(.., usage)| *usage == Usage::Copied));
    let small = match sender.send({
        let mut buf = filled(&pool, 3);
        buf.set_len(16_383).unwrap();
        buf
    }) {
        Ok(Sent::Copied(buf)) => buf,
        other => panic!("{other:?}"),
    };
    assert_eq!((small.len(), sender.totals().plain), (16_383, 16_383));
}

#[test]
fn what_the_kernel_refuses_comes_back_with_its_buffer() {
    let pool = TxPool::new(4, 70_000).unwrap();
    let mut unconnected = ZeroCopyOptions::new()
        .attach(UdpSocket::bind("127.0.0.1:0").unwrap())
        .unwrap();
    let mut buf = filled(&pool, 7);
    buf.set_len(60_000).unwrap();
    let rejected = unconnected.send(buf).unwrap_err();
    assert_eq!(rejected.error.raw_os_error(), Some(libc::EDESTADDRREQ));
    let mut buf = rejected.buf.unwrap();
    assert!(buf.iter().all(|byte| *byte == 7), "unchanged");
    let (near, far) = udp();
    let mut sender = ZeroCopyOptions::new().attach(near).unwrap();
    buf.set_len(70_000).unwrap();
    let rejected = sender.send(buf).unwrap_err();
    assert_eq!(rejected.error.raw_os_error(), Some(libc::EMSGSIZE));
    assert_eq!(sender.state(), State::ZeroCopy);
    let (stream, _peer) = tcp();
    let mut stream = ZeroCopyOptions::new().attach(stream).unwrap();
    let address = far.local_addr().unwrap();
    let rejected = stream.send_to(rejected.buf.unwrap(), address).unwrap_err();
    assert!(matches!(
        rejected.error,
        Error::InvalidValue {
            option: "send_to",
            ..
        }
    ));
    stream.socket().shutdown(Shutdown::Write).unwrap();
    let rejected = stream.send(rejected.buf.unwrap()).unwrap_err();
    assert_eq!(rejected.error.raw_os_error(), Some(libc::EPIPE));
    drop(rejected);
    assert_eq!(pool.outstanding(), 0);
}

#[test]
fn on_a_device_that_does_not_copy_all_is_zero_copied() {
    let test = "sending::on_a_device_that_does_not_copy_all_is_zero_copied";
    in_fresh(Fresh::Network, test, || {
        black_hole();
        let socket = UdpSocket::bind("10.7.0.1:0").unwrap();
        socket.connect("10.7.0.2:9").unwrap();
        let pool = TxPool::new(32, SLOT).unwrap();
        let mut sender = ZeroCopyOptions::new().attach(socket).unwrap();
        let lens = [16 * 1024, 16 * 1024 + 1, 30_000, 60_000];
        for len in lens.into_iter().cycle().take(320) {
            let mut buf = filled(&pool, 1);
            buf.set_len(len).unwrap();
            in_flight(sender.send(buf));
            let [(_, bytes, usage)] = reap(&mut sender, 1, 0).released[..] else {
                panic!("more than was sent")
            };
            assert_eq!((bytes, usage), (len, Usage::ZeroCopied));
        }
        let mut buf = filled(&pool, 1);
        buf.set_len(16 * 1024 - 1).unwrap();
        assert!(matches!(sender.send(buf), Ok(Sent::Copied(_))));
        let totals = sender.totals();
        let sent: usize = lens.iter().sum::<usize>() * 80;
        assert_eq!((totals.buffers, totals.zero_copied), (321, sent as u64));
        assert_eq!((totals.copied, totals.plain), (0, 16 * 1024 - 1));
    });
}

#[test]
fn a_handler_that_panics_loses_one_event() {
    let (near, far) = udp();
    let pool = TxPool::new(4, 4096).unwrap();
    let mut sender = ZeroCopyOptions::new().threshold(1).attach(near).unwrap();
    for _ in 0..4 {
        in_flight(sender.send(filled(&pool, 1)));
        far.recv(&mut [0; 5000]).unwrap();
    }
    sender.wait(Some(PATIENCE)).unwrap();
    let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        sender.reap(|_| panic!("a handler")).unwrap()
    }));
    assert!(panicked.is_err());
    reap(&mut sender, 3, 0);
    assert_eq!((pool.outstanding(), sender.in_flight()), (0, 0));
}

#[test]
fn a_path_that_copies_gets_plain_sends() {
    let (near, far) = udp();
    let pool = TxPool::new(1, 4096).unwrap();
    let options = ZeroCopyOptions::new().threshold(1).give_up_after(10);
    let mut sender = options.attach(near).unwrap();
    for nth in 0..12 {
        match sender.send(filled(&pool, 1)) {
            Ok(Sent::InFlight { .. }) if nth < 10 => drop(reap(&mut sender, 1, 0)),
            Ok(Sent::Copied(_)) if nth >= 10 => {}
            other => panic!("{nth}: {other:?}"),
        }
        far.recv(&mut [0; 5000]).unwrap();
    }
    assert_eq!(sender.state(), State::GivenUp);
    let totals = sender.totals();
    assert_eq!((totals.copied, totals.plain), (40_960, 8192));
}
