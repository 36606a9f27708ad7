use std::io;
use std::os::fd::{AsFd, AsRawFd};

use super::Timestamps;
use crate::sys::control::messages;
use crate::sys::datagrams::receive_one;
use crate::{Error, Result};

/// Bytes that were received, and when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamped {
    bytes: usize,
    timestamps: Timestamps,
    is_truncated: bool,
    lacks_details: bool,
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

    /// Whether the datagram was longer than the buffer; the rest is lost.
    #[doc(alias = "MSG_TRUNC")]
    pub fn is_truncated(&self) -> bool {
        self.is_truncated
    }

    /// Whether the kernel had more to tell than there is room for, so that a missing time may have been one.
    #[doc(alias = "MSG_CTRUNC")]
    pub fn lacks_details(&self) -> bool {
        self.lacks_details
    }
}

/// Receives into `buffer`, with the time of arrival. For TCP connections, and for whatever else stamps what it receives;
/// many datagrams at a time are [`ReceiveBatch`](crate::datagram::ReceiveBatch)'s.
///
/// `None`: nothing is there, and the socket is non-blocking, or has waited as long as `SO_RCVTIMEO` says. A datagram that
/// is longer than `buffer` is cut: see [`Stamped::is_truncated`].
///
/// With [`udp_gro`](crate::tuning::Tuning::udp_gro) the bytes may be several datagrams, whose boundaries only
/// [`ReceiveBatch`](crate::datagram::ReceiveBatch) tells.
///
/// It allocates nothing. Descriptors that a Unix socket brings are closed; [`fd::pass`](crate::fd::pass) is for those.
///
/// # Errors
///
/// [`Error::System`]: `ECONNRESET`, `ECONNREFUSED`, `ENOTCONN`, `ENOTSOCK`; `EINTR` if a signal ended the wait, unless its
/// handler has calls restarted (`SA_RESTART`) and there is no `SO_RCVTIMEO`. Nothing was received.
///
/// Kernel: Linux 2.6.30; of TCP connections 4.14. Source: `Documentation/networking/timestamping.rst`, recvmsg(2).
#[doc(alias = "recvmsg")]
#[doc(alias = "SCM_TIMESTAMPING")]
pub fn receive(socket: &impl AsFd, buffer: &mut [u8]) -> Result<Option<Stamped>> {
    let socket = socket.as_fd();
    match receive_one(socket, buffer) {
        Ok(one) => {
            let mut timestamps = Timestamps::default();
            for message in messages(one.control()) {
                timestamps.take(message);
            }
            Ok(Some(Stamped {
                bytes: one.bytes,
                timestamps,
                is_truncated: one.data_cut,
                lacks_details: one.control_cut,
            }))
        }
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
        Err(error) => {
            let name = format!("fd {}", socket.as_raw_fd());
            Err(Error::system("recvmsg on", name, error))
        }
    }
}
