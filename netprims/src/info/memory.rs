use std::fmt;
use std::os::fd::AsFd;

use super::given::Given;
use super::refused;
use crate::sys::sockopt;
use crate::{Error, Result};

/// More than twice what kernels have.
const ROOM: usize = 128;
/// What every kernel gives that has the option.
const LEAST: usize = 36;

/// The memory of a socket, in bytes as the kernel accounts for it: with what it needs to manage a packet.
///
/// ```
/// use std::net::UdpSocket;
/// use netprims::info::MemInfo;
///
/// let socket = UdpSocket::bind("127.0.0.1:0")?;
/// let memory = MemInfo::of(&socket)?;
/// println!("{} of {} bytes used, {} packets dropped", memory.received(), memory.receive_buffer(), memory.drops());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct MemInfo {
    given: Given<ROOM>,
}

impl MemInfo {
    /// Asks the kernel, of a socket of any kind. Linux 4.12.
    ///
    /// # Errors
    ///
    /// [`Error::System`] saying so: `ENOTSOCK` if it is no socket, `ENOPROTOOPT` before Linux 4.12.
    ///
    /// Source: `sk_get_meminfo` in `net/core/sock.c`, `include/uapi/linux/sock_diag.h`.
    #[doc(alias = "SO_MEMINFO")]
    pub fn of(socket: &impl AsFd) -> Result<Self> {
        let needs = "the kernel has it since 4.12";
        Given::read(|room| sockopt::memory_info(socket, room))
            .map_err(|error| refused("getsockopt SO_MEMINFO of", socket, error, needs))
            .and_then(Self::checked)
    }

    /// Takes what came another way, such as netlink's `INET_DIAG_SKMEMINFO`. Bytes past the first 128 are dropped.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidValue`]: less than the nine numbers that Linux 4.12 gives.
    #[doc(alias = "INET_DIAG_SKMEMINFO")]
    pub fn from_bytes(bytes: &[u8]) -> Result<Self> {
        Self::checked(Given::copy(bytes))
    }

    /// What came and was not read yet.
    #[doc(alias = "SK_MEMINFO_RMEM_ALLOC")]
    pub fn received(&self) -> u32 {
        self.given.u32(0)
    }

    /// Up to how much that may be: `SO_RCVBUF`, as the kernel doubled it.
    #[doc(alias = "SK_MEMINFO_RCVBUF")]
    pub fn receive_buffer(&self) -> u32 {
        self.given.u32(4)
    }

    /// What was handed on to be sent and is not done with. TCP counts here what is on its way through this host.
    #[doc(alias = "SK_MEMINFO_WMEM_ALLOC")]
    pub fn sending(&self) -> u32 {
        self.given.u32(8)
    }

    /// Up to how much may wait to be sent: `SO_SNDBUF`, as the kernel doubled it.
    #[doc(alias = "SK_MEMINFO_SNDBUF")]
    pub fn send_buffer(&self) -> u32 {
        self.given.u32(12)
    }

    /// What is set aside for the socket and not used.
    #[doc(alias = "SK_MEMINFO_FWD_ALLOC")]
    pub fn reserved(&self) -> u32 {
        self.given.u32(16)
    }

    /// What TCP holds until it is acknowledged.
    #[doc(alias = "SK_MEMINFO_WMEM_QUEUED")]
    pub fn send_queue(&self) -> u32 {
        self.given.u32(20)
    }

    /// What options, filters, control messages and zero-copy notifications take, of `net.core.optmem_max`.
    #[doc(alias = "SK_MEMINFO_OPTMEM")]
    pub fn options(&self) -> u32 {
        self.given.u32(24)
    }

    /// What came while somebody used the socket, and waits to be queued.
    #[doc(alias = "SK_MEMINFO_BACKLOG")]
    pub fn backlog(&self) -> u32 {
        self.given.u32(28)
    }

    /// Packets dropped since the socket was opened: for want of room, most of them. Wraps.
    #[doc(alias = "SK_MEMINFO_DROPS")]
    pub fn drops(&self) -> u32 {
        self.given.u32(32)
    }

    /// What the kernel gave beyond the numbers this crate knows: empty, until a kernel has more.
    pub fn beyond(&self) -> &[u8] {
        self.given.bytes().get(LEAST..).unwrap_or_default()
    }

    fn checked(given: Given<ROOM>) -> Result<Self> {
        if given.bytes().len() < LEAST {
            return Err(Error::InvalidValue {
                option: "SO_MEMINFO",
                value: format!("{} bytes", given.bytes().len()),
                reason: "Linux 4.12 and newer give 36 bytes at least",
            });
        }
        Ok(Self { given })
    }
}

impl fmt::Debug for MemInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemInfo")
            .field("received", &self.received())
            .field("receive_buffer", &self.receive_buffer())
            .field("sending", &self.sending())
            .field("send_buffer", &self.send_buffer())
            .field("reserved", &self.reserved())
            .field("send_queue", &self.send_queue())
            .field("options", &self.options())
            .field("backlog", &self.backlog())
            .field("drops", &self.drops())
            .field("beyond", &self.beyond())
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_numbers_are_in_the_kernels_order() {
        let bytes: Vec<u8> = (1..=10_u32).flat_map(u32::to_ne_bytes).collect();
        let info = MemInfo::from_bytes(&bytes).unwrap();
        let numbers = [
            info.received(),
            info.receive_buffer(),
            info.sending(),
            info.send_buffer(),
            info.reserved(),
            info.send_queue(),
            info.options(),
            info.backlog(),
            info.drops(),
        ];
        assert_eq!(numbers, [1, 2, 3, 4, 5, 6, 7, 8, 9]);
        assert_eq!(info.beyond(), 10_u32.to_ne_bytes());
        let text = format!("{info:?}");
        assert!(
            text.contains("send_queue: 6") && text.contains("drops: 9"),
            "{text}"
        );
    }

    proptest! {
        #[test]
        fn nine_numbers_are_needed(bytes: Vec<u8>) {
            prop_assert_eq!(MemInfo::from_bytes(&bytes).is_ok(), bytes.len() >= 36);
        }
    }
}
