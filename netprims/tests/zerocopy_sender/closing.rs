use crate::*;

/// Fills a connection whose reader sleeps. How many bytes it took, and the sender.
fn stalled(pool: &TxPool) -> (usize, ZeroCopySender<TcpStream>, TcpStream) {
    let (near, far) = tcp_to_a_small_reader();
    near.set_nonblocking(true).unwrap();
    SockRef::from(&near).set_send_buffer_size(200_000).unwrap();
    let mut sender = ZeroCopyOptions::new().attach(near).unwrap();
    let mut taken = 0;
    while let Some(mut buf) = pool.take() {
        let mark = u8::try_from(taken / SLOT as usize + 1).unwrap();
        buf.fill(mark);
        match sender.send(buf) {
            Ok(Sent::InFlight { unsent, .. }) => taken += SLOT as usize - unsent,
            Err(rejected) if rejected.error.is_would_block() => break,
            other => panic!("{other:?}"),
        }
    }
    assert!(sender.in_flight() > 2 && pool.outstanding() < pool.slots());
    (taken, sender, far)
}

fn assert_marks(bytes: &[u8]) {
    for (mark, bytes) in (1..).zip(bytes.chunks(SLOT as usize)) {
        assert!(
            bytes == &[mark; SLOT as usize][..bytes.len()],
            "buffer {mark}"
        );
    }
}

#[test]
fn closing_waits_no_longer_than_its_limit_and_reuses_nothing_early() {
    let pool = TxPool::new(16, SLOT).unwrap();
    let (taken, sender, far) = stalled(&pool);
    let mut reaped = Reaped::default();
    let closed = sender
        .close(Duration::from_millis(20), |event| reaped.take(event))
        .unwrap();
    assert!(closed.renewed > 0 && closed.leaked == 0, "{closed:?}");
    // Other tests of this process leak, so the process's count is no witness; every slot being free is.
    assert_eq!(pool.outstanding(), 0);
    while let Some(mut buf) = pool.take() {
        buf.fill(0xee);
        std::mem::forget(buf);
    }
    let bytes = read_all(far).join().unwrap();
    assert_eq!(bytes.len(), taken);
    assert_marks(&bytes);
}

#[test]
fn closing_gives_back_what_the_reader_takes() {
    let pool = TxPool::new(16, SLOT).unwrap();
    let (taken, sender, far) = stalled(&pool);
    let reader = read_all(far);
    let mut reaped = Reaped::default();
    let closed = sender.close(PATIENCE, |event| reaped.take(event)).unwrap();
    assert_eq!((closed.renewed, closed.leaked), (0, 0));
    let bytes: usize = reaped.released.iter().map(|(_, bytes, _)| bytes).sum();
    assert_eq!(bytes, taken);
    assert_eq!(reaped.released.len() as u64, closed.totals.buffers);
    assert_eq!(pool.outstanding(), 0);
    assert_marks(&reader.join().unwrap());
}

#[test]
fn a_connection_that_is_reset_gives_everything_back() {
    let pool = TxPool::new(16, SLOT).unwrap();
    let (_, mut sender, far) = stalled(&pool);
    SockRef::from(&far)
        .set_linger(Some(Duration::ZERO))
        .unwrap();
    drop(far);
    let deadline = Instant::now() + PATIENCE;
    while sender.totals().copied + sender.totals().zero_copied == 0 || sender.in_flight() > 1 {
        assert!(Instant::now() < deadline, "{sender:?}");
        sender.reap(drop).unwrap();
    }
    let error = sender.flush(drop).unwrap_err();
    let errno = error.raw_os_error().unwrap();
    assert!([libc::ECONNRESET, libc::EPIPE].contains(&errno), "{error}");
    let closed = sender.close(PATIENCE, drop).unwrap();
    assert_eq!(
        (closed.renewed, closed.leaked, pool.outstanding()),
        (0, 0, 0)
    );
}

#[test]
fn waiting_for_a_connection_both_ends_have_shut_down_is_waiting() {
    let pool = TxPool::new(16, SLOT).unwrap();
    let (taken, mut sender, far) = stalled(&pool);
    sender.socket().shutdown(Shutdown::Write).unwrap();
    far.shutdown(Shutdown::Write).unwrap();
    // What the reader has taken comes back; what it has not, not.
    while sender.wait(Some(Duration::from_millis(50))).unwrap() {
        assert!(sender.reap(drop).unwrap() > 0, "woken for nothing");
    }
    assert!(sender.in_flight() > 0);
    let reader = read_all(far);
    let mut reaped = Reaped::default();
    let closed = sender.close(PATIENCE, |event| reaped.take(event)).unwrap();
    assert_eq!((closed.renewed, closed.leaked), (0, 0));
    assert_eq!(reader.join().unwrap().len(), taken);
}

#[test]
fn a_forgotten_sender_keeps_its_buffers() {
    let pool = TxPool::new(16, SLOT).unwrap();
    let (taken, sender, far) = stalled(&pool);
    let held = pool.outstanding();
    assert!(held > 2);
    SockRef::from(sender.socket())
        .shutdown(Shutdown::Write)
        .unwrap();
    std::mem::forget(sender);
    let free: Vec<_> = std::iter::from_fn(|| pool.take()).collect();
    assert_eq!(free.len(), 16 - held as usize);
    let bytes = read_all(far).join().unwrap();
    assert_eq!(bytes.len(), taken);
    assert_marks(&bytes);
    assert_eq!(pool.outstanding(), 16);
}

#[cfg(feature = "ring")]
#[test]
fn a_rings_buffers_can_be_sent_and_are_leaked_where_a_pool_of_its_own_is_renewed() {
    use netprims::buffer::leaked_bytes;

    let mut ring = netprims::ring::Ring::builder().build().unwrap();
    let pool = ring.tx_pool(16, SLOT).unwrap();
    let before = leaked_bytes();
    let (_, sender, far) = stalled(&pool);
    let held = pool.outstanding();
    drop(sender);
    assert!(leaked_bytes() >= before + 16 * u64::from(SLOT));
    assert!(pool.outstanding() > 0 && pool.outstanding() <= held);
    assert_marks(&read_all(far).join().unwrap());
    // The other way round a ring does not take what it has not registered.
    let socket = ring.add(udp().0).unwrap();
    let foreign = TxPool::new(1, 16).unwrap().take().unwrap();
    let rejected = ring
        .send(socket, foreign, netprims::ring::ZcPolicy::Always)
        .unwrap_err();
    assert!(matches!(rejected.error, Error::ForeignBuffer));
}
