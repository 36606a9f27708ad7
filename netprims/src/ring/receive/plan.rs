use crate::ring::ZeroCopyRx;
use crate::sys::memory::Shape;
use crate::sys::uring::{HEADROOM, MOST_PLACES};
use crate::{Error, Result};

/// How a ring receives: a ladder. Higher is greater.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum Rung {
    /// Every request names a slot and receives once (`IORING_OP_RECV`). A socket that is received from holds a slot
    /// also while nothing comes: with more sockets than slots, some wait.
    Plain,
    /// A request receives again and again, and takes slots as it needs them from a ring that the kernel reads (Linux
    /// 6.0).
    Multishot,
    /// The kernel receives into pages of a queue that was registered for it, without copying where the queue is a device's
    /// (Linux 6.15, [`RxPlan::zero_copy`]).
    ZeroCopy,
}

/// What a pool to receive into should be.
#[derive(Clone, Debug)]
pub struct RxPlan {
    pub(super) slots: u32,
    pub(super) slot_len: u32,
    pub(super) has_bundles: bool,
    pub(super) is_incremental: bool,
    pub(super) is_for_messages: bool,
    pub(super) at_most: Rung,
    pub(super) zero_copy: Option<ZeroCopyRx>,
}

impl RxPlan {
    /// `slots` slots of `slot_len` bytes each, on the highest rung that the kernel has, with bundles, not incremental.
    ///
    /// A slot takes one chunk, and is free again when that has been handled. A datagram that is longer than a slot is cut,
    /// as recv(2) does: [`Chunk::is_cut`](super::Chunk::is_cut).
    pub const fn new(slots: u32, slot_len: u32) -> Self {
        Self {
            slots,
            slot_len,
            has_bundles: true,
            is_incremental: false,
            is_for_messages: false,
            at_most: Rung::ZeroCopy,
            zero_copy: None,
        }
    }

    /// Whether one completion may fill several slots (Linux 6.10): fewer completions where many bytes come at once.
    /// Default: yes, where the kernel can. Only for stream sockets; a datagram is one chunk.
    #[doc(alias = "IORING_RECVSEND_BUNDLE")]
    pub const fn bundles(mut self, bundles: bool) -> Self {
        self.has_bundles = bundles;
        self
    }

    /// Whether the kernel goes on filling a slot until it is full, each time with a chunk of its own (Linux 6.12): large
    /// slots then serve small chunks. Default: no. There are no bundles with it, and only stream sockets can be received
    /// from, since the rest of a slot might be too short for a datagram.
    ///
    /// A slot is free again when all its chunks have been handled: one that is kept keeps the whole slot.
    #[doc(alias = "IOU_PBUF_RING_INC")]
    pub const fn incremental(mut self, incremental: bool) -> Self {
        self.is_incremental = incremental;
        self
    }

    /// Whether each datagram comes with its [source](super::Chunk::source), its length before it was cut, and [what the
    /// socket was asked to tell](super::Chunk::incoming) of it. Default: no.
    ///
    /// Such a pool is not for streams. Every slot is 640 bytes longer than the plan says, for that; there are neither
    /// bundles nor incremental slots, which are for streams. A Unix socket's control messages are not received: descriptors
    /// in them are closed by the kernel.
    ///
    /// Source: io_uring_prep_recvmsg_multishot(3).
    #[doc(alias = "recvmsg")]
    #[doc(alias = "IORING_OP_RECVMSG")]
    #[doc(alias = "io_uring_recvmsg_out")]
    pub const fn messages(mut self, messages: bool) -> Self {
        self.is_for_messages = messages;
        self
    }

    /// Asks for the rung [`ZeroCopy`](Rung::ZeroCopy), with as much memory as the slots have, in pages: a chunk is at most
    /// one. Default: no. It is for TCP; on a socket that refuses it, the ring goes on with the next rung, and with memory
    /// of the same size again, which takes no room before it is used.
    ///
    /// The ring must have been built with [`zero_copy_receive`](crate::ring::RingBuilder::zero_copy_receive).
    #[doc(alias = "IORING_OP_RECV_ZC")]
    #[doc(alias = "IORING_REGISTER_ZCRX_IFQ")]
    pub fn zero_copy(mut self, source: ZeroCopyRx) -> Self {
        self.zero_copy = Some(source);
        self
    }

    /// No higher rung than this. Default: the highest.
    pub const fn at_most(mut self, rung: Rung) -> Self {
        self.at_most = rung;
        self
    }

    /// What is left of it: what is for streams is not for messages.
    pub(super) fn settled(&self) -> Self {
        let plan = self.clone();
        if !plan.is_for_messages {
            return plan;
        }
        Self {
            has_bundles: false,
            is_incremental: false,
            zero_copy: None,
            ..plan
        }
    }

    pub(super) fn shape(&self) -> Result<Shape> {
        let invalid = || Error::InvalidValue {
            option: "RxPlan",
            value: format!("{} slots of {} bytes", self.slots, self.slot_len),
            reason: "a pool has 1 to 32768 slots of at least a byte that fit the address space",
        };
        if self.slots > u32::from(MOST_PLACES) {
            return Err(invalid());
        }
        let head = if self.is_for_messages { HEADROOM } else { 0 };
        let slot_len = self
            .slot_len
            .checked_add(head)
            .filter(|_| self.slot_len != 0);
        let shape = slot_len.and_then(|slot_len| Shape::new(self.slots, slot_len));
        shape.ok_or_else(invalid)
    }
}
