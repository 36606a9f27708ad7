//! Work requests for the send queue.

use std::marker::PhantomData;
use std::ops::Range;

use super::{Connected, QpType, Rc, RemoteAccess, Ud};
use crate::ah::Datagram;
use crate::error::Result;
use crate::mr::{Bufs, Local, RemoteKey, RemoteSlice, RemoteWord, Window};
use crate::sys::{Payload, Work};

/// One work request for the send queue of a queue pair of type `T`: what to do, with which
/// bytes. [`Qp::post`](super::Qp::post) posts it.
///
/// ```no_run
/// # use netprims_rdma::{Buf, Error, Qp, Rc, RemoteSlice, Rts, Wr};
/// # fn f(qp: &mut Qp<Rc, Rts>, header: Buf, body: Buf, there: RemoteSlice) -> Result<(), Error> {
/// qp.post(Wr::write(body, there).unsignalled(), 1)?;
/// qp.post(Wr::send_imm(header, 7).solicited(), 2)?;
/// # Ok(())
/// # }
/// ```
///
/// Which requests there are depends on the type: on [`Uc`](super::Uc) sends and writes, on
/// [`Ud`] sends to an address, on [`Rc`] everything.
#[doc(alias = "ibv_send_wr")]
#[derive(Debug)]
#[must_use = "it does nothing until it is posted"]
pub struct Wr<'a, T: QpType> {
    pub(super) work: Work<'a>,
    pub(super) payload: Payload<'a>,
    qp_type: PhantomData<T>,
}

impl<'a, T: QpType> Wr<'a, T> {
    #[inline]
    fn new(work: Work<'a>, payload: Payload<'a>) -> Self {
        Wr {
            work,
            payload,
            qp_type: PhantomData,
        }
    }

    /// Asks for no completion: its buffers come back with that of a later request, or when
    /// something fails.
    ///
    /// When the queue would be full of such requests, the last one asks for a completion after all,
    /// because nothing else would ever make room.
    #[doc(alias = "IBV_SEND_SIGNALED")]
    #[inline]
    pub fn unsignalled(mut self) -> Self {
        self.work = self.work.unsignalled();
        self
    }

    /// Begins only once the reads and atomics posted before it are done.
    #[doc(alias = "IBV_SEND_FENCE")]
    #[inline]
    pub fn fenced(mut self) -> Self {
        self.work = self.work.fenced();
        self
    }

    /// Wakes a peer that waits for solicited messages only. Of sends, and writes with immediate.
    #[doc(alias = "IBV_SEND_SOLICITED")]
    #[inline]
    pub fn solicited(mut self) -> Self {
        self.work = self.work.solicited();
        self
    }
}

impl<'a, T: Connected> Wr<'a, T> {
    /// Sends the bytes that the buffers show, into a receive of the peer's.
    /// [`Bufs::None`](crate::Bufs::None) sends an empty message.
    #[doc(alias = "IBV_WR_SEND")]
    #[inline]
    pub fn send(local: impl Into<Local<'a>>) -> Self {
        Wr::new(Work::send(), local.into().into_payload())
    }

    /// As [`send`](Self::send), with 32 bits for the peer's completion.
    #[doc(alias = "IBV_WR_SEND_WITH_IMM")]
    #[inline]
    pub fn send_imm(local: impl Into<Local<'a>>, imm: u32) -> Self {
        Wr::new(Work::send_imm(imm), local.into().into_payload())
    }

    /// Sends `bytes`, copied while the request is posted: at most
    /// [`max_inline`](super::Qp::max_inline).
    #[doc(alias = "IBV_SEND_INLINE")]
    #[inline]
    pub fn send_inline(bytes: &'a [u8]) -> Self {
        Wr::new(Work::send(), Payload::Inline(bytes))
    }

    /// As [`send_inline`](Self::send_inline), with 32 bits for the peer's completion.
    #[inline]
    pub fn send_inline_imm(bytes: &'a [u8], imm: u32) -> Self {
        Wr::new(Work::send_imm(imm), Payload::Inline(bytes))
    }

    /// Writes the bytes that the buffers show to the beginning of the peer's memory. The peer is not
    /// told.
    #[doc(alias = "IBV_WR_RDMA_WRITE")]
    #[inline]
    pub fn write(local: impl Into<Local<'a>>, to: RemoteSlice) -> Self {
        let work = Work::write(to.address()).moving(0, to.len());
        Wr::new(work, local.into().into_payload())
    }

    /// As [`write`](Self::write), and then completes a receive of the peer's with 32 bits.
    #[doc(alias = "IBV_WR_RDMA_WRITE_WITH_IMM")]
    #[inline]
    pub fn write_imm(local: impl Into<Local<'a>>, to: RemoteSlice, imm: u32) -> Self {
        let work = Work::write_imm(to.address(), imm).moving(0, to.len());
        Wr::new(work, local.into().into_payload())
    }

    /// Writes `bytes`, copied while the request is posted: at most
    /// [`max_inline`](super::Qp::max_inline).
    #[inline]
    pub fn write_inline(bytes: &'a [u8], to: RemoteSlice) -> Self {
        let work = Work::write(to.address()).moving(0, to.len());
        Wr::new(work, Payload::Inline(bytes))
    }

    /// As [`write_inline`](Self::write_inline), and then completes a receive of the peer's with 32
    /// bits.
    #[inline]
    pub fn write_inline_imm(bytes: &'a [u8], to: RemoteSlice, imm: u32) -> Self {
        let work = Work::write_imm(to.address(), imm).moving(0, to.len());
        Wr::new(work, Payload::Inline(bytes))
    }
}

