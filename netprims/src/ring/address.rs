use std::ffi::OsStr;
use std::fmt;
use std::net::SocketAddr;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net;
use std::path::Path;

use socket2::SockAddr;

use crate::Result;
use crate::datagram::address;
use crate::socket::unix_name::Name;

/// Where a datagram comes from, or goes to.
#[derive(Clone)]
#[non_exhaustive]
pub enum Address {
    /// An internet address. On an IPv6 socket an IPv4 peer has a mapped one, which may be sent to as it is.
    Internet(SocketAddr),
    /// A Unix socket's name.
    Unix(net::SocketAddr),
}

impl Address {
    /// The internet address, if it is one.
    pub fn internet(&self) -> Option<SocketAddr> {
        match self {
            Self::Internet(address) => Some(*address),
            Self::Unix(_) => None,
        }
    }

    /// The Unix socket's name, if it is one.
    pub fn unix(&self) -> Option<&net::SocketAddr> {
        match self {
            Self::Internet(_) => None,
            Self::Unix(address) => Some(address),
        }
    }

    /// The address that bytes of the kernel say; `None` if they are of another family, or cut.
    pub(super) fn of_kernel(name: &[u8]) -> Option<Self> {
        if let Some(address) = address::decode(name) {
            return Some(Self::Internet(address));
        }
        let (family, path) = name.split_first_chunk::<2>()?;
        if i32::from(u16::from_ne_bytes(*family)) != libc::AF_UNIX {
            return None;
        }
        let address = match path.split_first() {
            Some((0, name)) => net::SocketAddr::from_abstract_name(name),
            _ => {
                let end = path.iter().position(|byte| *byte == 0);
                let path = path.get(..end.unwrap_or(path.len())).unwrap_or_default();
                net::SocketAddr::from_pathname(Path::new(OsStr::from_bytes(path)))
            }
        };
        address.ok().map(Self::Unix)
    }

    /// As system calls take it. Allocates nothing.
    pub(super) fn to_kernel(&self) -> Result<SockAddr> {
        let address = match self {
            // IPv6 sockets take IPv4 addresses as such as well, and IPv4 sockets nothing else.
            Self::Internet(address) => {
                let ip = address.ip().to_canonical();
                return Ok(if ip == address.ip() {
                    SockAddr::from(*address)
                } else {
                    SockAddr::from(SocketAddr::new(ip, address.port()))
                });
            }
            Self::Unix(address) => address,
        };
        Name(address).to_kernel()
    }
}

impl PartialEq for Address {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Internet(this), Self::Internet(other)) => this == other,
            (Self::Unix(this), Self::Unix(other)) => {
                this.as_pathname() == other.as_pathname()
                    && this.as_abstract_name() == other.as_abstract_name()
            }
            _ => false,
        }
    }
}

impl Eq for Address {}

impl From<SocketAddr> for Address {
    fn from(address: SocketAddr) -> Self {
        Self::Internet(address)
    }
}

impl From<net::SocketAddr> for Address {
    fn from(address: net::SocketAddr) -> Self {
        Self::Unix(address)
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Internet(address) => address.fmt(f),
            Self::Unix(address) => Name(address).fmt(f),
        }
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
