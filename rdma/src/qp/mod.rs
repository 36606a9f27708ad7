//! Queue pairs.

mod batch;
mod create;
mod diagnose;
mod done;
mod drain;
mod endpoint;
mod extended;
mod groups;
mod info;
mod init;
mod qp_type;
mod recv_batch;
mod reset;
mod rtr;
mod rts;
mod state;
mod wr;

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use crate::ah::Qkey;
use crate::context::Context;
use crate::cq::Completion;
use crate::device::verb_error;
use crate::error::{Error, Result};
use crate::mr::{Buf, Bufs};
use crate::pd::Pd;
use crate::port::PortNum;
use crate::sys::{Errno, Health, Modify, QpHandle, QpIdentity, Refused, Rights, Unclaimed};

pub use crate::sys::Queue;
pub use batch::{Batch, BatchRejected};
pub use create::QpCap;
pub(crate) use create::{create, creation_error};
pub(crate) use done::post_error;
pub use done::{Done, Rejected};
pub use drain::Drained;
pub use endpoint::{Endpoint, Psn, Qpn};
pub use extended::{ExtendedWr, Flush};
pub use info::{QpInfo, QpState};
pub use init::{InitAttr, RemoteAccess};
pub(crate) use qp_type::Kind;
pub use qp_type::{Connected, QpType, Rc, Uc, Ud};
pub use recv_batch::RecvBatch;
pub use reset::{Returned, WasReset};
pub use rtr::RtrAttr;
pub(crate) use rtr::in_range;
pub use rts::RtsAttr;
pub use state::{Failed, Init, Receives, Reset, Rtr, Rts, State, Stopped};
pub use wr::{BindWr, Wr};

/// A queue pair of type `T`, in the state `S`.
///
/// The type, [`Rc`], [`Uc`] or [`Ud`], says how it talks to others, and so which work can be posted:
/// see [`Wr`].
///
/// States are types: [`Reset`] → [`init`](Qp::init) → [`Init`] → [`rtr`](Qp::rtr) → [`Rtr`] →
/// [`rts`](Qp::rts) → [`Rts`]. Receives can be posted from `Init` on, sends in `Rts` only.
/// [`stop`](Qp::stop) leads from each of them to [`Stopped`], where nothing can be posted and
/// everything posted comes back. The type says what the program did; [`query`](Qp::query) says what
/// the device made of it, which after a failure is the error state.
///
/// Buffers posted belong to the queue pair until [`complete`](Qp::complete) gives them back.
///
/// # Drop
///
/// Destroys the queue pair, then returns the buffers in flight to their [`Mr`](crate::Mr). If the
/// device refuses to destroy it, both stay for ever, and [`leaks`](crate::leaks) counts them.
#[doc(alias = "ibv_qp")]
pub struct Qp<T: QpType, S: State> {
    handle: QpHandle,
    port: Option<PortNum>,
    state: PhantomData<(T, S)>,
}

impl<T: Connected> Qp<T, Reset> {
    /// Binds the queue pair to a port of its device. The peer may do nothing but send.
    ///
    /// # Errors
    ///
    /// [`Error::Verb`], with the queue pair as it was; EINVAL: the device has no such port.
    #[doc(alias = "IBV_QPS_INIT")]
    #[doc(alias = "ibv_modify_qp")]
    pub fn init(self, port: PortNum) -> Result<Qp<T, Init>, Failed<Qp<T, Reset>>> {
        self.init_with(&InitAttr::new(port))
    }

    /// Binds the queue pair to a port of its device, and says what the peer may do.
    ///
    /// # Errors
    ///
    /// As [`init`](Self::init); EINVAL also: the port has no such P_Key.
    #[doc(alias = "qp_access_flags")]
    pub fn init_with(self, attr: &InitAttr) -> Result<Qp<T, Init>, Failed<Qp<T, Reset>>> {
        self.bind(
            attr.port,
            attr.pkey_index,
            Rights::Access(attr.access.bits()),
        )
    }
}