impl<'a> Wr<'a, Rc> {
    /// As [`send`](Self::send), and takes the validity from a key of the peer's, before the peer's
    /// receive completes.
    #[doc(alias = "IBV_WR_SEND_WITH_INV")]
    #[inline]
    pub fn send_invalidate(local: impl Into<Local<'a>>, key: RemoteKey) -> Self {
        Wr::new(
            Work::send_invalidate(key.number()),
            local.into().into_payload(),
        )
    }

    /// As [`send_invalidate`](Self::send_invalidate), with `bytes` that are copied while the request
    /// is posted: at most [`max_inline`](super::Qp::max_inline).
    #[inline]
    pub fn send_inline_invalidate(bytes: &'a [u8], key: RemoteKey) -> Self {
        Wr::new(Work::send_invalidate(key.number()), Payload::Inline(bytes))
    }

    /// Reads from the beginning of the peer's memory into the buffers, as many bytes as they show.
    #[doc(alias = "IBV_WR_RDMA_READ")]
    #[inline]
    pub fn read(local: impl Into<Local<'a>>, from: RemoteSlice) -> Self {
        let work = Work::read(from.address()).moving(0, from.len());
        Wr::new(work, local.into().into_payload())
    }

    /// Replaces eight bytes of the peer's memory by `swap` if they are `compare`, in the peer's byte
    /// order, and puts what they were into the buffer, which must show eight bytes.
    #[doc(alias = "IBV_WR_ATOMIC_CMP_AND_SWP")]
    #[inline]
    pub fn compare_swap(
        old: impl Into<Local<'a>>,
        at: RemoteWord,
        compare: u64,
        swap: u64,
    ) -> Self {
        let work = Work::compare_swap(at.address(), compare, swap).moving(8, 8);
        Wr::new(work, old.into().into_payload())
    }

    /// Adds to eight bytes of the peer's memory, in the peer's byte order, and puts what they were
    /// into the buffer, which must show eight bytes.
    #[doc(alias = "IBV_WR_ATOMIC_FETCH_AND_ADD")]
    #[inline]
    pub fn fetch_add(old: impl Into<Local<'a>>, at: RemoteWord, add: u64) -> Self {
        let work = Work::fetch_add(at.address(), add).moving(8, 8);
        Wr::new(work, old.into().into_payload())
    }
}

impl<'a> Wr<'a, Rc> {
    /// Gives peers a key to `range` of a window's region, with the rights of `access`, and says what
    /// they must know to use it. The key is valid once the request has completed, until it is
    /// [invalidated](Self::invalidate), by this side or a peer, or the window is dropped. A window that
    /// has a valid key is not given another one: the request fails.
    ///
    /// A batch cannot have it.
    ///
    /// # Errors
    ///
    /// [`Error::OutOfRange`](crate::Error::OutOfRange): the range is not within the region.
    #[doc(alias = "IBV_WR_BIND_MW")]
    pub fn bind(
        window: &'a mut Window,
        range: Range<usize>,
        access: RemoteAccess,
    ) -> Result<(BindWr<'a>, RemoteSlice)> {
        let there = window.prepare(range, access)?;
        let work = Work::bind(window.handle_mut());
        let wr = Wr::new(work, Payload::Bufs(Bufs::None));
        Ok((BindWr(wr), there))
    }

    /// Takes the validity from the window's key, and waits for the requests before it.
    #[doc(alias = "IBV_WR_LOCAL_INV")]
    #[inline]
    pub fn invalidate(window: &Window) -> Self {
        let work = Work::local_invalidate(window.key().number());
        Wr::new(work, Payload::Bufs(Bufs::None)).fenced()
    }
}

/// A request that binds a window; [`Qp::post_bind`](super::Qp::post_bind) posts it.
#[derive(Debug)]
#[must_use = "it does nothing until it is posted"]
pub struct BindWr<'a>(pub(super) Wr<'a, Rc>);

impl<'a> Wr<'a, Ud> {
    /// Sends the bytes that the buffers show, as one packet, to one queue pair or a group of them.
    #[doc(alias = "IBV_WR_SEND")]
    #[inline]
    pub fn send_to(local: impl Into<Local<'a>>, to: &'a Datagram) -> Self {
        let (qpn, qkey) = (to.qpn.number(), to.qkey.number());
        Wr::new(
            Work::send().to(to.ah.handle(), qpn, qkey),
            local.into().into_payload(),
        )
    }

    /// As [`send_to`](Self::send_to), with 32 bits for the receiver's completion.
    #[doc(alias = "IBV_WR_SEND_WITH_IMM")]
    #[inline]
    pub fn send_imm_to(local: impl Into<Local<'a>>, imm: u32, to: &'a Datagram) -> Self {
        let (qpn, qkey) = (to.qpn.number(), to.qkey.number());
        let work = Work::send_imm(imm).to(to.ah.handle(), qpn, qkey);
        Wr::new(work, local.into().into_payload())
    }

    /// Sends `bytes`, copied while the request is posted: at most
    /// [`max_inline`](super::Qp::max_inline).
    #[doc(alias = "IBV_SEND_INLINE")]
    #[inline]
    pub fn send_inline_to(bytes: &'a [u8], to: &'a Datagram) -> Self {
        let (qpn, qkey) = (to.qpn.number(), to.qkey.number());
        Wr::new(
            Work::send().to(to.ah.handle(), qpn, qkey),
            Payload::Inline(bytes),
        )
    }

    /// As [`send_inline_to`](Self::send_inline_to), with 32 bits for the receiver's completion.
    #[inline]
    pub fn send_inline_imm_to(bytes: &'a [u8], imm: u32, to: &'a Datagram) -> Self {
        let (qpn, qkey) = (to.qpn.number(), to.qkey.number());
        let work = Work::send_imm(imm).to(to.ah.handle(), qpn, qkey);
        Wr::new(work, Payload::Inline(bytes))
    }
}
