use std::io;
use std::os::fd::{AsFd, AsRawFd};

use super::Timestamps;
use crate::fd::retry;
use crate::sys::datagrams::control::Messages;
use crate::sys::datagrams::receive_one;
use crate::{Error, Result};

/// Bytes that were received, and when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamped {
    bytes: usize,
    timestamps: Timestamps,
}

impl Stamped {
    /// How many bytes were received; 0 is the end of a stream, or an empty datagram.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// When they arrived. Of a stream: when the last of them did.
    pub fn timestamps(&self) -> Timestamps {
        self.timestamps
    }
}

/// Receives into `buffer`, with the time of arrival. For TCP connections, and for whatever else stamps what it receives;
/// many datagrams at a time are [`ReceiveBatch`](crate::datagram::ReceiveBatch)'s.
///
/// `None`: nothing is there, and the socket is non-blocking, or has waited as long as `SO_RCVTIMEO` says. A datagram that
/// is longer than `buffer` is cut.
///
/// It allocates nothing. Descriptors that a Unix socket brings are closed; [`fd::pass`](crate::fd::pass) is for those.
///
/// # Errors
///
/// [`Error::System`]: `ECONNRESET`, `ECONNREFUSED`, `ENOTCONN`, `ENOTSOCK`. Nothing was received.
///
/// Kernel: Linux 2.6.30; of TCP connections 4.14. Source: `Documentation/networking/timestamping.rst`, recvmsg(2).
#[doc(alias = "recvmsg")]
#[doc(alias = "SCM_TIMESTAMPING")]
pub fn receive(socket: &impl AsFd, buffer: &mut [u8]) -> Result<Option<Stamped>> {
    let socket = socket.as_fd();
    match retry(|| receive_one(socket, buffer)) {
        Ok(one) => {
            let mut timestamps = Timestamps::default();
            for message in Messages::new(one.control()) {
                timestamps.take(message);
            }
            Ok(Some(Stamped {
                bytes: one.bytes,
                timestamps,
            }))
        }
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
        Err(error) => {
            let name = format_args!("fd {}", socket.as_raw_fd());
            Err(Error::system("recvmsg on", name, error))
        }
    }
}
