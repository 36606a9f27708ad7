use io_uring::types::{CancelBuilder, Fd, Fixed};
use io_uring::{opcode, squeue};

use crate::sys::uring::kernel::{Operation, Request, Target};

/// `IORING_SEND_ZC_REPORT_USAGE`. Source: `include/uapi/linux/io_uring.h`; the io-uring crate keeps it private.
pub(super) const REPORT_USAGE: u16 = 1 << 3;

/// `MSG_NOSIGNAL`: a closed peer is an error, not a signal. `MSG_WAITALL`: the kernel goes on with what a full stream has
/// not taken, instead of leaving it to the caller.
const FLAGS: i32 = libc::MSG_NOSIGNAL | libc::MSG_WAITALL;

/// A request as the kernel wants it.
#[inline]
pub(super) fn entry(request: &Request, reports_usage: bool) -> squeue::Entry {
    let entry = match request.target {
        Target::Ring => of_fd(Fd(-1), request.operation, reports_usage),
        Target::Descriptor(fd) => of_fd(Fd(fd), request.operation, reports_usage),
        // A registered file differs by a flag, and by where a cancellation looks.
        Target::Registered(place) => match request.operation {
            Operation::CancelAll => {
                opcode::AsyncCancel2::new(CancelBuilder::fd(Fixed(place)).all()).build()
            }
            operation => {
                let place = Fd(i32::try_from(place).unwrap_or(-1));
                of_fd(place, operation, reports_usage).flags(FIXED_FILE)
            }
        },
    };
    entry.user_data(request.user_data)
}

/// `IOSQE_FIXED_FILE`: the descriptor is a place in the table of registered files.
const FIXED_FILE: squeue::Flags = squeue::Flags::FIXED_FILE;

#[inline]
fn of_fd(fd: Fd, operation: Operation, reports_usage: bool) -> squeue::Entry {
    match operation {
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
        Operation::Connect { address, len } => {
            opcode::Connect::new(fd, address.cast(), len).build()
        }
        Operation::Receive { address, len } => opcode::Recv::new(fd, address, len).build(),
        Operation::ReceiveMultishot {
            group,
            is_bundle: true,
        } => opcode::RecvMultiBundle::new(fd, group).build(),
        Operation::ReceiveMultishot { group, .. } => opcode::RecvMulti::new(fd, group).build(),
        Operation::ReceiveZeroCopy { queue } => opcode::RecvZc::new(fd, 0).ifq(queue).build(),
        Operation::Shutdown { how } => opcode::Shutdown::new(fd, how).build(),
        Operation::Timeout { after } => opcode::Timeout::new(after).build(),
        Operation::Limit { after } => opcode::LinkTimeout::new(after).build(),
        Operation::Cancel { user_data } => opcode::AsyncCancel::new(user_data).build(),
        Operation::CancelAll => opcode::AsyncCancel2::new(CancelBuilder::fd(fd).all()).build(),
    }
}
