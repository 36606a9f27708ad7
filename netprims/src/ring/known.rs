use crate::sys::uring::QueryOperations;

/// What the kernel says that it knows of io_uring, by the numbers of its headers. Not all of it is of use to a ring.
///
/// Source: `struct io_uring_query_opcode` in `include/uapi/linux/io_uring/query.h`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[doc(alias = "IORING_REGISTER_QUERY")]
#[doc(alias = "io_uring_query_opcode")]
#[non_exhaustive]
pub struct Known {
    /// How many operations requests may have: it knows those below this number (`IORING_OP_*`). A configuration may leave
    /// some of them out all the same.
    pub requests: u32,
    /// The same for registrations (`IORING_REGISTER_*`).
    pub registrations: u32,
    /// Features of rings (`IORING_FEAT_*`), as bits.
    pub features: u64,
    /// Flags a ring can be made with (`IORING_SETUP_*`), as bits.
    pub setup_flags: u64,
    /// Flags of io_uring_enter(2) (`IORING_ENTER_*`), as bits.
    pub enter_flags: u64,
    /// Flags a request can have (`IOSQE_*`), as bits.
    pub request_flags: u64,
    /// How many questions of this kind it answers (`IO_URING_QUERY_*`); 0 from a kernel that does not tell.
    pub queries: u32,
}

impl From<QueryOperations> for Known {
    fn from(said: QueryOperations) -> Self {
        Self {
            requests: said.requests,
            registrations: said.registers,
            features: said.features,
            setup_flags: said.setup_flags,
            enter_flags: said.enter_flags,
            request_flags: said.entry_flags,
            queries: said.queries,
        }
    }
}
