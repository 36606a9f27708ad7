use std::ptr;

use io_uring::opcode;
use io_uring::register::Probe;

use super::Live;

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
}

/// `IORING_UNREGISTER_NAPI`. Source: `include/uapi/linux/io_uring.h`.
const UNREGISTER_NAPI: libc::c_uint = 28;

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
        }
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
