//! Times of arrival.

use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::os::fd::AsFd;
use std::time::{Duration, SystemTime};

use netprims::datagram::{Outgoing, ReceiveBatch};
use netprims::timestamp::{self, Timestamps};
use netprims::tuning::{Timestamping, Tuning};

use crate::{pair, send, tune};

const SOFTWARE: Timestamping = Timestamping::RX_SOFTWARE.and(Timestamping::SOFTWARE);

/// That it is a time of about now.
fn is_near_now(timestamps: Timestamps) -> SystemTime {
    assert!(!timestamps.is_malformed());
    assert_eq!(timestamps.hardware(), None, "loopback has no clock");
    let time = timestamps.software().unwrap();
    let day = Duration::from_secs(86_400);
    let now = SystemTime::now();
    assert!(time > now - day && time < now + day, "{time:?}");
    time
}

/// The kernel begins to stamp a moment after the first socket of the machine asks: waits for it.
fn until_stamped(socket: &impl AsFd, mut send: impl FnMut()) {
    for _ in 0..10_000 {
        send();
        let stamped = timestamp::receive(socket, &mut [0; 64]).unwrap().unwrap();
        if stamped.timestamps().software().is_some() {
            return;
        }
    }
    panic!("never stamped");
}

#[test]
fn each_datagram_has_its_time_and_none_is_before_the_one_before() {
    let (near, far) = pair("127.0.0.1:0");
    tune(&far, Tuning::new().timestamping(SOFTWARE));
    until_stamped(&far, || {
        near.send(b"first").unwrap();
    });
    let mut batch = ReceiveBatch::new(32, 16).unwrap();
    send(&near, &[Outgoing::new(b"x"); 32]);
    let received = batch.receive(&far).unwrap();
    assert_eq!(received.len(), 32);
    let times: Vec<_> = received
        .iter()
        .map(|incoming| is_near_now(incoming.timestamps()))
        .collect();
    assert!(times.is_sorted(), "{times:?}");
    // Off again is off.
    tune(&far, Tuning::new().timestamping(Timestamping::NONE));
    near.send(b"x").unwrap();
    let received = batch.receive(&far).unwrap();
    let none = received.iter().next().unwrap().timestamps();
    assert_eq!(none, Timestamps::default());
}

#[test]
fn a_stream_has_them_too() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut near = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (far, _) = listener.accept().unwrap();
    let mut buffer = [0; 64];
    near.write_all(b"unstamped").unwrap();
    let stamped = timestamp::receive(&far, &mut buffer).unwrap().unwrap();
    assert_eq!(
        (stamped.bytes(), stamped.timestamps()),
        (9, Timestamps::default())
    );
    tune(&far, Tuning::new().timestamping(SOFTWARE));
    until_stamped(&far, || near.write_all(b"x").unwrap());
    near.write_all(b"stamped").unwrap();
    let stamped = timestamp::receive(&far, &mut buffer).unwrap().unwrap();
    assert_eq!(&buffer[..stamped.bytes()], b"stamped");
    is_near_now(stamped.timestamps());
    far.set_nonblocking(true).unwrap();
    assert_eq!(timestamp::receive(&far, &mut buffer).unwrap(), None);
    drop(near);
    far.set_nonblocking(false).unwrap();
    let end = timestamp::receive(&far, &mut buffer).unwrap().unwrap();
    assert_eq!((end.bytes(), end.timestamps()), (0, Timestamps::default()));
}

#[test]
fn a_datagram_longer_than_the_buffer_is_cut_and_said() {
    let (near, far) = pair("127.0.0.1:0");
    for (len, want) in [(8, (8, false)), (9, (8, true)), (0, (0, false))] {
        near.send(&vec![1; len]).unwrap();
        let stamped = timestamp::receive(&far, &mut [0; 8]).unwrap().unwrap();
        assert_eq!((stamped.bytes(), stamped.is_truncated()), want);
        assert!(!stamped.lacks_details());
    }
}

#[test]
fn what_is_no_socket_is_an_error() {
    let file = std::fs::File::open("/dev/null").unwrap();
    let error = timestamp::receive(&file, &mut [0; 1]).unwrap_err();
    assert_eq!(error.raw_os_error(), Some(libc::ENOTSOCK));
}