impl Qp<Ud, Reset> {
    /// Binds the queue pair to a port of its device. It takes the datagrams that bear `qkey`.
    ///
    /// # Errors
    ///
    /// [`Error::Verb`], with the queue pair as it was; EINVAL: the device has no such port.
    #[doc(alias = "IBV_QPS_INIT")]
    #[doc(alias = "ibv_modify_qp")]
    pub fn init(self, port: PortNum, qkey: Qkey) -> Result<Qp<Ud, Init>, Failed<Qp<Ud, Reset>>> {
        self.bind(port, 0, Rights::Qkey(qkey.number()))
    }
}

impl<T: QpType> Qp<T, Reset> {
    fn bind(
        mut self,
        port: PortNum,
        pkey_index: u16,
        rights: Rights,
    ) -> Result<Qp<T, Init>, Failed<Qp<T, Reset>>> {
        let step = Modify::Init {
            port: port.number(),
            pkey_index,
            rights,
        };
        match self.handle.modify(step) {
            Ok(()) => {
                self.port = Some(port);
                self.handle.limit_messages(self.longest_message(port));
                Ok(self.into_state())
            }
            Err(errno) => {
                let error = self.step_failed("Reset→Init", errno, format!(" (port {port})"));
                Err(Failed::new(error, self))
            }
        }
    }

    /// How many bytes a message may have; known only once the port is. A port that does not say
    /// sets no limit.
    fn longest_message(&self, port: PortNum) -> u32 {
        let info = Context::of(self.handle.pd().context()).query_port(port);
        let Ok(info) = info else {
            return u32::MAX;
        };
        let packet = info.active_mtu.bytes().filter(|_| T::KIND.is_datagram());
        let longest = match info.max_message {
            0 => u32::MAX,
            max => max,
        };
        packet.map_or(longest, |packet| packet.min(longest))
    }
}

impl<T: Connected> Qp<T, Init> {
    /// Gets ready to receive from the peer.
    ///
    /// # Errors
    ///
    /// With the queue pair as it was:
    ///
    /// - [`Error::OutOfRange`]: the MTU or the service level.
    /// - [`Error::Verb`]. Its text names what does not fit: the GID index, the MTU, the port's state,
    ///   the peer's address.
    #[doc(alias = "IBV_QPS_RTR")]
    #[doc(alias = "ibv_modify_qp")]
    pub fn rtr(self, attr: &RtrAttr) -> Result<Qp<T, Rtr>, Failed<Qp<T, Init>>> {
        // Bound by `init`.
        let port = self.port.unwrap_or(PortNum::FIRST);
        let numbers = match attr.numbers(port, T::KIND.is_reliable()) {
            Ok(numbers) => numbers,
            Err(error) => return Err(Failed::new(error, self)),
        };
        match self.handle.modify(Modify::Rtr(numbers)) {
            Ok(()) => Ok(self.into_state()),
            Err(errno) => {
                let context = Context::of(self.handle.pd().context());
                let hint = diagnose::rtr(&context, port, attr, errno);
                let error = self.step_failed("Init→Rtr", errno, hint);
                Err(Failed::new(error, self))
            }
        }
    }
}

impl Qp<Ud, Init> {
    /// Gets ready to receive, from anybody who knows the key.
    ///
    /// # Errors
    ///
    /// [`Error::Verb`], with the queue pair as it was.
    #[doc(alias = "IBV_QPS_RTR")]
    #[doc(alias = "ibv_modify_qp")]
    pub fn rtr(self) -> Result<Qp<Ud, Rtr>, Failed<Qp<Ud, Init>>> {
        match self.handle.modify(Modify::RtrDatagram) {
            Ok(()) => Ok(self.into_state()),
            Err(errno) => {
                let error = self.step_failed("Init→Rtr", errno, String::new());
                Err(Failed::new(error, self))
            }
        }
    }
}

