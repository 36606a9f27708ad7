use std::os::fd::OwnedFd;

use super::Cut;
use crate::sys::rights::Arrival;
use crate::{Error, Result};

/// A message that arrived whole.
#[derive(Debug)]
pub struct Message {
    bytes: usize,
    fds: Vec<OwnedFd>,
}

impl Message {
    /// How many bytes were received; 0 at the end of a stream.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// The descriptors, in the order they were sent. Close-on-exec.
    pub fn fds(&self) -> &[OwnedFd] {
        &self.fds
    }

    /// Takes the descriptors. What is left in a dropped message is closed.
    pub fn into_fds(self) -> Vec<OwnedFd> {
        self.fds
    }

    /// Decides whether the message is whole; if not, its descriptors are closed here.
    pub(super) fn of(arrival: Arrival, limit: usize) -> Result<Self> {
        let Arrival { bytes, fds, .. } = arrival;
        let cut = if arrival.malformed {
            Some(Cut::Malformed)
        } else if arrival.control_cut {
            Some(Cut::Descriptors)
        } else if fds.len() > limit {
            Some(Cut::TooMany { limit })
        } else if arrival.data_cut {
            Some(Cut::Data)
        } else {
            None
        };
        match cut {
            None => Ok(Self { bytes, fds }),
            Some(cut) => Err(Error::MessageCut {
                cut,
                bytes,
                fds: fds.len(),
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    fn arrival(fds: usize, cut: [bool; 3]) -> Arrival {
        let fds = (0..fds).map(|_| std::fs::File::open("/dev/null").unwrap().into());
        let [data_cut, control_cut, malformed] = cut;
        Arrival {
            bytes: 5,
            fds: fds.collect(),
            data_cut,
            control_cut,
            malformed,
        }
    }

    #[rstest]
    #[case::data(2, [true, false, false], Cut::Data)]
    #[case::descriptors(2, [false, true, false], Cut::Descriptors)]
    #[case::malformed(2, [false, false, true], Cut::Malformed)]
    #[case::everything(3, [true, true, true], Cut::Malformed)]
    #[case::both(3, [true, true, false], Cut::Descriptors)]
    #[case::too_many(3, [false, false, false], Cut::TooMany { limit: 2 })]
    #[case::too_many_and_cut(3, [true, false, false], Cut::TooMany { limit: 2 })]
    fn a_message_that_is_not_whole_says_what_is_missing(
        #[case] fds: usize,
        #[case] cut: [bool; 3],
        #[case] want: Cut,
    ) {
        let error = Message::of(arrival(fds, cut), 2).unwrap_err();
        let Error::MessageCut {
            cut,
            bytes,
            fds: closed,
        } = error
        else {
            panic!("{error}")
        };
        assert_eq!((cut, bytes, closed), (want, 5, fds));
    }

    #[test]
    fn as_many_as_the_limit_are_whole() {
        let message = Message::of(arrival(2, [false; 3]), 2).unwrap();
        assert_eq!((message.bytes(), message.fds().len()), (5, 2));
    }
}
