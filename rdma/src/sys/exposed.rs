//! Registered memory that peers may use.

use std::num::NonZeroUsize;
use std::os::fd::BorrowedFd;
use std::ptr::NonNull;
use std::slice;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::access::AccessOptions;
use super::backing::Backing;
use super::errno::Errno;
use super::ffi;
use super::pd::PdHandle;
use super::registered::Registered;

/// How many bytes a word has.
const WORD: usize = 8;

/// Memory that a peer may read or write at any time, as its rights say.
///
/// No reference to plain bytes of it ever exists: it is words, and each access to one is atomic. A
/// device is no thread of this program, but it is no more than one that uses relaxed atomics.
///
/// # Invariants
///
/// `registered` starts with `words` words, aligned as such, initialised: as many as `len` bytes need, or none, where it
/// is memory that this process has no view of.
#[derive(Debug)]
pub(crate) struct ExposedRegion {
    registered: Registered,
    /// Where it begins, as a device and its peers call it.
    address: u64,
    len: usize,
    words: usize,
}

/// `len` bytes, rounded up to words; `None`: more than can be.
pub(crate) fn whole_words(len: NonZeroUsize) -> Option<NonZeroUsize> {
    let bytes = NonZeroUsize::new(len.get().checked_next_multiple_of(WORD)?);
    bytes.filter(|bytes| isize::try_from(bytes.get()).is_ok())
}

/// Whether memory is whole words, where words can be.
pub(crate) fn is_words(backing: &Backing) -> bool {
    backing.start().addr().get() % WORD == 0 && backing.len() % WORD == 0
}

impl ExposedRegion {
    /// Registers the first `len` bytes of memory that [is words](is_words); gives it back if that fails.
    /// `remote` is bits of `enum ibv_access_flags`.
    pub(crate) fn register(
        pd: &Arc<PdHandle>,
        backing: Backing,
        len: usize,
        remote: u32,
        options: AccessOptions,
    ) -> Result<Arc<Self>, (Errno, Backing)> {
        let words = backing.len() / WORD;
        let Some(remote) = i32::try_from(remote)
            .ok()
            .filter(|_| is_words(&backing) && len <= backing.len())
        else {
            return Err((Errno::new(libc::EINVAL), backing));
        };
        // Remote writes and atomics need local writes; reads do no harm by it.
        let access = ffi::ACCESS_LOCAL_WRITE | remote | options.bits();
        Ok(Arc::new(ExposedRegion {
            address: backing.start().as_ptr().expose_provenance() as u64,
            registered: Registered::new(pd, backing, access)?,
            len,
            words,
        }))
    }

    /// Registers a part of a buffer of another device.
    pub(crate) fn elsewhere(
        pd: &Arc<PdHandle>,
        buffer: BorrowedFd<'_>,
        offset: u64,
        len: NonZeroUsize,
        remote: u32,
        options: AccessOptions,
    ) -> Result<Arc<Self>, Errno> {
        let remote = i32::try_from(remote).map_err(|_| Errno::new(libc::EINVAL))?;
        let access = ffi::ACCESS_LOCAL_WRITE | remote | options.bits();
        Ok(Arc::new(ExposedRegion {
            registered: Registered::elsewhere(pd, buffer, offset, len, access)?,
            address: offset,
            len: len.get(),
            words: 0,
        }))
    }

    /// Deregisters the memory and gives it back; gives the region back while somebody else has it: a
    /// clone, a window, or a request.
    pub(crate) fn into_backing(
        self: Arc<Self>,
    ) -> Result<Result<Option<Backing>, Errno>, Arc<Self>> {
        Arc::try_unwrap(self).map(|region| region.registered.into_backing())
    }

    /// What the memory is.
    pub(crate) fn backing(&self) -> Option<&Backing> {
        self.registered.backing()
    }

    /// How many bytes it has.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Where it begins, as a device and its peers call it.
    pub(crate) fn address(&self) -> u64 {
        self.address
    }

    pub(crate) fn rkey(&self) -> u32 {
        self.registered.rkey()
    }

    pub(super) fn raw(&self) -> NonNull<ffi::Mr> {
        self.registered.raw()
    }

    pub(super) fn lkey(&self) -> u32 {
        self.registered.lkey()
    }

    pub(super) fn pd(&self) -> &Arc<PdHandle> {
        self.registered.pd()
    }

    fn start(&self) -> NonNull<u8> {
        self.registered.start()
    }

    /// The memory.
    pub(crate) fn words(&self) -> &[AtomicU64] {
        let start = self.start().cast::<AtomicU64>();
        // SAFETY: `words` words are mapped, aligned and initialised (invariant) as
        // long as `self` is; every bit pattern is a word; nothing in this process uses them but by
        // slices as this one, and a device's accesses are like those of a thread that uses relaxed
        // atomics.
        unsafe { slice::from_raw_parts(start.as_ptr(), self.words) }
    }

