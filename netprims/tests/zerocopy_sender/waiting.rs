use crate::*;

/// Each buffer was filled with its number.
fn assert_is_the_buffers(bytes: &[u8], buffers: usize) {
    assert_eq!(bytes.len(), buffers * SLOT as usize);
    for (nth, bytes) in (0..).zip(bytes.chunks(SLOT as usize)) {
        assert!(bytes == [nth; SLOT as usize], "buffer {nth}");
    }
}

/// Sends so many buffers, each when there is room and a free slot. How many came back.
fn epoll_rounds(volume: usize, slots: u32, options: ZeroCopyOptions) -> usize {
    let (near, far) = tcp_to_a_small_reader();
    near.set_nonblocking(true).unwrap();
    let reader = read_all(far);
    let pool = TxPool::new(slots, SLOT).unwrap();
    let mut sender = options.attach(near).unwrap();
    let epoll = Epoll::new().unwrap();
    epoll
        .add(&sender, 0, Interest::WRITABLE.edge_triggered())
        .unwrap();
    let mut events = Events::with_capacity(4);
    let mut given = 0;
    let mut released = 0;
    loop {
        while given < volume && sender.unsent() == 0 {
            let Some(mut buf) = pool.take() else { break };
            buf.fill(u8::try_from(given).unwrap());
            match sender.send(buf) {
                Ok(Sent::Copied(_)) => (given, released) = (given + 1, released + 1),
                Ok(_) => given += 1,
                Err(rejected) if rejected.error.is_would_block() => break,
                Err(rejected) => panic!("{rejected}"),
            }
        }
        if released == volume {
            break;
        }
        assert!(
            epoll.wait(&mut events, Some(PATIENCE)).unwrap() > 0,
            "{sender:?}"
        );
        for event in events.iter() {
            if event.is_writable() {
                sender.flush(|_| released += 1).unwrap();
            }
            if event.is_error() {
                released += sender.reap(drop).unwrap();
            }
        }
    }
    drop(sender);
    assert_is_the_buffers(&reader.join().unwrap(), volume);
    released
}

#[rstest]
#[case::zero_copy(8, ZeroCopyOptions::new().give_up_after(0))]
#[case::gives_up(2, ZeroCopyOptions::new().give_up_after(5))]
#[case::plain(1, ZeroCopyOptions::new().threshold(usize::MAX))]
fn edge_triggered_epoll_tells_what_to_do(#[case] slots: u32, #[case] options: ZeroCopyOptions) {
    assert_eq!(epoll_rounds(100, slots, options), 100);
}

#[test]
fn tokio_tells_what_to_do() {
    use tokio::io::Interest;

    const BUFFERS: usize = 100;
    let (near, far) = tcp_to_a_small_reader();
    near.set_nonblocking(true).unwrap();
    let reader = read_all(far);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .build()
        .unwrap();
    runtime.block_on(async {
        let stream = Arc::new(tokio::net::TcpStream::from_std(near).unwrap());
        let pool = TxPool::new(8, SLOT).unwrap();
        let mut sender = ZeroCopyOptions::new()
            .give_up_after(0)
            .attach(Arc::clone(&stream))
            .unwrap();
        let (mut given, mut released) = (0, 0);
        while released < BUFFERS {
            while given < BUFFERS && sender.unsent() == 0 {
                let Some(mut buf) = pool.take() else { break };
                buf.fill(u8::try_from(given).unwrap());
                match sender.send(buf) {
                    Ok(_) => given += 1,
                    Err(rejected) if rejected.error.is_would_block() => break,
                    Err(rejected) => panic!("{rejected}"),
                }
            }
            let interest = if sender.unsent() > 0 {
                Interest::ERROR | Interest::WRITABLE
            } else {
                Interest::ERROR
            };
            let ready = stream.ready(interest).await.unwrap();
            if ready.is_writable() {
                let _ = stream.try_io(Interest::WRITABLE, || {
                    match sender.flush(|_| released += 1).unwrap() {
                        0 => Ok(()),
                        _ => Err(io::ErrorKind::WouldBlock.into()),
                    }
                });
            }
            if ready.is_error() {
                let _ = stream.try_io(Interest::ERROR, || match sender.reap(drop).unwrap() {
                    0 => Err::<(), _>(io::ErrorKind::WouldBlock.into()),
                    count => {
                        released += count;
                        Ok(())
                    }
                });
            }
        }
    });
    assert_is_the_buffers(&reader.join().unwrap(), BUFFERS);
}
