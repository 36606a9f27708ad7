//! The structs of zero-copy receive as the kernel has them, and their numbers.
//!
//! The io-uring crate has older ones, and hands the kernel a shared reference to what it writes. Every number the kernel
//! fills in is a plain integer, never an enum: an unknown value must be a value. All are valid when zeroed, and none has
//! padding.
//!
//! Source: `include/uapi/linux/io_uring/zcrx.h`, `include/uapi/linux/io_uring/query.h` and
//! `include/uapi/linux/io_uring.h` of Linux 7.2. Older kernels have reserved fields, which must be zero, where some of these
//! have a meaning.

/// `IORING_REGISTER_ZCRX_IFQ`.
pub(super) const REGISTER_QUEUE: u32 = 32;
/// `IORING_REGISTER_QUERY`.
pub(super) const REGISTER_QUERY: u32 = 35;
/// `IORING_REGISTER_ZCRX_CTRL`.
pub(super) const REGISTER_CONTROL: u32 = 36;

/// `IORING_ZCRX_AREA_SHIFT`: above are the bits that say which area an offset is in.
pub(super) const AREA_SHIFT: u32 = 48;

/// `IORING_MEM_REGION_TYPE_USER`: the region is memory of the caller's.
pub(super) const USER_MEMORY: u32 = 1;
/// `ZCRX_REG_NODEV`: no device, all is copied.
pub(super) const NO_DEVICE: u32 = 2;
/// `ZCRX_EVENT_DESC_FLAG_STATS`: the offset of the statistics counts.
pub(super) const WITH_STATISTICS: u32 = 1;
/// `ZCRX_CTRL_FLUSH_RQ`.
pub(super) const FLUSH: u32 = 0;

/// `IO_URING_QUERY_OPCODES`.
pub(super) const QUERY_OPERATIONS: u32 = 0;
/// `IO_URING_QUERY_ZCRX`.
pub(super) const QUERY_QUEUES: u32 = 1;
/// `IO_URING_QUERY_ZCRX_EVENT`.
pub(super) const QUERY_EVENTS: u32 = 3;

/// `struct io_uring_zcrx_rqe`: an entry of the refill ring.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct RefillEntry {
    pub(crate) offset: u64,
    pub(crate) len: u32,
    pub(crate) padding: u32,
}

/// `struct io_uring_zcrx_offsets`: where things are in the refill region.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Offsets {
    pub(crate) head: u32,
    pub(crate) tail: u32,
    pub(crate) entries: u32,
    pub(crate) reserved: u32,
    pub(crate) reserved_more: [u64; 2],
}

/// `struct io_uring_zcrx_area_reg`: the memory that is received into.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct AreaRegistration {
    pub(crate) address: u64,
    pub(crate) len: u64,
    pub(crate) token: u64,
    pub(crate) flags: u32,
    pub(crate) dmabuf: u32,
    pub(crate) reserved: [u64; 2],
}

/// `struct io_uring_region_desc`: the memory of the refill ring.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct RegionDescription {
    pub(crate) address: u64,
    pub(crate) len: u64,
    pub(crate) flags: u32,
    pub(crate) id: u32,
    pub(crate) mapping_offset: u64,
    pub(crate) reserved: [u64; 4],
}

/// `struct zcrx_stats`: what the kernel copied.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counters {
    pub(crate) copies: u64,
    pub(crate) bytes: u64,
}

/// `struct zcrx_event_desc`: which notifications are wanted, and where the statistics go.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct EventDescription {
    pub(crate) user_data: u64,
    pub(crate) kinds: u32,
    pub(crate) flags: u32,
    pub(crate) counters_offset: u64,
    pub(crate) reserved: [u64; 9],
}

/// `struct io_uring_zcrx_ifq_reg`: the argument of a registration.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct QueueRegistration {
    pub(crate) interface: u32,
    pub(crate) queue: u32,
    pub(crate) entries: u32,
    pub(crate) flags: u32,
    pub(crate) area: u64,
    pub(crate) region: u64,
    pub(crate) offsets: Offsets,
    pub(crate) id: u32,
    /// `rx_buf_len`: the length of a page of the area; 0 from kernels that do not tell.
    pub(crate) page_len: u32,
    pub(crate) events: u64,
    pub(crate) reserved: [u64; 2],
}

/// `struct zcrx_ctrl`, with its union as the bytes that flushing wants to be zero.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Control {
    pub(crate) id: u32,
    pub(crate) operation: u32,
    pub(crate) reserved: [u64; 2],
    pub(crate) argument: [u64; 6],
}

/// `struct io_uring_query_hdr`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct QueryHeader {
    pub(crate) next: u64,
    pub(crate) data: u64,
    pub(crate) operation: u32,
    pub(crate) size: u32,
    pub(crate) result: i32,
    pub(crate) reserved: [u32; 3],
}

/// `struct io_uring_query_opcode`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct QueryOperations {
    pub(crate) requests: u32,
    pub(crate) registers: u32,
    pub(crate) features: u64,
    pub(crate) setup_flags: u64,
    pub(crate) enter_flags: u64,
    pub(crate) entry_flags: u64,
    pub(crate) queries: u32,
    pub(crate) padding: u32,
}

/// `struct io_uring_query_zcrx`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct QueryQueues {
    pub(crate) register_flags: u64,
    pub(crate) area_flags: u64,
    pub(crate) controls: u32,
    pub(crate) features: u32,
    pub(crate) header_len: u32,
    pub(crate) header_alignment: u32,
    pub(crate) reserved: u64,
}

/// `struct io_uring_query_zcrx_event`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct QueryEvents {
    pub(crate) kinds: u32,
    pub(crate) counters_len: u32,
    pub(crate) counters_alignment: u32,
    pub(crate) reserved: u32,
    pub(crate) reserved_more: [u64; 4],
}

#[cfg(test)]
mod layout;
