//! Queue pairs.

mod create;
mod diagnose;
mod done;
mod endpoint;
mod info;
mod rtr;
mod rts;
mod state;

use std::fmt;
use std::marker::PhantomData;

use crate::context::Context;
use crate::cq::Completion;
use crate::device::verb_error;
use crate::error::{Error, Result};
use crate::mr::Buf;
use crate::port::PortNum;
use crate::sys::{Errno, Health, Modify, QpHandle, Unclaimed};

pub use crate::sys::Queue;
pub use create::QpDepth;
pub(crate) use create::create;
pub use done::{Done, Rejected};
pub use endpoint::{Endpoint, Psn, Qpn};
pub use info::{QpInfo, QpState};
pub use rtr::RtrAttr;
pub use rts::RtsAttr;
pub use state::{Failed, Init, Receives, Reset, Rtr, Rts, State, Stopped};

/// A reliable-connected queue pair, in the state `S`.
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
pub struct Qp<S: State> {
    handle: QpHandle,
    port: Option<PortNum>,
    state: PhantomData<S>,
}

impl Qp<Reset> {
    /// Binds the queue pair to a port of its device.
    ///
    /// # Errors
    ///
    /// [`Error::Verb`], with the queue pair as it was; EINVAL: the device has no such port.
    #[doc(alias = "IBV_QPS_INIT")]
    #[doc(alias = "ibv_modify_qp")]
    pub fn init(mut self, port: PortNum) -> Result<Qp<Init>, Failed<Qp<Reset>>> {
        let step = Modify::Init {
            port: port.number(),
            pkey_index: 0,
        };
        match self.handle.modify(step) {
            Ok(()) => {
                self.port = Some(port);
                // Known only here. A port that does not say sets no limit.
                let info = Context::of(self.handle.pd().context()).query_port(port);
                let max = info.map_or(0, |info| info.max_message);
                let max = if max == 0 { u32::MAX } else { max };
                self.handle.limit_messages(max);
                Ok(self.into_state())
            }
            Err(errno) => {
                let error = self.step_failed("Reset→Init", errno, format!(" (port {port})"));
                Err(Failed::new(error, self))
            }
        }
    }
}

impl Qp<Init> {
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
    pub fn rtr(self, attr: &RtrAttr) -> Result<Qp<Rtr>, Failed<Qp<Init>>> {
        // Bound by `init`.
        let port = self.port.unwrap_or(PortNum::FIRST);
        let numbers = match attr.numbers(port) {
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

impl Qp<Rtr> {
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
    pub fn rts(self, attr: &RtsAttr) -> Result<Qp<Rts>, Failed<Qp<Rtr>>> {
        let numbers = match attr.numbers() {
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

impl Qp<Rts> {
    /// Sends the bytes that `buf` shows. `token` is the caller's own number; it comes back with the
    /// completion.
    ///
    /// # Errors
    ///
    /// [`Rejected`], with the buffer unless the device may have it:
    /// [`Error::QueueFull`], [`Error::MessageTooLong`], [`Error::OtherPd`], [`Error::QpFailed`],
    /// [`Error::QpPoisoned`], [`Error::Verb`] (certainly not queued), [`Error::PostUncertain`]
    /// (possibly queued).
    #[doc(alias = "ibv_post_send")]
    #[inline]
    pub fn post_send(&mut self, buf: Buf, token: u64) -> Result<(), Rejected> {
        let posted = self.handle.post_send(buf, token, true);
        posted.map_err(|refused| Rejected::new(refused, Queue::Send, self.handle.number()))
    }

    /// As [`post_send`](Self::post_send), but asks for no completion: the buffer comes back with
    /// that of a later send, or when something fails.
    ///
    /// When the queue would be full of such sends, the last one asks for a completion after all,
    /// because nothing else would ever make room.
    ///
    /// # Errors
    ///
    /// As [`post_send`](Self::post_send).
    #[doc(alias = "IBV_SEND_SIGNALED")]
    #[inline]
    pub fn post_send_unsignalled(&mut self, buf: Buf, token: u64) -> Result<(), Rejected> {
        let posted = self.handle.post_send(buf, token, false);
        posted.map_err(|refused| Rejected::new(refused, Queue::Send, self.handle.number()))
    }
}

impl<S: Receives> Qp<S> {
    /// Posts the whole of `buf`, however much it shows, for one message of the peer. `token` is the
    /// caller's own number; it comes back with the completion.
    ///
    /// If the queue pair has failed and no completion has said so yet, the buffer may come back
    /// only when the queue pair is dropped: some devices do not flush what is posted to a queue pair
    /// in the error state.
    ///
    /// # Errors
    ///
    /// As [`post_send`](Qp::post_send), and [`Error::QueueBlocked`].
    #[doc(alias = "ibv_post_recv")]
    #[inline]
    pub fn post_recv(&mut self, buf: Buf, token: u64) -> Result<(), Rejected> {
        let posted = self.handle.post_recv(buf, token);
        posted.map_err(|refused| Rejected::new(refused, Queue::Recv, self.handle.number()))
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
    pub fn stop(self) -> Result<Qp<Stopped>, Failed<Qp<S>>> {
        match self.handle.modify(Modify::Err) {
            Ok(()) => Ok(self.into_state()),
            Err(errno) => {
                let error = self.step_failed("to Err", errno, String::new());
                Err(Failed::new(error, self))
            }
        }
    }
}

impl<S: State> Qp<S> {
    #[cfg(test)]
    pub(crate) fn handle(&self) -> &QpHandle {
        &self.handle
    }

    fn new(handle: QpHandle) -> Self {
        Qp {
            handle,
            port: None,
            state: PhantomData,
        }
    }

    fn into_state<T: State>(self) -> Qp<T> {
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
    /// # use netprims_rdma::{Cq, Error, Qp, Rts};
    /// # fn f(cq: &mut Cq, qp: &mut Qp<Rts>) -> Result<(), Error> {
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
    #[inline]
    pub fn complete(&mut self, completion: &mut Completion<'_>) -> Result<Option<Done>> {
        match self.handle.complete(completion) {
            Ok(retired) => Ok(retired.map(Done::new)),
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

impl<S: State> fmt::Debug for Qp<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Qp")
            .field("state", &S::NAME)
            .field("number", &self.number())
            .field("sends", &self.in_flight(Queue::Send))
            .field("recvs", &self.in_flight(Queue::Recv))
            .finish_non_exhaustive()
    }
}
