use std::time::Duration;

use super::{Rung, RxPlan, RxPool, RxReport, Wanted, WhyNot};
use crate::ring::{Ring, Socket, Ticket, no_memory};
use crate::sys::memory::Shape;
use crate::sys::uring::{Giving, GroupHandle, Refused};
use crate::{Error, Result};

/// Receiving.
impl Ring {
    /// Maps memory to receive into, and finds the highest rung for it that the plan allows and the kernel has:
    /// [`RxPool::report`] says which, and why not a higher one. A ring can have 64 such pools at a time.
    ///
    /// # Errors
    ///
    /// - [`Error::InvalidValue`]: no slots, more than 32 768, empty slots, more than an address space, or a 65th pool.
    /// - [`Error::System`]: `ENOMEM` of `mmap` when memory or address space is short. Where the limit for locked memory
    ///   (`RLIMIT_MEMLOCK`) is, the pool is on a lower rung, and the report says so.
    ///
    /// A queue for zero-copy receive that is busy because its ring is being taken down is waited for, up to half a second.
    ///
    /// Source: io_uring_register(2), `IORING_REGISTER_PBUF_RING` (Linux 5.19), `IORING_REGISTER_ZCRX_IFQ` (Linux 6.15).
    #[doc(alias = "IORING_REGISTER_PBUF_RING")]
    pub fn rx_pool(&mut self, plan: &RxPlan) -> Result<RxPool> {
        let plan = &plan.settled();
        let shape = plan.shape()?;
        let mut report = RxReport::new();
        let shown = if plan.at_most >= Rung::Multishot {
            self.shown_pool(plan, shape, &mut report)?
        } else {
            report.decline(Wanted::Multishot, WhyNot::Excluded { by: "at_most" });
            None
        };
        let mut handle = match shown {
            Some(handle) => handle,
            None => {
                for what in [Wanted::Bundles, Wanted::Incremental] {
                    report.decline(what, WhyNot::NotOnThisRung);
                }
                let group = self.core.engine.group(shape, Giving::OneByOne);
                let group = group.map_err(|refusal| {
                    let object = format!("a pool of {} bytes to receive into", shape.bytes());
                    no_memory::refused(object, refusal)
                })?;
                self.in_range(plan, group)?
            }
        };
        self.add_queue(plan, shape, &mut handle, &mut report);
        if plan.is_for_messages {
            self.core.engine.keep_for_messages(&handle);
            report.keep_for_messages();
        }
        Ok(RxPool::new(handle, report))
    }

    /// A pool on the multishot rung; `None`, and why in the report, if the kernel refuses.
    fn shown_pool(
        &mut self,
        plan: &RxPlan,
        shape: Shape,
        report: &mut RxReport,
    ) -> Result<Option<GroupHandle>> {
        if plan.is_incremental {
            let giving = Giving::Ring {
                is_incremental: true,
                is_bundling: false,
            };
            match self.core.engine.group(shape, giving) {
                Ok(group) => {
                    report.rung = Rung::Multishot;
                    report.incremental = true;
                    let by = "incremental";
                    let why = if plan.has_bundles {
                        WhyNot::Excluded { by }
                    } else {
                        WhyNot::NotAsked
                    };
                    report.decline(Wanted::Bundles, why);
                    return self.in_range(plan, group).map(Some);
                }
                // The one errno for a flag that is not known.
                Err(refusal) if refusal.error.raw_os_error() == Some(libc::EINVAL) => {
                    let needs = "Linux 6.12";
                    report.decline(Wanted::Incremental, WhyNot::KernelTooOld { needs });
                }
                Err(refusal) => report.decline(Wanted::Incremental, refused(&refusal)),
            }
        }
        let giving = Giving::Ring {
            is_incremental: false,
            is_bundling: plan.has_bundles,
        };
        let group = match self.core.engine.group(shape, giving) {
            Ok(group) => self.in_range(plan, group)?,
            Err(refusal) => {
                report.declined.clear();
                report.decline(Wanted::Multishot, refused(&refusal));
                return Ok(None);
            }
        };
        report.rung = Rung::Multishot;
        report.bundles = plan.has_bundles && self.capabilities().bundles;
        if !report.bundles {
            let needs = "Linux 6.10";
            let why = if plan.has_bundles {
                WhyNot::KernelTooOld { needs }
            } else {
                WhyNot::NotAsked
            };
            report.decline(Wanted::Bundles, why);
        }
        if !plan.is_incremental {
            report.decline(Wanted::Incremental, WhyNot::NotAsked);
        }
        Ok(Some(group))
    }

