use std::os::fd::{AsFd, AsRawFd};

use socket2::{Domain, SockRef};

use crate::sys::sockopt::{
    DROPS, Opt, PACKET_INFO_V4, PACKET_INFO_V6, RECEIVE_TOS, RECEIVE_TRAFFIC_CLASS,
};
use crate::{Error, Result};

/// What a socket is to tell of each datagram it receives.
///
/// ```
/// # let socket = std::net::UdpSocket::bind("127.0.0.1:0")?;
/// use netprims::datagram::Details;
///
/// Details::DESTINATION.and(Details::DROPS).request(&socket)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Details(u8);

impl Details {
    /// The address it was sent to, the one to answer from, and the interface it came in by.
    #[doc(alias = "IP_PKTINFO")]
    #[doc(alias = "IPV6_RECVPKTINFO")]
    pub const DESTINATION: Self = Self(1);
    /// Its service class and congestion notification.
    #[doc(alias = "IP_RECVTOS")]
    #[doc(alias = "IPV6_RECVTCLASS")]
    pub const TRAFFIC_CLASS: Self = Self(2);
    /// How many the socket has dropped. Linux 2.6.33.
    #[doc(alias = "SO_RXQ_OVFL")]
    pub const DROPS: Self = Self(4);

    /// Both.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether all of `other` is in it.
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Tells the socket, for what it receives from now on. What is not in it is left as it is. An IPv6 socket tells of
    /// IPv4 peers too.
    ///
    /// Privilege: none.
    ///
    /// # Errors
    ///
    /// [`Error::System`] names the option; those before it in the list above are in effect. `ENOTSOCK`, and
    /// `EOPNOTSUPP` or `ENOPROTOOPT` for a socket that is no internet socket.
    ///
    /// Source: ip(7), ipv6(7), socket(7).
    pub fn request(self, socket: &impl AsFd) -> Result<()> {
        let fd = socket.as_fd();
        let name = format!("fd {}", fd.as_raw_fd());
        let socket = SockRef::from(&fd);
        let domain = socket.domain();
        let domain = domain.map_err(|error| Error::system("SO_DOMAIN of", &name, error))?;
        let is_v6 = domain == Domain::IPV6;
        let set = |what: &'static str, option: &Opt<4>| {
            let result = option.set_flag(&socket, true);
            result.map_err(|error| Error::system(what, &name, error))
        };
        if self.contains(Self::DESTINATION) {
            if is_v6 {
                set("IPV6_RECVPKTINFO of", &PACKET_INFO_V6)?;
            }
            // On an IPv6 socket it says of IPv4 peers which address to answer from.
            set("IP_PKTINFO of", &PACKET_INFO_V4)?;
        }
        if self.contains(Self::TRAFFIC_CLASS) {
            if is_v6 {
                set("IPV6_RECVTCLASS of", &RECEIVE_TRAFFIC_CLASS)?;
            }
            set("IP_RECVTOS of", &RECEIVE_TOS)?;
        }
        if self.contains(Self::DROPS) {
            set("SO_RXQ_OVFL of", &DROPS)?;
        }
        Ok(())
    }
}
