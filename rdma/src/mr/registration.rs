//! Registering memory.

use std::num::NonZeroUsize;
use std::ops::Range;
use std::os::fd::BorrowedFd;

use super::pages::not_mapped;
use super::refusal::Refusal;
use super::{DmabufMr, ExposedMr, Mr, NotRegistered, Owned, PagePlan};
use crate::error::{Error, Result};
use crate::pd::Pd;
use crate::qp::RemoteAccess;
use crate::sys::{
    AccessOptions, Backing, ExposedRegion, Pages, Region, Shape, StableMemory, is_words,
    whole_words,
};

/// How memory is to be registered. [`Pd::registration`] begins one; [`Pd::register_local`] and
/// [`Pd::register_exposed`] are those without any wishes.
///
/// ```no_run
/// # use netprims_rdma::{Error, HugePage, PagePlan, Pd};
/// # fn f(pd: &Pd) -> Result<(), Error> {
/// let plan = PagePlan::Prefer(HugePage::Size2M);
/// let memory = pd.registration().pages(plan).relaxed_ordering().local(512, 65_536)?;
/// println!("{:?}", memory.huge_pages());
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug)]
#[must_use = "it registers nothing until it is told what"]
pub struct Registration<'a> {
    pd: &'a Pd,
    pages: PagePlan,
    options: AccessOptions,
}

impl Pd {
    /// Begins a registration of memory in this domain.
    pub fn registration(&self) -> Registration<'_> {
        Registration {
            pd: self,
            pages: PagePlan::Normal,
            options: AccessOptions::default(),
        }
    }
}