    /// Copies bytes from `offset` on out; `false` if there are not so many.
    ///
    /// A word that changes meanwhile is copied as it was before or after, not in between.
    pub(crate) fn copy_out(&self, offset: usize, to: &mut [u8]) -> bool {
        if !self.shows(offset, to.len()) {
            return false;
        }
        let (mut at, mut rest) = (offset, to);
        while !rest.is_empty() {
            let (word, first) = (at / WORD, at % WORD);
            let count = rest.len().min(WORD - first);
            let (here, after) = rest.split_at_mut(count);
            let bytes = self.word(word).load(Ordering::Relaxed).to_ne_bytes();
            here.iter_mut()
                .zip(bytes.iter().skip(first))
                .for_each(|(to, from)| *to = *from);
            (at, rest) = (at + count, after);
        }
        true
    }

    /// Copies bytes in from `offset` on; `false` if there is not so much room.
    ///
    /// Bytes beside them in the same word stay, also those that a peer writes meanwhile.
    pub(crate) fn copy_in(&self, offset: usize, from: &[u8]) -> bool {
        if !self.shows(offset, from.len()) {
            return false;
        }
        let (mut at, mut rest) = (offset, from);
        while !rest.is_empty() {
            let (word, first) = (at / WORD, at % WORD);
            let count = rest.len().min(WORD - first);
            let (here, after) = rest.split_at(count);
            let word = self.word(word);
            match <[u8; WORD]>::try_from(here) {
                Ok(bytes) => word.store(u64::from_ne_bytes(bytes), Ordering::Relaxed),
                Err(_) => {
                    let put = |old: u64| {
                        let mut bytes = old.to_ne_bytes();
                        bytes
                            .iter_mut()
                            .skip(first)
                            .zip(here)
                            .for_each(|(to, from)| *to = *from);
                        Some(u64::from_ne_bytes(bytes))
                    };
                    let _ = word.fetch_update(Ordering::Relaxed, Ordering::Relaxed, put);
                }
            }
            (at, rest) = (at + count, after);
        }
        true
    }

    pub(crate) fn has(&self, offset: usize, len: usize) -> bool {
        offset.checked_add(len).is_some_and(|end| end <= self.len)
    }

    /// Whether these bytes are there, and this process has a view of them.
    fn shows(&self, offset: usize, len: usize) -> bool {
        self.words > 0 && self.has(offset, len)
    }

    fn word(&self, index: usize) -> &AtomicU64 {
        &self.words()[index]
    }
}

/// A part of exposed memory, as the local side of a request.
///
/// # Invariants
///
/// `addr..addr + len` lies in `region`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ExposedPart<'a> {
    region: &'a Arc<ExposedRegion>,
    addr: u64,
    len: u32,
}

impl<'a> ExposedPart<'a> {
    /// `None` if that is not within the region, or longer than a message can be.
    pub(crate) fn new(region: &'a Arc<ExposedRegion>, offset: usize, len: usize) -> Option<Self> {
        if !region.has(offset, len) {
            return None;
        }
        Some(ExposedPart {
            region,
            addr: region.address().checked_add(u64::try_from(offset).ok()?)?,
            len: u32::try_from(len).ok()?,
        })
    }

    #[inline]
    pub(super) fn len(&self) -> usize {
        self.len as usize
    }

    /// The region, to keep it.
    #[inline]
    pub(super) fn region(&self) -> Arc<ExposedRegion> {
        Arc::clone(self.region)
    }

    #[inline]
    pub(super) fn is_of(&self, pd: &Arc<PdHandle>) -> bool {
        Arc::ptr_eq(self.region.pd(), pd)
    }

    #[inline]
    pub(super) fn element(&self) -> ffi::Sge {
        ffi::Sge {
            addr: self.addr,
            length: self.len,
            lkey: self.region.lkey(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::fake::Fake;
    use proptest::prelude::*;

    fn region(len: usize) -> Arc<ExposedRegion> {
        let pd = Fake::new().context().alloc_pd().unwrap();
        let backing = Backing::of(vec![0_u64; len.div_ceil(WORD)]).unwrap();
        ExposedRegion::register(pd.handle(), backing, len, 0, AccessOptions::default()).unwrap()
    }

    proptest! {
        #[test]
        fn copies_are_those_of_plain_bytes(
            len in 1..200usize, steps in prop::collection::vec((0..250usize, prop::collection::vec(any::<u8>(), 0..60)), 0..20)
        ) {
            let region = region(len);
            let mut model = vec![0u8; len];
            for (offset, bytes) in steps {
                let fits = offset + bytes.len() <= len;
                prop_assert_eq!(region.copy_in(offset, &bytes), fits);
                if fits {
                    model[offset..offset + bytes.len()].copy_from_slice(&bytes);
                }
                let mut all = vec![0; len];
                prop_assert!(region.copy_out(0, &mut all));
                prop_assert_eq!(&all, &model);
                let mut part = vec![0; bytes.len()];
                prop_assert_eq!(region.copy_out(offset, &mut part), fits);
                if fits {
                    prop_assert_eq!(part, bytes);
                }
            }
        }
    }

    #[test]
    fn parts_beyond_the_end_are_none() {
        let region = region(100);
        assert!(ExposedPart::new(&region, 0, 100).is_some());
        assert!(ExposedPart::new(&region, 100, 0).is_some());
        assert!(ExposedPart::new(&region, 1, 100).is_none());
        assert!(ExposedPart::new(&region, usize::MAX, 2).is_none());
    }
}