    fn in_range(&self, plan: &RxPlan, group: Option<GroupHandle>) -> Result<GroupHandle> {
        group.ok_or_else(|| Error::InvalidValue {
            option: "rx_pool",
            value: format!("{} slots of {} bytes", plan.slots, plan.slot_len),
            reason: "the ring has 64 pools to receive into already; drop one",
        })
    }

    /// Receives from a socket, from the next [`poll`](Ring::poll) on: [`Event::Received`](super::super::Event::Received)
    /// again and again, and at the end one [`Event::ReceiveEnded`](super::super::Event::ReceiveEnded). Allocates nothing,
    /// but for the ring's first into a pool for [messages](RxPlan::messages), and takes no lock.
    ///
    /// It goes on when the kernel ends a request (a full completion queue, a signal), and when the pool has no slot: it then
    /// waits for one. [`cancel`](Ring::cancel) ends it, and so does [`remove`](Ring::remove) of its socket. A datagram
    /// socket has no end of its own, and tells an empty datagram as an empty chunk.
    ///
    /// # Errors
    ///
    /// [`Error::RingFull`], [`Error::UnknownSocket`], [`Error::ForeignPool`] if the pool is another ring's,
    /// [`Error::AlreadyReceiving`], and [`Error::InvalidValue`] for a datagram socket and an
    /// [incremental](RxPlan::incremental) pool, and for a stream and one for [messages](RxPlan::messages). What goes wrong
    /// later is told by the last event.
    ///
    /// Source: io_uring_enter(2), `IORING_OP_RECV`, `IORING_OP_RECVMSG`.
    #[doc(alias = "IORING_OP_RECV")]
    #[doc(alias = "IORING_RECV_MULTISHOT")]
    pub fn receive(&mut self, socket: Socket, pool: &RxPool) -> Result<Ticket> {
        self.queue().receive(socket, pool)
    }

    /// Like [`receive`](Ring::receive), and ends with [`ReceiveEnd::Idle`](super::ReceiveEnd::Idle) when nothing has come
    /// for this long. It goes on for at least the limit; for about a quarter more if the ring is polled all the time, and
    /// longer if not: the limit is measured in four parts, and each begins with the [`poll`](Ring::poll) after the one before
    /// it. In whole milliseconds, at least four. While the receive waits for memory of the pool, the
    /// silence does not count: it may not be the peer's.
    ///
    /// The kernel can limit a receive as a whole only. The ring has a clock for each instead, a request that completes four
    /// times within the limit, tells no event, and takes one more of the places that the ring was
    /// [built](crate::ring::RingBuilder::in_flight) with. The first request of a ring that names a time allocates the places
    /// for all of them.
    ///
    /// # Errors
    ///
    /// As for [`receive`](Ring::receive), and [`Error::InvalidValue`] for no time at all.
    ///
    /// Source: io_uring_enter(2), `IORING_OP_TIMEOUT` (Linux 5.4).
    #[doc(alias = "idle timeout")]
    pub fn receive_until_idle(
        &mut self,
        socket: Socket,
        pool: &RxPool,
        limit: Duration,
    ) -> Result<Ticket> {
        self.queue().receive_until_idle(socket, pool, limit)
    }

    /// How a socket is received from, and why not as the [report](RxPool::report) of its pool says: a socket that is no
    /// stream, or that refuses it, goes on in a simpler way. `None` if it is not received from.
    ///
    /// What a socket refuses shows only when something was asked of it, after a [`poll`](Ring::poll) or two.
    ///
    /// # Errors
    ///
    /// [`Error::UnknownSocket`]: it was removed, or is another ring's.
    pub fn receive_report(&self, socket: Socket) -> Result<Option<RxReport>> {
        self.is_registered(socket)?;
        let state = self.core.engine.receive_state(socket.key);
        Ok(state.as_ref().map(RxReport::of_socket))
    }
}

fn refused(refusal: &Refused) -> WhyNot {
    WhyNot::Refused {
        operation: refusal.operation,
        errno: refusal.error.raw_os_error().unwrap_or(libc::EIO),
        advice: no_memory::advice(refusal).unwrap_or("see io_uring_register(2)"),
    }
}
