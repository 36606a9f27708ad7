use std::ptr;

use io_uring::opcode;
use io_uring::register::Probe;

use super::entry::kernels_group;
use super::{INCREMENTAL, Live};
use crate::sys::uring::zcrx::{Provider, QueryOperations, SystemCalls};

/// What the kernel can do that a ring is not made with.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Capable {
    /// `IORING_OP_SENDMSG_ZC` (Linux 6.1).
    pub(crate) zero_copy_messages: bool,
    /// `IORING_FEAT_RECVSEND_BUNDLE` (Linux 6.10).
    pub(crate) bundles: bool,
    /// `IORING_REGISTER_NAPI` (Linux 6.9).
    pub(crate) busy_poll: bool,
    /// `IORING_OP_RECV_ZC` (Linux 6.15).
    pub(crate) zero_copy_receive: bool,
    /// `IOU_PBUF_RING_INC` (Linux 6.12).
    pub(crate) incremental: bool,
    /// What the kernel says of itself (`IORING_REGISTER_QUERY`, Linux 6.18).
    pub(crate) known: Option<QueryOperations>,
}

/// `IORING_UNREGISTER_NAPI`. Source: `include/uapi/linux/io_uring.h`.
const UNREGISTER_NAPI: libc::c_uint = 28;

/// A group that no pool has.
const GROUP_OF_NONE: u16 = 1024;

impl Live {
    /// Asks the kernel. What it does not answer, as to a forked child, it cannot do.
    pub(crate) fn capable(&self) -> Capable {
        if self.at_home().is_err() {
            return Capable::default();
        }
        let mut probe = Probe::new();
        // The kernel fills in all or nothing.
        let _ = self.ring.submitter().register_probe(&mut probe);
        Capable {
            zero_copy_messages: probe.is_supported(opcode::SendMsgZc::CODE),
            bundles: self.ring.params().is_feature_recvsend_bundle(),
            busy_poll: self.busy_polls || self.knows_busy_polling(),
            zero_copy_receive: probe.is_supported(opcode::RecvZc::CODE),
            incremental: self.knows_incremental(),
            known: SystemCalls::on(self.fd()).operations().ok(),
        }
    }

    /// Whether a ring of buffers may be filled bit by bit. One that is nowhere is refused with `EINVAL` for the flag where
    /// that is not known, and with `EFAULT` for its address where it is. Source: `io_register_pbuf_ring` in
    /// `io_uring/kbuf.c`.
    fn knows_incremental(&self) -> bool {
        let (nowhere, places) = (0, 1);
        // SAFETY: the kernel refuses to register what has no address, so it uses no memory for it.
        let refused = unsafe {
            self.ring.submitter().register_buf_ring_with_flags(
                nowhere,
                places,
                kernels_group(GROUP_OF_NONE),
                INCREMENTAL,
            )
        };
        refused.is_err_and(|error| error.raw_os_error() == Some(libc::EFAULT))
    }

    /// Whether the kernel knows busy polling. To be asked of a ring that does not use it: it is turned off.
    fn knows_busy_polling(&self) -> bool {
        let (fd, opcode) = (self.fd(), UNREGISTER_NAPI);
        // SAFETY: the call takes the ring's descriptor, which is open, a number, and a null pointer for an answer that is
        // not wanted.
        let result = unsafe {
            libc::syscall(
                libc::SYS_io_uring_register,
                std::os::fd::AsRawFd::as_raw_fd(&fd),
                opcode,
                ptr::null_mut::<libc::c_void>(),
                1,
            )
        };
        result == 0
    }
}