impl Qp<Ud, Rtr> {
    /// Gets ready to send.
    ///
    /// # Errors
    ///
    /// [`Error::Verb`], with the queue pair as it was.
    #[doc(alias = "IBV_QPS_RTS")]
    #[doc(alias = "ibv_modify_qp")]
    pub fn rts(self, psn: Psn) -> Result<Qp<Ud, Rts>, Failed<Qp<Ud, Rtr>>> {
        self.ready_to_send(&RtsAttr::new(psn))
    }
}

impl<T: Connected> Qp<T, Rtr> {
    /// Gets ready to send.
    ///
    /// # Errors
    ///
    /// With the queue pair as it was:
    ///
    /// - [`Error::OutOfRange`]: a number of retries.
    /// - [`Error::Verb`].
    #[doc(alias = "IBV_QPS_RTS")]
    #[doc(alias = "ibv_modify_qp")]
    pub fn rts(self, attr: &RtsAttr) -> Result<Qp<T, Rts>, Failed<Qp<T, Rtr>>> {
        self.ready_to_send(attr)
    }
}

impl<T: QpType> Qp<T, Rtr> {
    fn ready_to_send(self, attr: &RtsAttr) -> Result<Qp<T, Rts>, Failed<Qp<T, Rtr>>> {
        let numbers = match attr.numbers(T::KIND.is_reliable()) {
            Ok(numbers) => numbers,
            Err(error) => return Err(Failed::new(error, self)),
        };
        match self.handle.modify(Modify::Rts(numbers)) {
            Ok(()) => Ok(self.into_state()),
            Err(errno) => {
                let error = self.step_failed("Rtr→Rts", errno, attr.to_string());
                Err(Failed::new(error, self))
            }
        }
    }
}

impl<T: QpType> Qp<T, Rts> {
    /// Posts a work request to the send queue. `token` is the caller's own number; it comes back
    /// with the completion.
    ///
    /// # Errors
    ///
    /// [`Rejected`], with the buffers unless the device may have them:
    /// [`Error::QueueFull`], [`Error::MessageTooLong`], [`Error::WrongLength`],
    /// [`Error::TooManyBufs`], [`Error::OtherPd`], [`Error::QpFailed`], [`Error::QpPoisoned`],
    /// [`Error::Verb`] (certainly not queued), [`Error::PostUncertain`] (possibly queued).
    #[doc(alias = "ibv_post_send")]
    #[inline]
    pub fn post(&mut self, wr: Wr<'_, T>, token: u64) -> Result<(), Rejected> {
        match self.handle.post_send(wr.work, wr.payload, token) {
            Ok(()) => Ok(()),
            Err(refused) => Err(self.rejected(refused, Queue::Send)),
        }
    }

    /// Begins a batch: requests that are posted together, with one ring of the doorbell.
    ///
    /// The first batch of a queue pair allocates the room for the longest one.
    pub fn batch<'a>(&mut self) -> Batch<'_, 'a, T> {
        let qpn = self.number();
        Batch::new(self.handle.stage(), qpn)
    }

    /// How many bytes a request can carry in itself: what was asked for when the queue pair was made,
    /// or more.
    #[doc(alias = "max_inline_data")]
    #[must_use]
    pub fn max_inline(&self) -> u32 {
        self.handle.max_inline()
    }
}

impl Qp<Rc, Rts> {
    /// Posts a request that binds a window.
    ///
    /// # Errors
    ///
    /// As [`post`](Self::post).
    #[doc(alias = "ibv_bind_mw")]
    pub fn post_bind(&mut self, wr: BindWr<'_>, token: u64) -> Result<(), Rejected> {
        self.post(wr.0, token)
    }
}

