use std::os::fd::{AsFd, AsRawFd, RawFd};

use socket2::{Domain, Protocol, SockRef, Type};

use super::{NotAttached, ZeroCopySender};
use crate::sys::memory::Process;
use crate::sys::sockopt::ZEROCOPY;
use crate::sys::zerocopy::{Engine, Limits, Live};
use crate::{Error, Result};

/// How a [`ZeroCopySender`] sends.
///
/// ```
/// use netprims::zerocopy::{WhenFull, ZeroCopyOptions};
///
/// const BULK: ZeroCopyOptions = ZeroCopyOptions::new().threshold(32 * 1024).in_flight(256).when_full(WhenFull::Refuse);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ZeroCopyOptions {
    threshold: usize,
    in_flight: u32,
    when_full: WhenFull,
    give_up_after: u32,
}

/// What to do with a buffer when no further zero-copy send has room.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum WhenFull {
    /// Send it plainly, and count that ([`Totals::full`](super::Totals::full)).
    #[default]
    Copy,
    /// Give it back with [`Error::ZeroCopyFull`].
    Refuse,
}

/// Most buffers a sender can be made for: the kernel merges as many sends into one notification.
const MOST_IN_FLIGHT: u32 = 65_534;

impl ZeroCopyOptions {
    /// The defaults.
    pub const fn new() -> Self {
        Self {
            threshold: 16 * 1024,
            in_flight: 64,
            when_full: WhenFull::Copy,
            give_up_after: 64,
        }
    }

    /// From how many bytes on a send is zero-copy. What is shorter, and a stream's last bytes of a buffer if they are, is
    /// copied by a plain send, and the buffer is free at once. Default: 16384 bytes. With 0 all are zero-copy that
    /// have a byte.
    pub const fn threshold(mut self, bytes: usize) -> Self {
        self.threshold = bytes;
        self
    }

    /// How many buffers can be in flight. Default: 64. Range: 1 to 65534. What a path takes: its bandwidth times its delay,
    /// by the size of a buffer; 64 of 64 KiB are 10 Gbit/s over 3 ms. Memory for them is allocated when the socket is
    /// attached: 176 bytes for each, and 3 KiB for the sender itself.
    pub const fn in_flight(mut self, buffers: u32) -> Self {
        self.in_flight = buffers;
        self
    }

    /// What to do when no further zero-copy send has room. Default: [`WhenFull::Copy`].
    pub const fn when_full(mut self, when_full: WhenFull) -> Self {
        self.when_full = when_full;
        self
    }

    /// After how many zero-copy sends in a row that the kernel copied all the same the sender goes over to plain sends,
    /// which are cheaper then. One send in 256 tries again, and one that is not copied ends it. Default: 64. With 0 it
    /// never gives up.
    pub const fn give_up_after(mut self, sends: u32) -> Self {
        self.give_up_after = sends;
        self
    }

    /// Turns `SO_ZEROCOPY` on and takes the socket: TCP or UDP, over IPv4 or IPv6, blocking or not, of std, of tokio, of
    /// this crate, or a reference or an `Arc` of one. Nobody else may send on it with `MSG_ZEROCOPY` or read its error
    /// queue; see [the module](super#what-the-kernel-tells-and-what-it-does-not).
    ///
    /// # Errors
    ///
    /// [`NotAttached`] with the socket as it was, and
    ///
    /// - [`Error::InvalidValue`]: the socket is neither TCP nor UDP (Unix, Multipath TCP, raw …); it has `SO_ZEROCOPY`
    ///   already, its own or its listener's, so that sends may have been counted; or `in_flight` is out of range.
    /// - [`Error::System`]: `ENOTSOCK`, or `EOPNOTSUPP` and `ENOPROTOOPT` from a kernel that is too old.
    ///
    /// Source: `Documentation/networking/msg_zerocopy.rst`, `sk_setsockopt` in `net/core/sock.c`.
    #[doc(alias = "SO_ZEROCOPY")]
    pub fn attach<S: AsFd>(self, socket: S) -> Result<ZeroCopySender<S>, NotAttached<S>> {
        match self.turn_on(&socket) {
            Ok(found) => {
                let live = Live::new(socket, found.number, found.home, found.is_stream);
                Ok(ZeroCopySender::new(Engine::new(live, found.limits)))
            }
            Err(error) => Err(NotAttached { socket, error }),
        }
    }

    fn turn_on(self, socket: &impl AsFd) -> Result<Found> {
        let in_flight = Some(self.in_flight).filter(|most| (1..=MOST_IN_FLIGHT).contains(most));
        let in_flight = in_flight.ok_or_else(|| Error::InvalidValue {
            option: "in_flight",
            value: self.in_flight.to_string(),
            reason: "a sender has 1 to 65534 buffers in flight",
        })?;
        let fd = socket.as_fd();
        let name = format!("socket fd {}", fd.as_raw_fd());
        let socket = SockRef::from(&fd);
        let refused = |reason| Error::InvalidValue {
            option: "SO_ZEROCOPY",
            value: name.clone(),
            reason,
        };
        let error = |operation, error| Error::system(operation, &name, error);
        let domain = socket
            .domain()
            .map_err(|e| error("getsockopt SO_DOMAIN of", e))?;
        let kind = socket
            .r#type()
            .map_err(|e| error("getsockopt SO_TYPE of", e))?;
        let protocol = socket
            .protocol()
            .map_err(|e| error("getsockopt SO_PROTOCOL of", e))?;
        let is_internet = [Domain::IPV4, Domain::IPV6].contains(&domain);
        let is_stream = match (kind, protocol) {
            (Type::STREAM, Some(Protocol::TCP)) if is_internet => true,
            (Type::DGRAM, Some(Protocol::UDP)) if is_internet => false,
            _ => return Err(refused("zero-copy sends are for TCP and UDP sockets")),
        };
        let is_on = ZEROCOPY
            .flag(&socket)
            .map_err(|e| error("getsockopt SO_ZEROCOPY of", e))?;
        if is_on {
            return Err(refused(
                "it is on already, so the kernel may have counted sends; leave it off, of the listener too",
            ));
        }
        let home = Process::current().map_err(|e| error("mmap a page for", e))?;
        ZEROCOPY.set_flag(&socket, true).map_err(|error| {
            let advice = "TCP needs Linux 4.14, UDP 5.0";
            Error::advised("setsockopt SO_ZEROCOPY of", &name, error, advice)
        })?;
        let limits = Limits {
            threshold: self.threshold,
            in_flight: usize::try_from(in_flight).unwrap_or(usize::MAX),
            copies_when_full: self.when_full == WhenFull::Copy,
            give_up_after: self.give_up_after,
        };
        Ok(Found {
            limits,
            number: fd.as_raw_fd(),
            home,
            is_stream,
        })
    }
}

/// What was found out while the option was turned on.
struct Found {
    limits: Limits,
    number: RawFd,
    home: Process,
    is_stream: bool,
}

impl Default for ZeroCopyOptions {
    fn default() -> Self {
        Self::new()
    }
}
