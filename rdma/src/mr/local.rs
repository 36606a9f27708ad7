//! This side's memory of a request.

use super::{Buf, BufList, Bufs, Exposed};
use crate::sys::Payload;

/// This side's memory of a request: buffers, which move into the queue pair, or a part of exposed
/// memory. Made by `into` from [`Buf`], [`BufList`], [`Bufs`] and [`Exposed`].
#[derive(Debug)]
pub struct Local<'a>(pub(crate) Payload<'a>);

impl<'a> Local<'a> {
    #[inline]
    pub(crate) fn into_payload(self) -> Payload<'a> {
        self.0
    }
}

impl From<Buf> for Local<'_> {
    #[inline]
    fn from(buf: Buf) -> Self {
        Local(Payload::Bufs(Bufs::One(buf)))
    }
}

impl From<BufList> for Local<'_> {
    #[inline]
    fn from(list: BufList) -> Self {
        Local(Payload::Bufs(Bufs::List(list)))
    }
}

impl From<Bufs> for Local<'_> {
    #[inline]
    fn from(bufs: Bufs) -> Self {
        Local(Payload::Bufs(bufs))
    }
}

impl<'a> From<Exposed<'a>> for Local<'a> {
    #[inline]
    fn from(exposed: Exposed<'a>) -> Self {
        Local(Payload::Exposed(exposed.part))
    }
}
