//! The buffers of one work request.

use std::ffi::c_int;
use std::sync::Arc;

use super::buf::Buf;
use super::exposed::ExposedPart;
use super::ffi;
use super::pd::PdHandle;

/// Several buffers for one work request, gathered or scattered in their order.
///
/// It is made once and goes round with its buffers: posting moves it into the queue pair, the
/// completion moves it back. Adding to a list that has the room allocates nothing.
#[derive(Debug, Default)]
pub struct BufList {
    bufs: Vec<Buf>,
}

impl BufList {
    /// An empty list with room for `count` buffers.
    #[must_use]
    pub fn with_capacity(count: usize) -> Self {
        BufList {
            bufs: Vec::with_capacity(count),
        }
    }

    /// Adds a buffer at the end. Allocates if there is no room for it.
    pub fn push(&mut self, buf: Buf) {
        self.bufs.push(buf);
    }

    /// Takes the last buffer out.
    pub fn pop(&mut self) -> Option<Buf> {
        self.bufs.pop()
    }

    /// Takes all buffers out, in order; the room stays.
    pub fn drain(&mut self) -> impl Iterator<Item = Buf> + '_ {
        self.bufs.drain(..)
    }

    /// The buffers.
    #[must_use]
    pub fn bufs(&self) -> &[Buf] {
        &self.bufs
    }

    /// The buffers, to fill.
    #[must_use]
    pub fn bufs_mut(&mut self) -> &mut [Buf] {
        &mut self.bufs
    }
}

impl FromIterator<Buf> for BufList {
    fn from_iter<I: IntoIterator<Item = Buf>>(bufs: I) -> Self {
        BufList {
            bufs: bufs.into_iter().collect(),
        }
    }
}

/// Out of the way of who has one buffer.
#[cold]
fn no_buf(list: BufList) -> Option<Buf> {
    drop(list);
    None
}

/// The buffers of one work request: none, one or several.
#[derive(Debug, Default)]
pub enum Bufs {
    /// None: the request carried no bytes, or bytes that no buffer held.
    #[default]
    None,
    /// One.
    One(Buf),
    /// Several, in their order.
    List(BufList),
}

impl Bufs {
    /// The only buffer; `None` if there is none, or a list.
    #[inline]
    #[must_use]
    pub fn into_one(self) -> Option<Buf> {
        match self {
            Bufs::One(buf) => Some(buf),
            Bufs::None => None,
            Bufs::List(list) => no_buf(list),
        }
    }

    /// The list; `None` if there is no buffer, or one without a list.
    #[must_use]
    pub fn into_list(self) -> Option<BufList> {
        match self {
            Bufs::List(list) => Some(list),
            Bufs::None | Bufs::One(_) => None,
        }
    }

    /// The buffers, in their order.
    #[must_use]
    pub fn as_slice(&self) -> &[Buf] {
        match self {
            Bufs::None => &[],
            Bufs::One(buf) => std::slice::from_ref(buf),
            Bufs::List(list) => list.bufs(),
        }
    }

    /// How many bytes the buffers show.
    #[must_use]
    pub fn shown_len(&self) -> usize {
        self.as_slice().iter().map(|buf| buf.len()).sum()
    }

    /// The same, or the most there can be told.
    #[inline(always)]
    pub(super) fn shown_len_short(&self) -> u32 {
        match self {
            Bufs::None => 0,
            Bufs::One(buf) => buf.shown_len(),
            Bufs::List(_) => u32::try_from(self.shown_len()).unwrap_or(u32::MAX),
        }
    }

    /// Whether all are of this domain.
    #[inline(always)]
    pub(super) fn are_of(&self, pd: &Arc<PdHandle>) -> bool {
        match self {
            Bufs::None => true,
            Bufs::One(buf) => Arc::ptr_eq(buf.pd(), pd),
            Bufs::List(list) => list.bufs.iter().all(|buf| Arc::ptr_eq(buf.pd(), pd)),
        }
    }

    /// How many there are.
    #[inline(always)]
    pub(super) fn count(&self) -> usize {
        match self {
            Bufs::None => 0,
            Bufs::One(_) => 1,
            Bufs::List(list) => list.bufs.len(),
        }
    }

    /// How much memory they are.
    pub(super) fn capacity(&self) -> usize {
        self.as_slice().iter().map(Buf::capacity).sum()
    }

    /// Shows what a message of `len` bytes filled; `false` when it is more than fits.
    #[inline]
    pub(super) fn try_set_len(&mut self, len: u32) -> bool {
        match self {
            Bufs::None => len == 0,
            Bufs::One(buf) => buf.try_set_len(len),
            Bufs::List(list) => {
                let mut left = usize::try_from(len).unwrap_or(usize::MAX);
                if left > list.bufs.iter().map(Buf::capacity).sum() {
                    return false;
                }
                for buf in &mut list.bufs {
                    let here = left.min(buf.capacity());
                    buf.set_len(here);
                    left -= here;
                }
                true
            }
        }
    }

    /// The elements that name the bytes as `part` says; a single one in `one`, several in
    /// `several`, which has room for them.
    #[inline(always)]
    pub(super) fn elements(
        &self,
        part: impl Fn(&Buf) -> ffi::Sge,
        one: &mut ffi::Sge,
        several: &mut [ffi::Sge],
    ) -> (*mut ffi::Sge, c_int) {
        match self {
            Bufs::None => (std::ptr::null_mut(), 0),
            Bufs::One(buf) => {
                *one = part(buf);
                (one, 1)
            }
            Bufs::List(list) => {
                let mut count = 0;
                for (element, buf) in several.iter_mut().zip(&list.bufs) {
                    *element = part(buf);
                    count += 1;
                }
                (several.as_mut_ptr(), count)
            }
        }
    }
}

impl From<Buf> for Bufs {
    #[inline]
    fn from(buf: Buf) -> Self {
        Bufs::One(buf)
    }
}

impl From<BufList> for Bufs {
    #[inline]
    fn from(list: BufList) -> Self {
        Bufs::List(list)
    }
}

/// The local side of a send work request.
#[derive(Debug)]
pub(crate) enum Payload<'a> {
    Bufs(Bufs),
    /// Memory that stays where it is.
    Exposed(ExposedPart<'a>),
    /// Bytes that the driver copies while the request is posted.
    Inline(&'a [u8]),
}
