use crate::sys::uring::Key;

/// Names one request of its ring, from the call that queued it to its last event. The ring does not use it again for at
/// least 2³² requests.
///
/// A ticket knows its ring: another ring's is never equal to it, and [`Ring::cancel`](super::Ring::cancel) refuses it. Only
/// of rings that were made 65 536 apart tickets may look alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Ticket(u64);

/// The bits of a key that no request in flight uses, which hold the low ones of the ring's number.
const RING: u64 = 0xffff << RING_SHIFT;
const RING_SHIFT: u32 = 16;

const _: () = assert!(
    super::builder::MOST_IN_FLIGHT <= 1 << RING_SHIFT,
    "the place of a request fits below the ring"
);

impl Ticket {
    #[inline]
    pub(super) fn new(ring: u64, key: Key) -> Self {
        Self(key.to_bits() | ring << RING_SHIFT & RING)
    }

    /// The request it names in a ring; `None` if it is another ring's.
    pub(super) fn key(self, ring: u64) -> Option<Key> {
        let is_own = self.0 & RING == ring << RING_SHIFT & RING;
        is_own.then(|| Key::from_bits(self.0 & !RING))
    }

    /// A number below [`in_flight`](super::RingBuilder::in_flight) that no other request in flight of this ring has: the
    /// place of what belongs to it in a table of yours. After the request's last event another one may get it.
    pub fn index(self) -> usize {
        Key::from_bits(self.0 & !RING).index()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_ticket_names_its_request_in_its_ring_alone(
            ring: u64,
            other: u64,
            generation: u32,
            place in 0..super::super::builder::MOST_IN_FLIGHT,
        ) {
            let key = Key::from_bits(u64::from(generation) << 32 | u64::from(place));
            let ticket = Ticket::new(ring, key);
            prop_assert_eq!(ticket.key(ring), Some(key));
            prop_assert_eq!(ticket.index(), usize::try_from(place).unwrap());
            let looks_alike = ring % 65_536 == other % 65_536;
            prop_assert_eq!(ticket.key(other).is_some(), looks_alike);
            prop_assert_eq!(ticket == Ticket::new(other, key), looks_alike);
        }
    }
}
