//! Memory on the peer's side.

use std::fmt;
use std::ops::Range;

use crate::sys::RemoteAddress;

/// The key to a peer's memory, which that peer's device gave.
///
/// Whoever has it, and an address, may do with the memory what its registration allows. A key that
/// is wrong, or whose memory is gone, ends the request with
/// [`WcStatus::RemoteAccess`](crate::WcStatus::RemoteAccess), and the queue pair with it.
#[doc(alias = "rkey")]
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct RemoteKey(u32);

impl RemoteKey {
    /// The key with this number, as the peer sent it.
    #[must_use]
    pub const fn new(number: u32) -> Self {
        RemoteKey(number)
    }

    /// Its number, to send to a peer.
    #[must_use]
    pub const fn number(self) -> u32 {
        self.0
    }
}

impl fmt::Debug for RemoteKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RemoteKey({:#x})", self.0)
    }
}

/// A piece of a peer's memory: where it begins there, how long it is, and the key to it.
///
/// It may be made of any numbers: the peer's device checks them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RemoteSlice {
    addr: u64,
    len: u64,
    key: RemoteKey,
}

/// How many bytes a [`RemoteSlice`] has on the wire.
const WIRE_LEN: usize = 20;

impl RemoteSlice {
    /// `len` bytes from `addr` on, in the peer's numbers.
    #[must_use]
    pub const fn new(addr: u64, len: u64, key: RemoteKey) -> Self {
        RemoteSlice { addr, len, key }
    }

    /// Where it begins, in the peer's numbers.
    #[must_use]
    pub const fn addr(&self) -> u64 {
        self.addr
    }

    /// How many bytes it has.
    #[must_use]
    pub const fn len(&self) -> u64 {
        self.len
    }

    /// Whether it has no bytes.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The key to it.
    #[must_use]
    pub const fn key(&self) -> RemoteKey {
        self.key
    }

    /// A part of it; `None` if that is not within it.
    #[must_use]
    pub fn slice(&self, range: Range<u64>) -> Option<RemoteSlice> {
        if range.start > range.end || range.end > self.len {
            return None;
        }
        Some(RemoteSlice {
            addr: self.addr.checked_add(range.start)?,
            len: range.end - range.start,
            key: self.key,
        })
    }

    /// The eight bytes at `offset`, for an atomic; `None` if they are not within it, or not at an
    /// address that eight divides.
    #[must_use]
    pub fn word(&self, offset: u64) -> Option<RemoteWord> {
        let RemoteSlice { addr, key, .. } = self.slice(offset..offset.checked_add(8)?)?;
        (addr % 8 == 0).then_some(RemoteWord { addr, key })
    }

    /// As 20 bytes in network order, to send to a peer: address, length, key.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; WIRE_LEN] {
        let mut bytes = [0; WIRE_LEN];
        let numbers = self
            .addr
            .to_be_bytes()
            .into_iter()
            .chain(self.len.to_be_bytes());
        let all = numbers.chain(self.key.0.to_be_bytes());
        bytes.iter_mut().zip(all).for_each(|(to, from)| *to = from);
        bytes
    }

    /// What [`to_bytes`](Self::to_bytes) made.
    #[must_use]
    pub fn from_bytes(bytes: [u8; WIRE_LEN]) -> Self {
        let [
            a0,
            a1,
            a2,
            a3,
            a4,
            a5,
            a6,
            a7,
            l0,
            l1,
            l2,
            l3,
            l4,
            l5,
            l6,
            l7,
            k0,
            k1,
            k2,
            k3,
        ] = bytes;
        RemoteSlice {
            addr: u64::from_be_bytes([a0, a1, a2, a3, a4, a5, a6, a7]),
            len: u64::from_be_bytes([l0, l1, l2, l3, l4, l5, l6, l7]),
            key: RemoteKey(u32::from_be_bytes([k0, k1, k2, k3])),
        }
    }

    #[inline]
    pub(crate) const fn address(&self) -> RemoteAddress {
        RemoteAddress {
            addr: self.addr,
            rkey: self.key.0,
        }
    }
}

/// Eight bytes of a peer's memory, for an atomic.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RemoteWord {
    addr: u64,
    key: RemoteKey,
}

impl RemoteWord {
    #[inline]
    pub(crate) const fn address(&self) -> RemoteAddress {
        RemoteAddress {
            addr: self.addr,
            rkey: self.key.0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_slice_comes_back_from_its_bytes(addr: u64, len: u64, key: u32) {
            let slice = RemoteSlice::new(addr, len, RemoteKey::new(key));
            prop_assert_eq!(RemoteSlice::from_bytes(slice.to_bytes()), slice);
        }

        #[test]
        fn a_part_lies_within(addr: u64, len: u64, start: u64, end: u64) {
            let whole = RemoteSlice::new(addr, len, RemoteKey::new(1));
            match whole.slice(start..end) {
                Some(part) => {
                    prop_assert!(start <= end && end <= len);
                    prop_assert_eq!((part.addr(), part.len()), (addr + start, end - start));
                }
                None => prop_assert!(start > end || end > len || addr.checked_add(start).is_none()),
            }
        }
    }

    #[test]
    fn words_are_aligned() {
        let slice = RemoteSlice::new(0x1004, 32, RemoteKey::new(1));
        assert_eq!(slice.word(0), None);
        assert!(slice.word(4).is_some());
        assert_eq!(slice.word(28), None);
        assert_eq!(slice.word(u64::MAX), None);
    }
}
