use crate::*;

fn socket(domain: Domain, kind: Type, protocol: Protocol) -> io::Result<Socket> {
    Socket::new(domain, kind, Some(protocol))
}

#[rstest]
#[case::unix(Ok(UnixStream::pair().unwrap().0.into()))]
#[case::udp_lite(socket(Domain::IPV4, Type::DGRAM, Protocol::from(136)))]
#[case::multipath(socket(Domain::IPV4, Type::STREAM, Protocol::from(262)))]
#[case::raw(socket(Domain::IPV4, Type::RAW, Protocol::ICMPV4))]
#[case::on_already({
    let socket = socket(Domain::IPV6, Type::STREAM, Protocol::TCP).unwrap();
    tune(&socket, Tuning::new().zerocopy(true));
    Ok(socket)
})]
fn a_socket_that_will_not_do_is_given_back(#[case] socket: io::Result<Socket>) {
    let socket = match socket {
        Ok(socket) => socket,
        // Not every kernel has every protocol, nor may everybody open it; there is nothing to refuse then.
        Err(error) => {
            let reasons = [libc::EPROTONOSUPPORT, libc::ENOPROTOOPT, libc::EPERM].map(Some);
            assert!(reasons.contains(&error.raw_os_error()), "{error}");
            let name = thread::current().name().unwrap_or_default().to_owned();
            // Past the harness, which keeps what a test that passes prints; in one piece.
            let line = format!("{name}: skipped: {error}\n");
            io::stderr().write_all(line.as_bytes()).unwrap();
            return;
        }
    };
    let before = SockRef::from(&socket).local_addr().unwrap();
    let refused = ZeroCopyOptions::new().attach(socket).unwrap_err();
    let Error::InvalidValue { option, .. } = &refused.error else {
        panic!("{}", refused.error)
    };
    assert_eq!(*option, "SO_ZEROCOPY");
    assert_eq!(
        refused.socket.local_addr().unwrap().family(),
        before.family()
    );
}

#[rstest]
#[case(0)]
#[case(65_535)]
fn a_number_out_of_range_is_refused_before_anything_is_touched(#[case] most: u32) {
    let (near, _far) = udp();
    let refused = ZeroCopyOptions::new()
        .in_flight(most)
        .attach(near)
        .unwrap_err();
    assert!(matches!(
        refused.error,
        Error::InvalidValue {
            option: "in_flight",
            ..
        }
    ));
    ZeroCopyOptions::new().attach(refused.socket).unwrap();
}

#[test]
fn what_is_no_socket_is_an_error() {
    let file = std::fs::File::open("/dev/null").unwrap();
    let refused = ZeroCopyOptions::new().attach(file).unwrap_err();
    assert_eq!(refused.error.raw_os_error(), Some(libc::ENOTSOCK));
}

#[test]
fn a_descriptor_that_answers_for_several_sockets_is_seen_through() {
    use std::os::fd::BorrowedFd;
    use std::sync::atomic::{AtomicUsize, Ordering};

    struct Either([UdpSocket; 2], AtomicUsize);

    impl AsFd for Either {
        fn as_fd(&self) -> BorrowedFd<'_> {
            self.0[self.1.load(Ordering::Relaxed)].as_fd()
        }
    }

    let [(first, far), (second, _)] = [(); 2].map(|()| udp());
    let pool = TxPool::new(2, 4096).unwrap();
    let either = Either([first, second], AtomicUsize::new(0));
    let mut sender = ZeroCopyOptions::new().threshold(1).attach(either).unwrap();
    in_flight(sender.send(filled(&pool, 1)));
    sender.socket().1.store(1, Ordering::Relaxed);
    let rejected = sender.send(filled(&pool, 1)).unwrap_err();
    assert_eq!(rejected.error.raw_os_error(), Some(libc::EBADF));
    sender.reap(drop).unwrap_err();
    sender.socket().1.store(0, Ordering::Relaxed);
    far.recv(&mut [0; 5000]).unwrap();
    reap(&mut sender, 1, 0);
}

#[test]
fn a_socket_that_answers_otherwise_after_it_was_attached_is_seen_through() {
    use std::os::fd::BorrowedFd;
    use std::sync::atomic::{AtomicBool, Ordering};

    struct Turncoat(UdpSocket, UnixStream, AtomicBool);

    impl AsFd for Turncoat {
        fn as_fd(&self) -> BorrowedFd<'_> {
            if self.2.swap(true, Ordering::Relaxed) {
                self.1.as_fd()
            } else {
                self.0.as_fd()
            }
        }
    }

    let (near, _far) = udp();
    let (other, _) = UnixStream::pair().unwrap();
    let turncoat = Turncoat(near, other, AtomicBool::new(false));
    let mut sender = ZeroCopyOptions::new().attach(turncoat).unwrap();
    let pool = TxPool::new(1, SLOT).unwrap();
    let refused = sender.send(filled(&pool, 1)).unwrap_err();
    assert_eq!(refused.error.raw_os_error(), Some(libc::EBADF));
}

#[test]
fn a_sender_can_go_to_another_thread() {
    fn is_send<T: Send>(_: &T) {}

    let (near, _far) = udp();
    is_send(&ZeroCopyOptions::new().attach(near).unwrap());
}