impl Registration<'_> {
    /// Which pages memory shall have that is allocated for it. Default: the system's own.
    pub fn pages(mut self, plan: PagePlan) -> Self {
        self.pages = plan;
        self
    }

    /// Lets what the device writes reach memory in any order, which is faster on some machines. What a
    /// completion tells of is all there when it is taken; but of what a peer writes, the last byte may be
    /// there before the first. A device, driver or kernel that knows nothing of it ignores it.
    #[doc(alias = "IBV_ACCESS_RELAXED_ORDERING")]
    pub fn relaxed_ordering(mut self) -> Self {
        self.options = self.options.relaxed_ordering();
        self
    }

    /// Pins nothing: the device faults pages in when it needs them, so no memlock limit counts. Not every
    /// device can; that of Soft-RoCE (Linux 6.15 and newer) is refused, since it moves other bytes than it should.
    #[doc(alias = "IBV_ACCESS_ON_DEMAND")]
    pub fn on_demand(mut self) -> Self {
        self.options = self.options.on_demand();
        self
    }

    /// Allocates and registers memory for `count` buffers of `size` bytes each, as
    /// [`Pd::register_local`].
    ///
    /// # Errors
    ///
    /// As [`Pd::register_local`]; [`Error::NoHugePages`]; [`Error::Unsupported`]: paging on demand.
    pub fn local(&self, count: u32, size: u32) -> Result<Mr> {
        let shape = Shape::new(count, size).ok_or_else(|| shape_error(count, size))?;
        let (object, bytes) = (format!("of {count} × {size} bytes"), shape.bytes());
        let refusal = self.refusal(object, bytes.get(), RemoteAccess::NONE);
        refusal.check()?;
        let backing = self.allocate(bytes)?;
        Region::register(self.pd.handle(), shape, backing, self.options)
            .map(Mr::new)
            .map_err(|(errno, _)| refusal.error(errno))
    }

    /// Allocates and registers `len` bytes that peers may use as `access` says, as
    /// [`Pd::register_exposed`].
    ///
    /// # Errors
    ///
    /// As [`Pd::register_exposed`]; [`Error::NoHugePages`]; [`Error::Unsupported`]: paging on demand.
    pub fn exposed(&self, len: usize, access: RemoteAccess) -> Result<ExposedMr> {
        let bytes = NonZeroUsize::new(len).ok_or(NO_BYTES)?;
        let refusal = self.refusal(format!("of {len} bytes"), len, access);
        refusal.check()?;
        let whole = whole_words(bytes).ok_or_else(|| refusal.too_long())?;
        let backing = self.allocate(whole)?;
        ExposedRegion::register(self.pd.handle(), backing, len, access.bits(), self.options)
            .map(ExposedMr::new)
            .map_err(|(errno, _)| refusal.error(errno))
    }

    /// Registers memory of the program's own, for this host's sends and receives only, and cuts it into buffers
    /// of `size` bytes, one right after the other; what is left over at the end is in none. They show what the
    /// memory holds. [`Owned::into_owner`] gives the memory back.
    ///
    /// The pages are pinned as they are: on kernels before 5.12, a program that forks must not use memory that
    /// shares pages with other things, as that of a `Vec` does.
    ///
    /// # Errors
    ///
    /// With the memory:
    ///
    /// - [`Error::OutOfRange`]: not one buffer, or 2^24 or more of them; `size` is not 1 to 2^31 - 1.
    /// - [`Error::Verb`] and [`Error::Unsupported`], as of [`local`](Self::local).
    #[doc(alias = "ibv_reg_mr")]
    pub fn local_owned<T: StableMemory>(
        &self,
        owner: T,
        size: u32,
    ) -> Result<Owned<Mr, T>, NotRegistered<T>> {
        let backing = Backing::of(owner).map_err(|owner| NotRegistered::new(NO_BYTES, owner))?;
        let len = backing.len();
        let refusal = self.refusal(format!("of {len} bytes"), len, RemoteAccess::NONE);
        let shape = Shape::within(len, size).ok_or_else(|| slot_error(len, size));
        match shape.and_then(|shape| refusal.check().map(|()| shape)) {
            Ok(shape) => Region::register(self.pd.handle(), shape, backing, self.options)
                .map(|region| Owned::new(Mr::new(region)))
                .map_err(|(errno, backing)| NotRegistered::of(refusal.error(errno), backing)),
            Err(error) => Err(NotRegistered::of(error, backing)),
        }
    }

    /// Registers memory of the program's own that peers may use as `access` says.
    /// [`Owned::into_owner`] gives the memory back, when nobody else may use it any more.
    ///
    /// # Errors
    ///
    /// With the memory:
    ///
    /// - [`Error::OutOfRange`]: no bytes.
    /// - [`Error::NotWords`]: it does not begin and end at multiples of eight. A `Vec<u64>` does.
    /// - [`Error::Verb`] and [`Error::Unsupported`], as of [`exposed`](Self::exposed).
    #[doc(alias = "ibv_reg_mr")]
    pub fn exposed_owned<T: StableMemory>(
        &self,
        owner: T,
        access: RemoteAccess,
    ) -> Result<Owned<ExposedMr, T>, NotRegistered<T>> {
        let backing = Backing::of(owner).map_err(|owner| NotRegistered::new(NO_BYTES, owner))?;
        let len = backing.len();
        if !is_words(&backing) {
            return Err(NotRegistered::of(Error::NotWords { len }, backing));
        }
        let refusal = self.refusal(format!("of {len} bytes"), len, access);
        if let Err(error) = refusal.check() {
            return Err(NotRegistered::of(error, backing));
        }
        ExposedRegion::register(self.pd.handle(), backing, len, access.bits(), self.options)
            .map(|region| Owned::new(ExposedMr::new(region)))
            .map_err(|(errno, backing)| NotRegistered::of(refusal.error(errno), backing))
    }

    /// Registers a part of a buffer of another device, as a graphics card's, which peers may use as `access` says.
    /// The kernel keeps the buffer for as long as it is registered; `buffer` may be closed. Nothing is allocated or
    /// counted here. [Pages](Self::pages) and [`on_demand`](Self::on_demand) have no effect.
    ///
    /// Since Linux 5.12 and rdma-core 34; Soft-RoCE cannot.
    ///
    /// # Errors
    ///
    /// - [`Error::OutOfRange`]: no bytes, or a range that ends before it begins.
    /// - [`Error::Unsupported`]: the device, its driver or the library cannot.
    /// - [`Error::Verb`]; EINVAL or EBADF: `buffer` is none, or shorter.
    #[doc(alias = "ibv_reg_dmabuf_mr")]
    pub fn dmabuf(
        &self,
        buffer: BorrowedFd<'_>,
        range: Range<u64>,
        access: RemoteAccess,
    ) -> Result<DmabufMr> {
        let len = range.end.saturating_sub(range.start);
        let len = usize::try_from(len).ok().and_then(NonZeroUsize::new);
        let len = len.ok_or(NO_BYTES)?;
        let options = self.options.pinned();
        let (pd, bits) = (self.pd.handle(), access.bits());
        ExposedRegion::elsewhere(pd, buffer, range.start, len, bits, options)
            .map(DmabufMr::new)
            .map_err(|errno| {
                let object = format!("of bytes {}..{}", range.start, range.end);
                Refusal::of_buffer(self.pd.handle(), object).error(errno)
            })
    }

    fn allocate(&self, len: NonZeroUsize) -> Result<Backing> {
        let pages = Pages::map(len.get(), self.pages)?;
        let too_long = |_| not_mapped(len, crate::sys::Errno::new(libc::ENOMEM));
        Backing::of(pages).map_err(too_long)
    }

    fn refusal(&self, object: String, bytes: usize, access: RemoteAccess) -> Refusal<'_> {
        Refusal::of_memory(self.pd.handle(), object, bytes, self.options, access)
    }
}

