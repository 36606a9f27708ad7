//! Memory of another device.

use std::ops::Range;
use std::sync::Arc;

use super::exposed::beyond;
use super::{Exposed, RemoteSlice};
use crate::error::Result;
use crate::sys::{ExposedPart, ExposedRegion};

/// A registered part of a buffer of another device: peers use it as its rights say, and requests of this side may
/// name it, but this program has no view of it.
///
/// Addresses in it are offsets in the buffer. Clones are the same region; requests that name it keep it until
/// they are over.
#[doc(alias = "ibv_mr")]
#[derive(Clone, Debug)]
pub struct DmabufMr {
    region: Arc<ExposedRegion>,
}

impl DmabufMr {
    pub(super) fn new(region: Arc<ExposedRegion>) -> Self {
        DmabufMr { region }
    }

    /// How many bytes it has.
    #[must_use]
    pub fn len(&self) -> usize {
        self.region.len()
    }

    /// Never: there is at least one byte.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.region.len() == 0
    }

    /// What a peer must know to use it all.
    #[doc(alias = "rkey")]
    #[must_use]
    pub fn remote(&self) -> RemoteSlice {
        super::exposed::remote(&self.region)
    }

    /// A part, counted from where the region begins, as this side of a request: to send or write from, or to
    /// read into.
    ///
    /// # Errors
    ///
    /// [`Error::OutOfRange`](crate::Error::OutOfRange): it is not within the region, or longer than 2^32 - 1 bytes.
    pub fn part(&self, range: Range<usize>) -> Result<Exposed<'_>> {
        let len = range.end.checked_sub(range.start);
        let part = len.and_then(|len| ExposedPart::new(&self.region, range.start, len));
        part.map(|part| Exposed { part })
            .ok_or_else(|| beyond(range.start, len.unwrap_or(0)))
    }
}
