use io_uring::types::Fd;
use io_uring::{opcode, squeue};

use crate::sys::uring::kernel::{Operation, Request, Target};

/// `IORING_SEND_ZC_REPORT_USAGE`. Source: `include/uapi/linux/io_uring.h`; the io-uring crate keeps it private.
pub(super) const REPORT_USAGE: u16 = 1 << 3;

/// `MSG_NOSIGNAL`: a closed peer is an error, not a signal. `MSG_WAITALL`: the kernel goes on with what a full stream has
/// not taken, instead of leaving it to the caller.
const FLAGS: i32 = libc::MSG_NOSIGNAL | libc::MSG_WAITALL;

/// A request as the kernel wants it.
pub(super) fn entry(request: &Request, reports_usage: bool) -> squeue::Entry {
    let fd = match request.target {
        Target::Ring => Fd(-1),
        Target::Descriptor(fd) => Fd(fd),
    };
    match request.operation {
        Operation::Send {
            address,
            len,
            buffer,
            zero_copy: true,
        } => opcode::SendZc::new(fd, address, len)
            .buf_index(Some(buffer))
            .flags(FLAGS)
            .zc_flags(if reports_usage { REPORT_USAGE } else { 0 })
            .build(),
        Operation::Send { address, len, .. } => {
            opcode::Send::new(fd, address, len).flags(FLAGS).build()
        }
        Operation::Accept => opcode::AcceptMulti::new(fd)
            .flags(libc::SOCK_CLOEXEC)
            .build(),
        Operation::Shutdown { how } => opcode::Shutdown::new(fd, how).build(),
        Operation::Cancel { user_data } => opcode::AsyncCancel::new(user_data).build(),
    }
    .user_data(request.user_data)
}
