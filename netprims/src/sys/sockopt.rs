//! Socket options that socket2 does not have.

use std::ffi::c_int;
use std::io;
use std::os::fd::{AsFd, AsRawFd};

/// The NAPI id of the last packet the socket received, 0 for none (`SO_INCOMING_NAPI_ID`, Linux 4.12).
pub(crate) fn incoming_napi_id(socket: &impl AsFd) -> io::Result<u32> {
    let mut id: u32 = 0;
    let mut len: libc::socklen_t = 4;
    // SAFETY: the kernel writes at most `len` bytes to the third pointer and four to the fourth. `id` is a live local
    // of exactly four bytes for which every bit pattern is valid, `len` is a live local of type socklen_t, and neither
    // is used otherwise during the call. The descriptor is open: `socket` borrows its owner.
    let result: c_int = unsafe {
        libc::getsockopt(
            socket.as_fd().as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_INCOMING_NAPI_ID,
            (&raw mut id).cast(),
            &raw mut len,
        )
    };
    if result == 0 {
        Ok(id)
    } else {
        Err(io::Error::last_os_error())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_zero_before_a_packet_came() {
        let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        assert_eq!(incoming_napi_id(&socket).unwrap(), 0);
    }

    #[test]
    fn of_a_file_is_an_error() {
        let file = std::fs::File::open("/dev/null").unwrap();
        let error = incoming_napi_id(&file).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::ENOTSOCK));
    }
}
