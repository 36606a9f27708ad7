use std::time::Duration;

/// What the kernel gave of a struct that grows: at most `N` bytes of it.
///
/// A field is read as the number it is in the kernel's byte order, which is the machine's. One that was not given, or not
/// whole, is `None`, or 0 where the caller has made sure of it.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Given<const N: usize> {
    bytes: [u8; N],
    len: usize,
}

impl<const N: usize> Given<N> {
    /// Has them written.
    pub(super) fn read<E>(write: impl FnOnce(&mut [u8]) -> Result<usize, E>) -> Result<Self, E> {
        let mut bytes = [0; N];
        let len = write(&mut bytes)?.min(N);
        Ok(Self { bytes, len })
    }

    /// Copies them, and drops what does not fit.
    pub(super) fn copy(source: &[u8]) -> Self {
        let mut bytes = [0; N];
        let len = source.len().min(N);
        for (to, from) in bytes.iter_mut().zip(source) {
            *to = *from;
        }
        Self { bytes, len }
    }

    pub(super) fn bytes(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }

    fn field<const M: usize>(&self, at: usize) -> Option<[u8; M]> {
        self.bytes().get(at..)?.first_chunk().copied()
    }

    pub(super) fn u8(&self, at: usize) -> u8 {
        self.field(at).map_or(0, u8::from_ne_bytes)
    }

    pub(super) fn u32(&self, at: usize) -> u32 {
        self.newer_u32(at).unwrap_or(0)
    }

    pub(super) fn u64(&self, at: usize) -> u64 {
        self.newer_u64(at).unwrap_or(0)
    }

    pub(super) fn newer_u16(&self, at: usize) -> Option<u16> {
        self.field(at).map(u16::from_ne_bytes)
    }

    pub(super) fn newer_u32(&self, at: usize) -> Option<u32> {
        self.field(at).map(u32::from_ne_bytes)
    }

    pub(super) fn newer_u64(&self, at: usize) -> Option<u64> {
        self.field(at).map(u64::from_ne_bytes)
    }

    /// A number that stands for «none» when it is `none`.
    pub(super) fn u32_unless(&self, at: usize, none: u32) -> Option<u32> {
        self.newer_u32(at).filter(|value| *value != none)
    }

    /// A rate; the highest number is without limit.
    pub(super) fn rate(&self, at: usize) -> Option<u64> {
        self.newer_u64(at).filter(|rate| *rate != u64::MAX)
    }

    pub(super) fn micros(&self, at: usize) -> Duration {
        Duration::from_micros(self.u32(at).into())
    }

    pub(super) fn micros_unless(&self, at: usize, none: u32) -> Option<Duration> {
        let micros = self.u32_unless(at, none)?;
        Some(Duration::from_micros(micros.into()))
    }

    pub(super) fn long_micros(&self, at: usize) -> Duration {
        Duration::from_micros(self.u64(at))
    }

    pub(super) fn millis(&self, at: usize) -> Duration {
        Duration::from_millis(self.u32(at).into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_field_is_there_if_all_its_bytes_are(bytes: Vec<u8>, at in 0..40_usize) {
            let given = Given::<32>::copy(&bytes);
            let kept = bytes.len().min(32);
            prop_assert_eq!(given.bytes(), &bytes[..kept]);
            prop_assert_eq!(given.newer_u16(at).is_some(), at + 2 <= kept);
            prop_assert_eq!(given.newer_u32(at).is_some(), at + 4 <= kept);
            prop_assert_eq!(given.newer_u64(at).is_some(), at + 8 <= kept);
            if let Some(number) = given.newer_u32(at) {
                prop_assert_eq!(&number.to_ne_bytes(), &bytes[at..at + 4]);
            }
        }

        #[test]
        fn no_more_is_believed_than_there_is_room_for(claimed: usize) {
            let given = Given::<8>::read(|_| Ok::<_, ()>(claimed)).unwrap();
            prop_assert_eq!(given.bytes().len(), claimed.min(8));
        }
    }
}
