//! How work ended.

crate::raw::driver_enum! {
    /// How a piece of work ended.
    #[doc(alias = "ibv_wc_status")]
    pub enum WcStatus {
        /// Done.
        Success = 0, "IBV_WC_SUCCESS", "success";
        /// A message did not fit the buffer posted for it, or exceeds what the port can send.
        LocalLength = 1, "IBV_WC_LOC_LEN_ERR", "local length error: message larger than the buffer posted for it";
        /// The request was inconsistent with the queue pair.
        LocalQpOperation = 2, "IBV_WC_LOC_QP_OP_ERR", "local QP operation error";
        /// An error of an end-to-end context (obsolete).
        LocalEecOperation = 3, "IBV_WC_LOC_EEC_OP_ERR", "local EE context operation error";
        /// A buffer was not in registered memory of the queue pair's domain.
        LocalProtection = 4, "IBV_WC_LOC_PROT_ERR", "local protection error";
        /// The queue pair went to the error state before the work was done.
        Flushed = 5, "IBV_WC_WR_FLUSH_ERR", "flushed: the queue pair is in the error state";
        /// A memory window could not be bound.
        WindowBind = 6, "IBV_WC_MW_BIND_ERR", "memory window bind error";
        /// The peer's answer was not what the protocol allows.
        BadResponse = 7, "IBV_WC_BAD_RESP_ERR", "bad response";
        /// The local side of a remote write was not writable.
        LocalAccess = 8, "IBV_WC_LOC_ACCESS_ERR", "local access error";
        /// The peer's device refused the request as malformed; often a receive buffer too small.
        RemoteInvalidRequest = 9, "IBV_WC_REM_INV_REQ_ERR", "remote invalid request: often, the peer's receive buffer is too small";
        /// The peer's memory does not grant this access.
        RemoteAccess = 10, "IBV_WC_REM_ACCESS_ERR", "remote access error";
        /// The peer could not do its part.
        RemoteOperation = 11, "IBV_WC_REM_OP_ERR", "remote operation error";
        /// The peer did not answer in time, however often it was asked.
        RetryExceeded = 12, "IBV_WC_RETRY_EXC_ERR", "transport retries exceeded: peer gone, or wrong GID, QP number or MTU";
        /// The peer had no receive posted, however often it was asked.
        RnrRetryExceeded = 13, "IBV_WC_RNR_RETRY_EXC_ERR", "receiver-not-ready retries exceeded: peer posted no receive";
        /// An RDD violation (obsolete).
        LocalRddViolation = 14, "IBV_WC_LOC_RDD_VIOL_ERR", "local RDD violation";
        /// The peer refused an RDD request (obsolete).
        RemoteInvalidRdRequest = 15, "IBV_WC_REM_INV_RD_REQ_ERR", "remote invalid RD request";
        /// The peer aborted the work.
        RemoteAborted = 16, "IBV_WC_REM_ABORT_ERR", "remote aborted";
        /// No such end-to-end context (obsolete).
        InvalidEecNumber = 17, "IBV_WC_INV_EECN_ERR", "invalid EE context number";
        /// An end-to-end context in the wrong state (obsolete).
        InvalidEecState = 18, "IBV_WC_INV_EEC_STATE_ERR", "invalid EE context state";
        /// The device failed.
        Fatal = 19, "IBV_WC_FATAL_ERR", "fatal error";
        /// The peer's device did not answer.
        ResponseTimeout = 20, "IBV_WC_RESP_TIMEOUT_ERR", "response timeout";
        /// Something else.
        General = 21, "IBV_WC_GENERAL_ERR", "general error";
        /// Tag matching failed.
        TagMatching = 22, "IBV_WC_TM_ERR", "tag matching error";
        /// A rendezvous is still to be finished by software.
        TagMatchingIncomplete = 23, "IBV_WC_TM_RNDV_INCOMPLETE", "tag matching rendezvous incomplete";
    }
}

impl WcStatus {
    /// Whether the work was done.
    #[must_use]
    #[inline]
    pub const fn is_success(self) -> bool {
        matches!(self, WcStatus::Success)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statuses_count_up_as_in_verbs_h() {
        for raw in 0..24 {
            assert!(
                !matches!(WcStatus::from_raw(raw), WcStatus::Unknown(_)),
                "{raw}"
            );
        }
        assert_eq!(WcStatus::from_raw(5), WcStatus::Flushed);
        assert_eq!(WcStatus::from_raw(10), WcStatus::RemoteAccess);
        assert_eq!(WcStatus::from_raw(12), WcStatus::RetryExceeded);
        assert_eq!(WcStatus::from_raw(24), WcStatus::Unknown(24));
    }
}
