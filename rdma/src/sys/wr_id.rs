//! What the 64 bits of a work request's id mean.

use std::fmt;

/// One of the two queues of a queue pair.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Queue {
    /// Work this side started.
    Send,
    /// Buffers posted for what the peer sends.
    Recv,
}

impl fmt::Display for Queue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Queue::Send => "send queue",
            Queue::Recv => "receive queue",
        })
    }
}

/// The number that tells the queue pairs of this process apart: 31 bits, never 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Tag(u32);

impl Tag {
    pub(crate) const MAX: u32 = (1 << 31) - 1;

    pub(crate) fn new(tag: u32) -> Option<Self> {
        (1..=Self::MAX).contains(&tag).then_some(Tag(tag))
    }

    pub(crate) const fn number(self) -> u32 {
        self.0
    }
}

/// Tag (31 bits) · queue (1 bit) · sequence number (32 bits).
///
/// The queue is in it because a completion's opcode lies when the work failed: a flushed receive
/// says SEND.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct WrId {
    pub(crate) tag: Tag,
    pub(crate) queue: Queue,
    pub(crate) seq: u32,
}

impl WrId {
    /// Whether `wr_id` has this tag.
    #[inline]
    pub(crate) const fn is_of(wr_id: u64, tag: Tag) -> bool {
        wr_id >> 33 == tag.0 as u64
    }

    #[inline]
    pub(crate) const fn queue_of(wr_id: u64) -> Queue {
        if wr_id & (1 << 32) == 0 {
            Queue::Send
        } else {
            Queue::Recv
        }
    }

    #[inline]
    pub(crate) const fn seq_of(wr_id: u64) -> u32 {
        let [_, _, _, _, e, f, g, h] = wr_id.to_be_bytes();
        u32::from_be_bytes([e, f, g, h])
    }

    #[inline]
    pub(crate) const fn encode(self) -> u64 {
        let queue = match self.queue {
            Queue::Send => 0,
            Queue::Recv => 1,
        };
        ((self.tag.0 as u64) << 33) | (queue << 32) | self.seq as u64
    }

    /// `None` for an id that no work request of this crate has.
    #[inline]
    pub(crate) fn decode(wr_id: u64) -> Option<Self> {
        let [a, b, c, d, ..] = wr_id.to_be_bytes();
        Some(WrId {
            tag: Tag::new(u32::from_be_bytes([a, b, c, d]) >> 1)?,
            queue: Self::queue_of(wr_id),
            seq: Self::seq_of(wr_id),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn decoding_undoes_encoding(tag in 1..=Tag::MAX, recv: bool, seq: u32) {
            let queue = if recv { Queue::Recv } else { Queue::Send };
            let id = WrId { tag: Tag::new(tag).unwrap(), queue, seq };
            prop_assert_eq!(WrId::decode(id.encode()), Some(id));
        }

        #[test]
        fn every_word_decodes_to_what_encodes_to_it_or_to_nothing(word: u64) {
            match WrId::decode(word) {
                Some(id) => prop_assert_eq!(id.encode(), word),
                None => prop_assert_eq!(word >> 33, 0),
            }
        }
    }

    #[test]
    fn the_smallest_words_belong_to_nobody() {
        // A driver that forgets to fill in the id, or an application's own small numbers.
        for word in [0, 1, 2, u64::from(u32::MAX)] {
            assert_eq!(WrId::decode(word), None);
        }
    }
}
