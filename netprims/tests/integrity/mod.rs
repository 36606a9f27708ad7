//! Streams whose every byte is checked where it arrives. The sender's buffers are overwritten the moment the ring gives
//! them back; what the receiver keeps is looked at again later.

mod lengths;
mod path;
mod pattern;
mod reader;
mod writer;

use std::net::TcpStream;
use std::thread;

use netprims::ring::{Strays, Totals};
pub(crate) use path::Path;
use pattern::Pattern;
use reader::Received;
pub(crate) use reader::Way;

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

/// Sends so many bytes from one end of a connection to the other, which receives them in this way.
pub(crate) fn through((near, far): (TcpStream, TcpStream), way: Way, volume: u64) -> Outcome {
    let pattern = Pattern::new(way.seed());
    let expected = pattern.clone();
    let reader = thread::spawn(move || reader::read(far, way, &expected));
    let (sent, strays) = writer::write(near, &pattern, way.seed(), volume);
    let received = reader.join().unwrap();
    let outcome = Outcome {
        sent,
        strays,
        received,
    };
    println!("{way:?}: {outcome:?}");
    outcome
}
