//! What kind of work is over.

crate::raw::driver_enum! {
    /// What kind of work a completion is of.
    ///
    /// Meaningful only on success: of failed work drivers may say anything, and a flushed receive is
    /// often called a send.
    #[doc(alias = "ibv_wc_opcode")]
    pub enum WcOpcode {
        /// A send.
        Send = 0, "IBV_WC_SEND", "send";
        /// A remote write.
        RdmaWrite = 1, "IBV_WC_RDMA_WRITE", "remote write";
        /// A remote read.
        RdmaRead = 2, "IBV_WC_RDMA_READ", "remote read";
        /// A remote compare-and-swap.
        CompareAndSwap = 3, "IBV_WC_COMP_SWAP", "compare and swap";
        /// A remote fetch-and-add.
        FetchAndAdd = 4, "IBV_WC_FETCH_ADD", "fetch and add";
        /// The binding of a memory window.
        BindWindow = 5, "IBV_WC_BIND_MW", "bind of a memory window";
        /// The invalidation of a local key.
        LocalInvalidate = 6, "IBV_WC_LOCAL_INV", "local invalidation";
        /// A send cut into segments by the device.
        SegmentedSend = 7, "IBV_WC_TSO", "segmented send";
        /// A flush of remote memory.
        Flush = 8, "IBV_WC_FLUSH", "flush";
        /// An atomic remote write.
        AtomicWrite = 9, "IBV_WC_ATOMIC_WRITE", "atomic write";
        /// A receive.
        Recv = 128, "IBV_WC_RECV", "receive";
        /// A receive that a remote write with immediate data used up.
        RecvRdmaWithImm = 129, "IBV_WC_RECV_RDMA_WITH_IMM", "receive of a remote write with immediate";
    }
}
