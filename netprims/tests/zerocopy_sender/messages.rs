use crate::*;

#[test]
fn other_messages_of_the_error_queue_are_handed_out() {
    let near = UdpSocket::bind("127.0.0.1:0").unwrap();
    let timestamping = Timestamping::TX_SOFTWARE.and(Timestamping::SOFTWARE);
    let tuning = Tuning::new()
        .receive_errors(true)
        .timestamping(timestamping);
    tune(&near, tuning);
    let far = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = far.local_addr().unwrap();
    let pool = TxPool::new(2, 4096).unwrap();
    let mut sender = ZeroCopyOptions::new().threshold(1).attach(near).unwrap();
    in_flight(sender.send_to(filled(&pool, 1), address));
    far.recv(&mut [0; 5000]).unwrap();
    let stamped = reap(&mut sender, 1, 1);
    let [message] = &stamped.messages[..] else {
        panic!("{stamped:?}")
    };
    assert_eq!(message.origin, Origin::Timestamping);
    assert_eq!(message.error().unwrap().raw_os_error(), Some(libc::ENOMSG));
    assert!(message.software_time.is_some() && message.hardware_time.is_none());

    drop(far);
    in_flight(sender.send_to(filled(&pool, 2), address));
    let refused = reap(&mut sender, 1, 2);
    let icmp = refused
        .messages
        .iter()
        .find(|message| message.origin == Origin::Icmp);
    let icmp = icmp.unwrap();
    assert_eq!(
        icmp.error().unwrap().raw_os_error(),
        Some(libc::ECONNREFUSED)
    );
    assert_eq!(icmp.destination, Some(address));
    assert_eq!(icmp.offender, Some(address.ip()));
    assert!(!icmp.payload().is_empty() && icmp.payload().iter().all(|byte| *byte == 2));
    assert_eq!(sender.totals().strays, 0);
}

#[test]
fn a_pending_error_is_told_once_and_wakes_nobody_again() {
    let (near, far) = udp();
    drop(far);
    let pool = TxPool::new(1, SLOT).unwrap();
    let mut sender = ZeroCopyOptions::new().attach(near).unwrap();
    in_flight(sender.send(filled(&pool, 1)));
    let mut released = 0;
    let error = loop {
        assert!(sender.wait(Some(PATIENCE)).unwrap());
        let mut error = None;
        let events = sender.reap(|event| match event {
            Event::Released { .. } => released += 1,
            Event::Error(pending) => error = Some(pending),
            other => panic!("{other:?}"),
        });
        assert!(events.unwrap() > 0, "woken for nothing");
        if let Some(error) = error {
            break error;
        }
    };
    assert_eq!(error.raw_os_error(), Some(libc::ECONNREFUSED));
    assert_eq!(released, 1);
    assert!(!sender.wait(Some(Duration::from_millis(50))).unwrap());
}
