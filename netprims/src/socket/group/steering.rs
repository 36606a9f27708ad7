use std::collections::HashSet;
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
    ///
    /// Before Linux 5.3, which cannot take a program away, it is one that always leaves the choice to the hash.
    #[default]
    Kernel,

    /// The member whose index is the number of the CPU that handles the packet; with more CPUs than members, that
    /// number modulo members. For TCP the connection's first packet decides.
    ///
    /// It pays if the network card's queues, or RPS, spread packets over the same CPUs that the members' threads are
    /// pinned to. Over loopback the CPU is the sender's. Members are evenly used if the CPUs' numbers have no gaps; for
    /// others there is [`Cpus`](Self::Cpus). A classic BPF program of three instructions; Linux 4.5 (UDP), 4.6 (TCP).
    #[doc(alias = "SO_ATTACH_REUSEPORT_CBPF")]
    Cpu,

    /// As [`Cpu`](Self::Cpu), with the CPUs named: the first in the list is the first member's, and so on; where there
    /// are more CPUs than members, it begins again with the first member. A CPU that is not in the list has the member
    /// of its number modulo members.
    ///
    /// For CPUs whose numbers have gaps, as those of a container, of one NUMA node, or without their hyper-thread
    /// siblings have. Each is listed once, and no member is without one; at most 2046. The program compares one CPU
    /// after the other, two instructions each.
    #[doc(alias = "SO_ATTACH_REUSEPORT_CBPF")]
    Cpus(&'a [u32]),

    /// What a loaded eBPF program says: one of type `BPF_PROG_TYPE_SK_REUSEPORT` (Linux 4.19), which selects from a
    /// `BPF_MAP_TYPE_REUSEPORT_SOCKARRAY`, or of type `BPF_PROG_TYPE_SOCKET_FILTER`, whose result is the member's
    /// index. A result that names no member leaves it to the hash, unless the program is of the first type and says
    /// `SK_DROP`: that refuses the connection or drops the datagram.
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

    /// Refuses what cannot steer so many members.
    pub(super) fn check(self, members: NonZeroU32) -> Result<()> {
        let Self::Cpus(cpus) = self else {
            return Ok(());
        };
        let refused = |value: String, reason| {
            Err(Error::InvalidValue {
                option: "cpus",
                value,
                reason,
            })
        };
        let count = u32::try_from(cpus.len()).unwrap_or(u32::MAX);
        if count < members.get() {
            let value = format!("{count} for {members} members");
            return refused(value, "a member without a CPU would get nothing");
        }
        if cpus.len() > reuse_port::MOST_CPUS {
            let reason = "a classic BPF program has room for 2046";
            return refused(count.to_string(), reason);
        }
        let mut seen = HashSet::new();
        match cpus.iter().find(|cpu| !seen.insert(**cpu)) {
            Some(twice) => refused(twice.to_string(), "it is in the list twice"),
            None => Ok(()),
        }
    }

    /// Makes the group of a UDP socket that is not yet bound, by giving it a program.
    pub(super) fn found(self, socket: &impl AsFd, members: NonZeroU32) -> Result<()> {
        match self {
            Self::Kernel => {
                let operation = "setsockopt SO_ATTACH_REUSEPORT_CBPF on";
                self.explained(operation, socket, reuse_port::steer_by_default(socket))
            }
            _ => self.apply(socket, members),
        }
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
            Self::Cpus(cpus) => (
                "setsockopt SO_ATTACH_REUSEPORT_CBPF on",
                reuse_port::steer_by_cpus(socket, cpus, members),
            ),
            Self::Program(program) => (
                "setsockopt SO_ATTACH_REUSEPORT_EBPF on",
                reuse_port::steer_by_program(socket, program),
            ),
        };
        self.explained(operation, socket, result)
    }

    fn explained(
        self,
        operation: &'static str,
        socket: &impl AsFd,
        result: std::io::Result<()>,
    ) -> Result<()> {
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
            (_, libc::EINVAL) => Some(
                "the socket is in no group: it had not set SO_REUSEPORT when it was bound, or is the only UDP socket \
                 there",
            ),
            (_, libc::EOPNOTSUPP) => {
                Some("sockets of this kind, such as Multipath TCP's, leave it to the kernel's hash")
            }
            (_, ENOTSUPP) => Some("programs of type SK_REUSEPORT steer TCP and UDP over IP"),
            (_, libc::ENOMEM) => Some("raise net.core.optmem_max: the program is charged to it"),
            (_, libc::EPERM) => Some("the socket's filter is locked (SO_LOCK_FILTER)"),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case::one_each(2, &[4, 2], None)]
    #[case::some_have_two(2, &[0, 2, 4, 6], None)]
    #[case::one_has_none(3, &[0, 1], Some("2 for 3 members"))]
    #[case::none(1, &[], Some("0 for 1 members"))]
    #[case::twice(2, &[1, 3, 1], Some("cpus = 1: it is in the list twice"))]
    #[case::as_many_as_there_is_room_for(2, &up_to(2046), None)]
    #[case::more_than_there_is_room_for(2, &up_to(2047), Some("2046"))]
    fn a_list_of_cpus_is_checked(
        #[case] members: u32,
        #[case] cpus: &[u32],
        #[case] refused: Option<&str>,
    ) {
        let result = Steering::Cpus(cpus).check(NonZeroU32::new(members).unwrap());
        match (result, refused) {
            (Ok(()), None) => {}
            (Err(error), Some(text)) => assert!(error.to_string().contains(text), "{error}"),
            (result, _) => panic!("{result:?}"),
        }
    }

    fn up_to(count: u32) -> Vec<u32> {
        (0..count).collect()
    }
}