const NO_BYTES: Error = Error::OutOfRange {
    what: "memory of",
    value: 0,
    rule: "1 byte or more",
};

/// Which of the numbers is none that memory can have.
fn shape_error(count: u32, size: u32) -> Error {
    let (what, value, rule) = if !(1..=Shape::MAX_COUNT).contains(&count) {
        ("number of buffers", u64::from(count), "1 to 2^24 - 1")
    } else if !(1..=Shape::MAX_SLOT).contains(&size) {
        ("buffer size", u64::from(size), "1 to 2^31 - 1")
    } else {
        let total = u64::from(count) * u64::from(size);
        ("memory of", total, "less than the address space")
    };
    Error::OutOfRange { what, value, rule }
}

/// Why memory of `len` bytes does not consist of buffers of this size.
fn slot_error(len: usize, size: u32) -> Error {
    if !(1..=Shape::MAX_SLOT).contains(&size) {
        return shape_error(1, size);
    }
    let count = u64::try_from(len).unwrap_or(u64::MAX) / u64::from(size);
    Error::OutOfRange {
        what: "number of buffers in the memory",
        value: count,
        rule: "1 to 2^24 - 1",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case(0, 1, "number of buffers 0")]
    #[case(1 << 24, 1, "number of buffers 16777216")]
    #[case(1, 0, "buffer size 0")]
    #[case(1, 1 << 31, "buffer size 2147483648")]
    fn memory_of_an_impossible_shape_is_refused(
        #[case] count: u32,
        #[case] size: u32,
        #[case] text: &str,
    ) {
        assert!(Shape::new(count, size).is_none());
        assert!(shape_error(count, size).to_string().starts_with(text));
    }

    #[rstest]
    #[case(100, 101, "number of buffers in the memory 0")]
    #[case(1 << 24, 1, "number of buffers in the memory 16777216")]
    #[case(100, 0, "buffer size 0")]
    #[case(100, 1 << 31, "buffer size 2147483648")]
    fn memory_that_does_not_consist_of_such_buffers_is_refused(
        #[case] len: usize,
        #[case] size: u32,
        #[case] text: &str,
    ) {
        assert!(Shape::within(len, size).is_none());
        let error = slot_error(len, size).to_string();
        assert!(error.starts_with(text), "{error}");
    }
}
