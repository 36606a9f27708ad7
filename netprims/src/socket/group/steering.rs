use std::num::NonZeroU32;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};

use crate::sys::reuse_port;
use crate::{Error, Result};

/// Which member of a [`Group`](super::Group) gets a connection or a datagram.
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub enum Steering<'a> {
    /// The kernel's choice: a hash of both addresses and ports, spread evenly. Connections of one peer go to different
    /// members; datagrams of one peer's socket to one. The default.
    #[default]
    Kernel,

    /// The member whose index is the number of the CPU that handles the packet; with more CPUs than members, that
    /// number modulo members. For TCP the connection's first packet decides.
    ///
    /// It pays if the network card's queues, or RPS, spread packets over the same CPUs that the members' threads are
    /// pinned to. Over loopback the CPU is the sender's. A classic BPF program of three instructions; Linux 4.5 (UDP),
    /// 4.6 (TCP).
    #[doc(alias = "SO_ATTACH_REUSEPORT_CBPF")]
    Cpu,

    /// What a loaded eBPF program says: one of type `BPF_PROG_TYPE_SK_REUSEPORT` (Linux 4.19), which selects from a
    /// `BPF_MAP_TYPE_REUSEPORT_SOCKARRAY`, or of type `BPF_PROG_TYPE_SOCKET_FILTER`, whose result is the member's
    /// index. A result that names no member leaves it to the hash.
    ///
    /// The kernel keeps the program as long as it steers; the descriptor may be closed. Attaching needs no privilege,
    /// loading mostly does (`kernel.unprivileged_bpf_disabled`).
    #[doc(alias = "SO_ATTACH_REUSEPORT_EBPF")]
    Program(BorrowedFd<'a>),
}

/// The kernel's internal errno `ENOTSUPP`, which it lets out here.
const ENOTSUPP: i32 = 524;

impl Steering<'_> {
    /// Whether it needs a program.
    pub(super) fn is_programmed(self) -> bool {
        !matches!(self, Self::Kernel)
    }

    /// Makes it the steering of the group the socket is in.
    pub(super) fn apply(self, socket: &impl AsFd, members: NonZeroU32) -> Result<()> {
        let (operation, result) = match self {
            Self::Kernel => (
                "setsockopt SO_DETACH_REUSEPORT_BPF on",
                reuse_port::steer_by_hash(socket),
            ),
            Self::Cpu => (
                "setsockopt SO_ATTACH_REUSEPORT_CBPF on",
                reuse_port::steer_by_cpu(socket, members),
            ),
            Self::Program(program) => (
                "setsockopt SO_ATTACH_REUSEPORT_EBPF on",
                reuse_port::steer_by_program(socket, program),
            ),
        };
        result.map_err(|error| {
            let object = format!("fd {}", socket.as_fd().as_raw_fd());
            match self.advice(error.raw_os_error()) {
                Some(advice) => Error::advised(operation, object, error, advice),
                None => Error::system(operation, object, error),
            }
        })
    }

    fn advice(self, errno: Option<i32>) -> Option<&'static str> {
        match (self, errno?) {
            (Self::Program(_), libc::EINVAL) => Some(
                "the descriptor is no program of type SK_REUSEPORT or SOCKET_FILTER, or the socket is in no group",
            ),
            (_, libc::EINVAL) => Some("the socket is in no group: it has not set SO_REUSEPORT"),
            (_, libc::EOPNOTSUPP) => {
                Some("sockets of this kind, such as Multipath TCP's, leave it to the kernel's hash")
            }
            (_, ENOTSUPP) => Some("programs of type SK_REUSEPORT steer TCP and UDP over IP"),
            (_, libc::ENOMEM) => Some("raise net.core.optmem_max: the program is charged to it"),
            (_, libc::EPERM) => Some("the socket's filter is locked (SO_LOCK_FILTER)"),
            (Self::Kernel, libc::ENOPROTOOPT) => Some("needs Linux 5.3"),
            _ => None,
        }
    }
}