impl<T: Connected> Qp<T, Rts> {
    /// Sends the bytes that `buf` shows: [`post`](Self::post) of [`Wr::send`].
    ///
    /// # Errors
    ///
    /// As [`post`](Self::post).
    #[inline]
    pub fn post_send(&mut self, buf: Buf, token: u64) -> Result<(), Rejected> {
        self.post(Wr::send(buf), token)
    }
}

impl<T: QpType, S: Receives> Qp<T, S> {
    /// Posts the whole of the buffers, however much they show, for one message of the peer. `token`
    /// is the caller's own number; it comes back with the completion.
    ///
    /// A datagram is preceded by 40 bytes of header, for which there must be room; see
    /// [`Done::message`].
    ///
    /// If the queue pair has failed and no completion has said so yet, the buffers may come back
    /// only when the queue pair is dropped: some devices do not flush what is posted to a queue pair
    /// in the error state.
    ///
    /// # Errors
    ///
    /// As [`post`](Qp::post), and [`Error::QueueBlocked`].
    #[doc(alias = "ibv_post_recv")]
    #[inline]
    pub fn post_recv(&mut self, bufs: impl Into<Bufs>, token: u64) -> Result<(), Rejected> {
        match self.handle.post_recv(bufs.into(), token) {
            Ok(()) => Ok(()),
            Err(refused) => Err(self.rejected(refused, Queue::Recv)),
        }
    }

    /// Stops the queue pair: nothing more can be posted, and what is in flight comes back through
    /// its completion queue, as [`WcStatus::Flushed`](crate::WcStatus::Flushed) unless it was done
    /// before.
    ///
    /// If the queue pair had reached the error state by itself, and no completion had said so,
    /// receives posted since then may never complete. So do not wait for the last buffer without
    /// bound: dropping the queue pair returns all that are left.
    ///
    /// # Errors
    ///
    /// [`Error::Verb`], with the queue pair as it was.
    #[doc(alias = "IBV_QPS_ERR")]
    #[doc(alias = "ibv_modify_qp")]
    pub fn stop(self) -> Result<Qp<T, Stopped>, Failed<Qp<T, S>>> {
        match self.handle.modify(Modify::Err) {
            Ok(()) => Ok(self.into_state()),
            Err(errno) => {
                let error = self.step_failed("to Err", errno, String::new());
                Err(Failed::new(error, self))
            }
        }
    }
}

impl<T: QpType, S: State> Qp<T, S> {
    #[cfg(test)]
    pub(crate) fn handle(&self) -> &QpHandle {
        &self.handle
    }

    #[cold]
    fn rejected(&self, refused: Refused, queue: Queue) -> Rejected {
        Rejected::new(refused, queue, self.handle.number())
    }

    fn new(handle: QpHandle) -> Self {
        Qp {
            handle,
            port: None,
            state: PhantomData,
        }
    }

    fn into_state<N: State>(self) -> Qp<T, N> {
        Qp {
            handle: self.handle,
            port: self.port,
            state: PhantomData,
        }
    }

    /// The number that peers know it by.
    #[doc(alias = "qp_num")]
    #[must_use]
    pub fn number(&self) -> Qpn {
        Qpn::from_driver(self.handle.number())
    }

    /// What [events of the device](crate::DeviceEvents) call it.
    #[must_use]
    pub fn identity(&self) -> QpIdentity {
        self.handle.identity()
    }

    /// The domain it was made in: requests can name memory of that domain alone.
    #[must_use]
    pub fn pd(&self) -> Pd {
        Pd::new(Arc::clone(self.handle.pd()))
    }

    /// The port it was bound to by [`init`](Qp::init).
    #[must_use]
    pub fn port(&self) -> Option<PortNum> {
        self.port
    }

