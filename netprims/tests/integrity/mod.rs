//! Sends over a stream whose every byte is checked where it arrives, from buffers that are overwritten the moment the
//! ring gives them back.

mod lengths;
mod pattern;
mod reader;
mod writer;

use std::net::{IpAddr, Ipv4Addr, TcpListener, TcpStream};
use std::thread;

use netprims::netns::NetNs;
use netprims::ring::{Strays, Totals};
use pattern::Pattern;
use reader::Received;

/// What came of a stream.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) sent: Totals,
    pub(crate) strays: Strays,
    pub(crate) received: Received,
}

impl Outcome {
    /// Every byte has arrived, and as it was sent.
    pub(crate) fn assert_whole(&self, volume: u64) {
        assert_eq!(self.received, Received::whole(volume), "{:?}", self.sent);
        let Totals {
            zero_copied,
            copied,
            not_sent,
            unknown,
            ..
        } = self.sent;
        assert_eq!(zero_copied + copied + unknown, volume, "{:?}", self.sent);
        assert_eq!((not_sent, self.strays), (0, Strays::default()));
    }
}

/// Sends so many bytes from one end of a connection to the other.
pub(crate) fn through((near, far): (TcpStream, TcpStream), seed: u64, volume: u64) -> Outcome {
    let pattern = Pattern::new(seed);
    let expected = pattern.clone();
    let reader = thread::spawn(move || reader::read(far, &expected));
    let (sent, strays) = writer::write(near, &pattern, seed, volume);
    let received = reader.join().unwrap();
    let outcome = Outcome {
        sent,
        strays,
        received,
    };
    println!("{outcome:?}");
    outcome
}

/// A connection from one namespace to an address in another.
pub(crate) fn connect(near: &NetNs, far: &NetNs, address: Ipv4Addr) -> (TcpStream, TcpStream) {
    let listener = far.run(|| TcpListener::bind((address, 0)).unwrap());
    let listener = listener.unwrap();
    let target = listener.local_addr().unwrap();
    assert_eq!(target.ip(), IpAddr::V4(address));
    let near = near.run(|| TcpStream::connect(target).unwrap()).unwrap();
    (near, listener.accept().unwrap().0)
}
