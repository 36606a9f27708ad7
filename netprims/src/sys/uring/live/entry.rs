use std::mem::{align_of, size_of};

use io_uring::types::{CancelBuilder, Fd, Fixed};
use io_uring::{opcode, squeue};

use crate::sys::uring::kernel::{Operation, Request, Target};

/// `IORING_SEND_ZC_REPORT_USAGE`. Source: `include/uapi/linux/io_uring.h`; the io-uring crate keeps it private.
pub(super) const REPORT_USAGE: u16 = 1 << 3;

/// `IORING_RECVSEND_FIXED_BUF`. Source: as above.
const FIXED_BUFFER: u16 = 1 << 2;

/// `MSG_NOSIGNAL`: a closed peer is an error, not a signal. `MSG_WAITALL`: the kernel goes on with what a full stream has
/// not taken, instead of leaving it to the caller.
const FLAGS: i32 = libc::MSG_NOSIGNAL | libc::MSG_WAITALL;

/// The kernel's number of a group.
///
/// Older kernels have an array for the first 64, and go on in it where they were when a ring of the same number is
/// registered anew: they begin in its middle, and take what was not shown (seen on 6.1). Other numbers begin anew.
pub(super) fn kernels_group(group: u16) -> u16 {
    const FIRST: u16 = 64;
    group.saturating_add(FIRST)
}

/// A request as the kernel wants it.
#[inline(always)]
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

#[inline(always)]
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
        Operation::SendTo {
            address,
            len,
            buffer,
            zero_copy: true,
            to,
        } => opcode::SendZc::new(fd, address, len)
            .buf_index(Some(buffer))
            .dest_addr(to.address.cast())
            .dest_addr_len(to.len)
            .flags(FLAGS)
            .zc_flags(if reports_usage { REPORT_USAGE } else { 0 })
            .build(),
        Operation::SendTo {
            address, len, to, ..
        } => opcode::Send::new(fd, address, len)
            .dest_addr(to.address.cast())
            .dest_addr_len(to.len)
            .flags(FLAGS)
            .build(),
        Operation::Accept => opcode::AcceptMulti::new(fd)
            .flags(libc::SOCK_CLOEXEC)
            .build(),
        Operation::Connect { address, len } => {
            opcode::Connect::new(fd, address.cast(), len).build()
        }
        Operation::Receive {
            address,
            len,
            tells_all,
        } => opcode::Recv::new(fd, address, len)
            .flags(all_if(tells_all))
            .build(),
        Operation::ReceiveMultishot {
            group,
            is_bundle: true,
            ..
        } => opcode::RecvMultiBundle::new(fd, kernels_group(group)).build(),
        Operation::ReceiveMultishot {
            group, tells_all, ..
        } => opcode::RecvMulti::new(fd, kernels_group(group))
            .flags(all_if(tells_all))
            .build(),
        Operation::ReceiveMessage { header } => {
            let flags = libc::MSG_TRUNC | libc::MSG_CMSG_CLOEXEC;
            opcode::RecvMsg::new(fd, header)
                .flags(u32::from_ne_bytes(flags.to_ne_bytes()))
                .build()
        }
        Operation::ReceiveMessages { group, header } => {
            let flags = libc::MSG_TRUNC | libc::MSG_CMSG_CLOEXEC;
            opcode::RecvMsgMulti::new(fd, header, kernels_group(group))
                .flags(u32::from_ne_bytes(flags.to_ne_bytes()))
                .build()
        }
        Operation::ReceiveZeroCopy { queue } => opcode::RecvZc::new(fd, 0).ifq(queue).build(),
        Operation::SendMessage {
            header,
            buffer,
            zero_copy: true,
        } => send_message_zc(fd, header, buffer, reports_usage),
        Operation::SendMessage { header, .. } => opcode::SendMsg::new(fd, header)
            .flags(u32::from_ne_bytes(FLAGS.to_ne_bytes()))
            .build(),
        Operation::Shutdown { how } => opcode::Shutdown::new(fd, how).build(),
        Operation::Timeout { after } => opcode::Timeout::new(after).build(),
        Operation::Limit { after } => opcode::LinkTimeout::new(after).build(),
        Operation::Cancel { user_data } => opcode::AsyncCancel::new(user_data).build(),
        Operation::CancelAll => opcode::AsyncCancel2::new(CancelBuilder::fd(fd).all()).build(),
    }
}

/// `MSG_TRUNC`: the result is the length that a message had before it was cut.
fn all_if(tells_all: bool) -> i32 {
    if tells_all { libc::MSG_TRUNC } else { 0 }
}

/// A zero-copy send of what a header names.
pub(super) fn send_message_zc(
    fd: Fd,
    header: *const libc::msghdr,
    buffer: Option<u16>,
    reports_usage: bool,
) -> squeue::Entry {
    let usage = if reports_usage { REPORT_USAGE } else { 0 };
    let fixed = if buffer.is_some() { FIXED_BUFFER } else { 0 };
    let mut entry = opcode::SendMsgZc::new(fd, header)
        .ioprio(usage | fixed)
        .flags(u32::from_ne_bytes(FLAGS.to_ne_bytes()))
        .build();
    if let Some(buffer) = buffer {
        set_buffer(&mut entry, buffer);
    }
    entry
}

/// Sets `buf_index` of `struct io_uring_sqe`, at byte 40, which the io-uring crate has no setter for with this operation.
/// Source: `include/uapi/linux/io_uring.h`.
fn set_buffer(entry: &mut squeue::Entry, buffer: u16) {
    const HALVES: usize = 32;
    const BUFFER: usize = 40 / 2;
    const {
        assert!(size_of::<squeue::Entry>() == size_of::<[u16; HALVES]>());
        assert!(align_of::<squeue::Entry>() >= align_of::<u16>());
    }
    // SAFETY: an entry is the 64 bytes of the kernel's structure (`repr(C)` around it), as large as this array and at least
    // as aligned. All of them are initialised, since the crate starts from zeroes and the structure has no padding, and any
    // numbers are a value of it. The borrow is exclusive, as the entry's is.
    let halves = unsafe { &mut *std::ptr::from_mut(entry).cast::<[u16; HALVES]>() };
    halves[BUFFER] = buffer;
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The numbers of an entry.
    fn halves(mut entry: squeue::Entry) -> [u16; 32] {
        // SAFETY: as in `set_buffer`.
        unsafe { *std::ptr::from_mut(&mut entry).cast::<[u16; 32]>() }
    }

    #[test]
    fn the_buffer_is_where_the_crate_puts_it_for_another_operation() {
        let fd = Fd(3);
        let header = std::ptr::without_provenance(0x1000);
        let known = opcode::SendZc::new(fd, std::ptr::null(), 1)
            .buf_index(Some(0xabcd))
            .build();
        let ours = halves(send_message_zc(fd, header, Some(0xabcd), true));
        let plain = halves(send_message_zc(fd, header, None, true));
        assert_eq!(halves(known)[20], 0xabcd);
        assert_eq!((ours[20], plain[20]), (0xabcd, 0));
        // The flags are in the second number; nothing else differs.
        let differing: Vec<_> = (0..32).filter(|at| ours[*at] != plain[*at]).collect();
        assert_eq!(
            (differing, ours[1]),
            (vec![1, 20], REPORT_USAGE | FIXED_BUFFER)
        );
    }
}
