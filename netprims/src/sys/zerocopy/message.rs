use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

/// A message of a socket's error queue that is about no zero-copy send: an ICMP error (with `IP_RECVERR`), a transmit
/// timestamp (with `SO_TIMESTAMPING`), and the like.
///
/// A socket has one error queue, and reading takes the message out, so whoever reads it must hand on what is meant for
/// others.
///
/// Source: ip(7), `include/uapi/linux/errqueue.h`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[doc(alias = "sock_extended_err")]
#[non_exhaustive]
pub struct Message {
    /// Who sent it (`ee_origin`).
    pub origin: Origin,
    /// The type of an ICMP message (`ee_type`).
    pub kind: u8,
    /// The code of an ICMP message (`ee_code`).
    pub code: u8,
    /// What depends on the origin (`ee_info`): the path MTU with `EMSGSIZE`, which moment a timestamp is of.
    pub info: u32,
    /// What depends on the origin (`ee_data`): the number of the send a timestamp is of.
    pub data: u32,
    /// Where the packet that caused it was sent to.
    pub destination: Option<SocketAddr>,
    /// Who reported the error (`SO_EE_OFFENDER`).
    pub offender: Option<IpAddr>,
    /// When the packet was sent, by the system's clock, since 1970.
    pub software_time: Option<Duration>,
    /// When the packet was sent, by the device's clock.
    pub hardware_time: Option<Duration>,
    pub(crate) errno: i32,
    payload: [u8; Self::PAYLOAD],
    payload_len: usize,
}

/// Who wrote a message into the error queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Origin {
    /// Nobody told.
    None,
    /// This machine.
    #[doc(alias = "SO_EE_ORIGIN_LOCAL")]
    Local,
    /// An ICMP message.
    #[doc(alias = "SO_EE_ORIGIN_ICMP")]
    Icmp,
    /// An ICMPv6 message.
    #[doc(alias = "SO_EE_ORIGIN_ICMP6")]
    Icmp6,
    /// A transmit timestamp, or the wireless acknowledgement of one packet.
    #[doc(alias = "SO_EE_ORIGIN_TIMESTAMPING")]
    #[doc(alias = "SO_EE_ORIGIN_TXSTATUS")]
    Timestamping,
    /// A packet whose time to be sent (`SO_TXTIME`) was missed or invalid.
    #[doc(alias = "SO_EE_ORIGIN_TXTIME")]
    TxTime,
    /// One this crate does not know.
    Unknown(u8),
}

impl Message {
    /// Bytes of the packet that are kept.
    pub(crate) const PAYLOAD: usize = 256;

    /// The error; `None` if it is about none. A timestamp's is `ENOMSG`.
    pub fn error(&self) -> Option<io::Error> {
        (self.errno != 0).then(|| io::Error::from_raw_os_error(self.errno))
    }

    /// The first 256 bytes, or fewer, of the packet it is about.
    pub fn payload(&self) -> &[u8] {
        self.payload.get(..self.payload_len).unwrap_or_default()
    }

    pub(crate) fn empty() -> Self {
        Self {
            origin: Origin::None,
            kind: 0,
            code: 0,
            info: 0,
            data: 0,
            destination: None,
            offender: None,
            software_time: None,
            hardware_time: None,
            errno: 0,
            payload: [0; Self::PAYLOAD],
            payload_len: 0,
        }
    }

    pub(crate) fn set_payload(&mut self, bytes: &[u8]) {
        self.payload_len = bytes.len().min(Self::PAYLOAD);
        for (to, from) in self.payload.iter_mut().zip(bytes) {
            *to = *from;
        }
    }
}

impl Origin {
    pub(crate) fn from_raw(raw: u8) -> Self {
        match raw {
            0 => Self::None,
            1 => Self::Local,
            2 => Self::Icmp,
            3 => Self::Icmp6,
            4 => Self::Timestamping,
            6 => Self::TxTime,
            other => Self::Unknown(other),
        }
    }
}