    /// Takes the next piece of work that `completion` stands for. Call it until it returns `None`:
    /// one completion of a send stands for all unsignalled sends before it, too. Hand completions
    /// over in the order in which they were polled.
    ///
    /// ```no_run
    /// # use netprims_rdma::{Cq, Error, Qp, Rc, Rts};
    /// # fn f(cq: &mut Cq, qp: &mut Qp<Rc, Rts>) -> Result<(), Error> {
    /// for mut completion in cq.poll()? {
    ///     while let Some(done) = qp.complete(&mut completion)? {
    ///         println!("{} {}: {}", done.queue, done.token, done.status);
    ///     }
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// - [`Error::OtherQp`]: the completion is not this queue pair's; try the others on the same
    ///   completion queue ([`owns`](Self::owns) asks without an error). A completion that none of
    ///   them owns is of a destroyed one, and can be dropped.
    /// - [`Error::CompletionMissing`]: it is of a send, and an earlier completion was not handed
    ///   over.
    /// - [`Error::QpPoisoned`]: it fits nothing in flight.
    #[inline(always)]
    pub fn complete(&mut self, completion: &mut Completion<'_>) -> Result<Option<Done>> {
        match self.handle.complete(completion) {
            Ok(Some(retired)) => Ok(Some(Done::new(retired, T::KIND))),
            Ok(None) => Ok(None),
            Err(unclaimed) => Err(self.unclaimed(unclaimed)),
        }
    }

    /// Whether the completion is of work posted here.
    #[must_use]
    #[inline]
    pub fn owns(&self, completion: &Completion<'_>) -> bool {
        self.handle.owns(completion)
    }

    /// How many work requests the queue has in flight.
    #[must_use]
    pub fn in_flight(&self, queue: Queue) -> u32 {
        self.handle.in_flight(queue).0
    }

    /// How many work requests the queue may have in flight.
    #[must_use]
    pub fn depth(&self, queue: Queue) -> u32 {
        self.handle.in_flight(queue).1
    }

    /// Whether a failure was seen, after which nothing can be posted.
    #[must_use]
    pub fn has_failed(&self) -> bool {
        self.handle.health() != Health::Good
    }

    /// Asks the device what state the queue pair is in.
    ///
    /// # Errors
    ///
    /// [`Error::Verb`].
    #[doc(alias = "ibv_query_qp")]
    pub fn query(&self) -> Result<QpInfo> {
        let failed = |errno| verb_error("ibv_query_qp", self.object(), errno);
        self.handle.query().map(QpInfo::new).map_err(failed)
    }

    /// Destroys the queue pair, as dropping it does, and says whether that worked.
    ///
    /// # Errors
    ///
    /// [`Error::Verb`]: it still exists, and its buffers stay with it for ever.
    #[doc(alias = "ibv_destroy_qp")]
    pub fn close(self) -> Result<()> {
        let object = self.object();
        self.handle
            .close()
            .map_err(|errno| verb_error("ibv_destroy_qp", object, errno))
    }

    fn object(&self) -> String {
        format!(
            "QP {} of {}",
            self.handle.number(),
            self.handle.pd().context().device()
        )
    }

    fn step_failed(&self, step: &str, errno: Errno, hint: String) -> Error {
        let object = format!("{} {step}", self.object());
        Error::Verb {
            operation: "ibv_modify_qp",
            object,
            source: errno.into_io(),
            hint,
        }
    }

    #[cold]
    fn unclaimed(&self, unclaimed: Unclaimed) -> Error {
        let qpn = self.handle.number();
        match unclaimed {
            Unclaimed::Other => Error::OtherQp { qpn },
            Unclaimed::Poisoned => Error::QpPoisoned { qpn },
            Unclaimed::Early => Error::CompletionMissing { qpn },
        }
    }
}

impl<T: QpType, S: State> fmt::Debug for Qp<T, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Qp")
            .field("type", &T::NAME)
            .field("state", &S::NAME)
            .field("number", &self.number())
            .field("sends", &self.in_flight(Queue::Send))
            .field("recvs", &self.in_flight(Queue::Recv))
            .finish_non_exhaustive()
    }
}
