//! Registered memory that the program gave, and gets back.

use std::fmt;
use std::marker::PhantomData;
use std::ops::Deref;
use std::sync::Arc;

use super::{ExposedMr, Mr};
use crate::error::Error;
use crate::sys::{Backing, Errno, StableMemory};

/// A region, [`Mr`] or [`ExposedMr`], over the memory of a value of the program's own.
///
/// Dropping it drops the value, too, when nothing uses the memory any more: no buffer, window or request,
/// and no clone of the region.
#[derive(Debug)]
pub struct Owned<M, T> {
    region: M,
    owner: PhantomData<fn() -> T>,
}

impl<M, T> Owned<M, T> {
    pub(super) fn new(region: M) -> Self {
        Owned {
            region,
            owner: PhantomData,
        }
    }
}

impl<M, T> Deref for Owned<M, T> {
    type Target = M;

    fn deref(&self) -> &M {
        &self.region
    }
}

impl<T: StableMemory> Owned<Mr, T> {
    /// Deregisters the memory, and gives back the value that it is of.
    ///
    /// # Errors
    ///
    /// - [`Error::MemoryInUse`], with the region: a buffer of it, or a clone, is still there.
    /// - [`Error::Verb`]: the device refused. The memory stays for ever, and [`leaks`](crate::leaks) counts it.
    #[doc(alias = "ibv_dereg_mr")]
    pub fn into_owner(self) -> Result<T, NotReturned<Self>> {
        let len = self.region.region.backing().map_or(0, Backing::len);
        match self.region.region.into_backing() {
            Ok(released) => owner(released, len),
            Err(region) => {
                let holders = Arc::strong_count(&region).saturating_sub(1);
                Err(in_use(holders, Owned::new(Mr { region })))
            }
        }
    }
}

impl<T: StableMemory> Owned<ExposedMr, T> {
    /// Deregisters the memory, and gives back the value that it is of: from then on peers are refused.
    ///
    /// # Errors
    ///
    /// - [`Error::MemoryInUse`], with the region: a window or a request of it, or a clone, is still there.
    /// - [`Error::Verb`]: the device refused. The memory stays for ever, and [`leaks`](crate::leaks) counts it.
    #[doc(alias = "ibv_dereg_mr")]
    pub fn into_owner(self) -> Result<T, NotReturned<Self>> {
        let len = self.region.len();
        match self.region.into_region().into_backing() {
            Ok(released) => owner(released, len),
            Err(region) => {
                let holders = Arc::strong_count(&region).saturating_sub(1);
                Err(in_use(holders, Owned::new(ExposedMr::new(region))))
            }
        }
    }
}

fn in_use<O>(holders: usize, region: O) -> NotReturned<O> {
    NotReturned {
        error: Error::MemoryInUse { holders },
        region: Some(region),
    }
}

fn owner<T: StableMemory, O>(
    released: Result<Option<Backing>, Errno>,
    len: usize,
) -> Result<T, NotReturned<O>> {
    let errno = match released {
        Ok(backing) => match backing.and_then(Backing::into_owner) {
            Some(owner) => return Ok(owner),
            // Not reached: an `Owned` is made over memory of a `T` alone.
            None => Errno::new(libc::EINVAL),
        },
        Err(errno) => errno,
    };
    Err(NotReturned {
        error: Error::Verb {
            operation: "ibv_dereg_mr",
            object: format!("of {len} bytes"),
            source: errno.into_io(),
            hint: String::new(),
        },
        region: None,
    })
}

/// Memory that was not given back.
///
/// It converts into [`Error`], so that `?` works; that drops the region.
#[non_exhaustive]
pub struct NotReturned<O> {
    /// Why.
    pub error: Error,
    /// The region, if it is still one, to try again.
    pub region: Option<O>,
}

/// Memory that was not registered, with its owner.
///
/// It converts into [`Error`], so that `?` works; that drops the owner.
#[non_exhaustive]
pub struct NotRegistered<T> {
    /// Why.
    pub error: Error,
    /// What was to be registered; `None` is not to be seen.
    pub owner: Option<T>,
}

impl<T: StableMemory> NotRegistered<T> {
    pub(super) fn new(error: Error, owner: T) -> Self {
        NotRegistered {
            error,
            owner: Some(owner),
        }
    }

    pub(super) fn of(error: Error, backing: Backing) -> Self {
        NotRegistered {
            error,
            owner: backing.into_owner(),
        }
    }
}

macro_rules! failures {
    ($($name:ident)+) => {$(
        impl<T> From<$name<T>> for Error {
            fn from(failure: $name<T>) -> Self {
                failure.error
            }
        }

        impl<T> fmt::Debug for $name<T> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_struct(stringify!($name))
                    .field("error", &self.error)
                    .finish_non_exhaustive()
            }
        }

        impl<T> fmt::Display for $name<T> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.error.fmt(f)
            }
        }

        impl<T> std::error::Error for $name<T> {
            fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
                self.error.source()
            }
        }
    )+};
}

failures!(NotReturned NotRegistered);
