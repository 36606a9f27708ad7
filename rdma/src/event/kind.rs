//! The kinds of events.

crate::raw::driver_enum! {
    /// What happened.
    #[doc(alias = "ibv_event_type")]
    pub enum EventKind {
        /// A completion queue overran or failed: its completions are lost.
        CqError = 0, "IBV_EVENT_CQ_ERR", "completion queue error";
        /// A queue pair failed, and is in the error state.
        QpFatal = 1, "IBV_EVENT_QP_FATAL", "queue pair error";
        /// The peer sent a request that is none.
        QpRequestError = 2, "IBV_EVENT_QP_REQ_ERR", "invalid request from the peer";
        /// The peer asked for memory that it has no right to.
        QpAccessError = 3, "IBV_EVENT_QP_ACCESS_ERR", "access violation by the peer";
        /// A packet arrived before the queue pair was ready to send: the connection stands.
        CommunicationEstablished = 4, "IBV_EVENT_COMM_EST", "communication established";
        /// Every send that was begun is over, as was asked for.
        SendQueueDrained = 5, "IBV_EVENT_SQ_DRAINED", "send queue drained";
        /// The connection goes by its alternate path now.
        PathMigrated = 6, "IBV_EVENT_PATH_MIG", "path migrated";
        /// The connection could not go by its alternate path.
        PathMigrationFailed = 7, "IBV_EVENT_PATH_MIG_ERR", "path migration failed";
        /// The device failed, or is being removed.
        DeviceFatal = 8, "IBV_EVENT_DEVICE_FATAL", "device failed or removed";
        /// The port carries traffic now.
        PortActive = 9, "IBV_EVENT_PORT_ACTIVE", "port active";
        /// The port carries no traffic any more.
        PortError = 10, "IBV_EVENT_PORT_ERR", "port down";
        /// The port's LID changed.
        LidChange = 11, "IBV_EVENT_LID_CHANGE", "LID changed";
        /// The port's table of partition keys changed.
        PkeyChange = 12, "IBV_EVENT_PKEY_CHANGE", "partition keys changed";
        /// Another subnet manager is in charge.
        SubnetManagerChange = 13, "IBV_EVENT_SM_CHANGE", "subnet manager changed";
        /// A shared receive queue failed.
        SrqError = 14, "IBV_EVENT_SRQ_ERR", "shared receive queue error";
        /// A shared receive queue has fewer receives left than its limit ([`Srq::set_limit`](crate::Srq::set_limit)).
        SrqLimitReached = 15, "IBV_EVENT_SRQ_LIMIT_REACHED", "shared receive queue runs low";
        /// A queue pair on a shared receive queue, in the error state, will take no more receives of it.
        QpLastReceive = 16, "IBV_EVENT_QP_LAST_WQE_REACHED", "last receive taken";
        /// The subnet manager wants registrations anew.
        ClientReregister = 17, "IBV_EVENT_CLIENT_REREGISTER", "subnet manager wants registrations anew";
        /// The port's table of GIDs changed.
        GidChange = 18, "IBV_EVENT_GID_CHANGE", "GIDs changed";
        /// A receive work queue failed; this crate makes none.
        WorkQueueFatal = 19, "IBV_EVENT_WQ_FATAL", "work queue error";
    }
}
