use std::io::Read;
use std::net::TcpStream;

use super::pattern::Pattern;

/// What came out of a stream.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Received {
    pub(crate) bytes: u64,
    /// How many were not what they should be.
    pub(crate) wrong: u64,
    /// Where the first of them stood.
    pub(crate) first_wrong: Option<u64>,
}

impl Received {
    pub(crate) fn whole(bytes: u64) -> Self {
        Self {
            bytes,
            wrong: 0,
            first_wrong: None,
        }
    }
}

/// Reads to the end.
pub(super) fn read(mut stream: TcpStream, pattern: &Pattern) -> Received {
    let mut received = Received::whole(0);
    let mut bytes = vec![0; 1 << 18];
    loop {
        let count = stream.read(&mut bytes).unwrap();
        if count == 0 {
            return received;
        }
        let wrong = pattern.wrong(received.bytes, &bytes[..count]);
        if let (None, Some(first)) = (received.first_wrong, wrong.first()) {
            received.first_wrong = Some(received.bytes + u64::try_from(*first).unwrap());
        }
        received.wrong += u64::try_from(wrong.len()).unwrap();
        received.bytes += u64::try_from(count).unwrap();
    }
}
