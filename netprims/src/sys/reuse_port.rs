//! Which socket of a `SO_REUSEPORT` group gets a packet.
//!
//! nix has the option for classic programs too, but takes the raw pointer in it from a safe caller.

use std::io;
use std::num::NonZeroU32;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};

use libc::sock_filter as Step;
use socket2::SockRef;

use super::sockopt::{ATTACH_REUSEPORT_PROGRAM, DETACH_REUSEPORT_PROGRAM};

/// `BPF_LD | BPF_W | BPF_ABS` from `SKF_AD_OFF + SKF_AD_CPU`, -4096 + 36: the number of the CPU.
const LOAD: u16 = 0x20;
const CPU: u32 = 0xffff_f024;
/// `BPF_JMP | BPF_JEQ | BPF_K`.
const JUMP_IF_EQUAL: u16 = 0x15;
/// `BPF_ALU | BPF_MOD | BPF_K`.
const MODULO: u16 = 0x94;
/// `BPF_RET | BPF_A` and `BPF_RET | BPF_K`: the place of a socket in the group.
const RETURN: u16 = 0x16;
const RETURN_PLACE: u16 = 0x06;

/// The kernel's limit of a program (`BPF_MAXINSNS`).
const MOST_STEPS: usize = 4096;
/// A CPU takes two steps, what is not listed three.
pub(crate) const MOST_CPUS: usize = (MOST_STEPS - 3) / 2;

/// Has the kernel give each packet to the socket whose place is the CPU that handles it, modulo `members`.
pub(crate) fn steer_by_cpu(socket: &impl AsFd, members: NonZeroU32) -> io::Result<()> {
    steer_by_cpus(socket, &[], members)
}

/// As `steer_by_cpu`, except for the CPUs of a list, whose place is that in the list, modulo `members`.
pub(crate) fn steer_by_cpus(
    socket: &impl AsFd,
    cpus: &[u32],
    members: NonZeroU32,
) -> io::Result<()> {
    attach(socket, &mut by_cpus(cpus, members))
}

/// As `steer_by_cpu`, with a loaded eBPF program in place of the CPU.
pub(crate) fn steer_by_program(socket: &impl AsFd, program: BorrowedFd<'_>) -> io::Result<()> {
    let number = program.as_raw_fd().to_ne_bytes();
    ATTACH_REUSEPORT_PROGRAM.set(&SockRef::from(socket), number)
}

/// Has a program name a place that no group has, which leaves all to the hash.
pub(crate) fn steer_by_default(socket: &impl AsFd) -> io::Result<()> {
    attach(socket, &mut [step(RETURN_PLACE, u32::MAX)])
}

/// Takes the program away, if there is one. Before Linux 5.3 it cannot be, and is exchanged for one that leaves all to
/// the hash.
pub(crate) fn steer_by_hash(socket: &impl AsFd) -> io::Result<()> {
    let detached = DETACH_REUSEPORT_PROGRAM.set_number(&SockRef::from(socket), 0);
    match detached.as_ref().map_err(io::Error::raw_os_error) {
        // There is none, or such sockets, as Multipath TCP's, never have one.
        Err(Some(libc::ENOENT | libc::EOPNOTSUPP)) => Ok(()),
        Err(Some(libc::ENOPROTOOPT)) => steer_by_default(socket),
        _ => detached,
    }
}

fn by_cpus(cpus: &[u32], members: NonZeroU32) -> Vec<Step> {
    let mut program = vec![step(LOAD, CPU)];
    for (cpu, place) in cpus.iter().zip((0..members.get()).cycle()) {
        let compare = Step {
            jf: 1,
            ..step(JUMP_IF_EQUAL, *cpu)
        };
        program.extend([compare, step(RETURN_PLACE, place)]);
    }
    program.extend([step(MODULO, members.get()), step(RETURN, 0)]);
    program
}

const fn step(code: u16, k: u32) -> Step {
    Step {
        code,
        jt: 0,
        jf: 0,
        k,
    }
}

/// Attaches a classic BPF program, as `include/uapi/linux/filter.h` has it. The kernel refuses one that is not well formed.
fn attach(socket: &impl AsFd, program: &mut [Step]) -> io::Result<()> {
    let filter = libc::sock_fprog {
        len: u16::try_from(program.len()).map_err(|_| io::ErrorKind::InvalidInput)?,
        filter: program.as_mut_ptr(),
    };
    let len = libc::socklen_t::try_from(size_of_val(&filter))
        .map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))?;
    // SAFETY: the kernel reads `len` bytes from the fourth argument: `filter`, a live local of exactly that size and of
    // the type this option takes; and from it `filter.len` instructions: `program`, a live slice of exactly as many. It
    // keeps a copy of its own (`bpf_prog_create_from_user`) and writes to neither. The descriptor is open: `socket`
    // borrows its owner.
    let result = unsafe {
        libc::setsockopt(
            socket.as_fd().as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_ATTACH_REUSEPORT_CBPF,
            (&raw const filter).cast(),
            len,
        )
    };
    if result == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rstest::rstest;

    /// What the kernel does with a program on a CPU.
    fn place(program: &[Step], cpu: u32) -> u32 {
        let mut a = 0;
        let mut at = 0;
        loop {
            let step = program[at];
            at += 1;
            match (step.code, step.k) {
                (0x20, 0xffff_f024) => a = cpu,
                (0x15, k) => at += usize::from(if a == k { step.jt } else { step.jf }),
                (0x94, k) => a %= k,
                (0x16, _) => return a,
                (0x06, k) => return k,
                other => panic!("{other:?}"),
            }
        }
    }

    fn places(cpus: &[u32], members: u32) -> Vec<u32> {
        let program = by_cpus(cpus, NonZeroU32::new(members).unwrap());
        (0..8).map(|cpu| place(&program, cpu)).collect()
    }

    #[rstest]
    #[case::one(&[], 1, [0, 0, 0, 0, 0, 0, 0, 0])]
    #[case::fewer_than_cpus(&[], 3, [0, 1, 2, 0, 1, 2, 0, 1])]
    #[case::as_many_as_cpus(&[], 8, [0, 1, 2, 3, 4, 5, 6, 7])]
    #[case::more_than_cpus(&[], 9, [0, 1, 2, 3, 4, 5, 6, 7])]
    #[case::every_other(&[0, 2, 4, 6], 4, [0, 1, 1, 3, 2, 1, 3, 3])]
    #[case::every_other_has_a_member_of_two(&[0, 2, 4, 6], 2, [0, 1, 1, 1, 0, 1, 1, 1])]
    #[case::in_another_order(&[1, 0], 2, [1, 0, 0, 1, 0, 1, 0, 1])]
    fn every_cpu_has_a_place_in_the_group(
        #[case] cpus: &[u32],
        #[case] members: u32,
        #[case] want: [u32; 8],
    ) {
        assert_eq!(places(cpus, members), want);
    }

    proptest! {
        #[test]
        fn a_listed_cpu_has_the_place_it_has_in_the_list(
            cpus in proptest::collection::hash_set(0..4096_u32, 1..=100),
            members in 1..=100_u32,
            other in 0..8192_u32,
        ) {
            let listed = cpus.contains(&other);
            let cpus: Vec<_> = cpus.into_iter().collect();
            let program = by_cpus(&cpus, NonZeroU32::new(members).unwrap());
            for (index, cpu) in (0_u32..).zip(&cpus) {
                prop_assert_eq!(place(&program, *cpu), index % members);
            }
            prop_assert!(listed || place(&program, other) == other % members);
        }
    }

    #[test]
    fn the_kernel_takes_as_many_cpus_as_are_let_through_and_no_more() {
        let socket =
            socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::DGRAM, None).unwrap();
        socket.set_reuse_port(true).unwrap();
        let members = NonZeroU32::new(4).unwrap();
        let cpus: Vec<u32> = (0..).take(MOST_CPUS + 1).collect();
        // Its default is below what such a program takes before Linux 6.8, and above since.
        let room = std::fs::read_to_string("/proc/sys/net/core/optmem_max").unwrap();
        let has_room = room.trim().parse::<u32>().unwrap() >= 1 << 17;
        match steer_by_cpus(&socket, &cpus[1..], members) {
            Err(error) if !has_room => assert_eq!(error.raw_os_error(), Some(libc::ENOMEM)),
            result => result.unwrap(),
        }
        let error = steer_by_cpus(&socket, &cpus, members).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::EINVAL), "{error}");
    }

    #[test]
    fn a_socket_that_shares_no_address_has_no_group() {
        let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        let two = NonZeroU32::new(2).unwrap();
        let error = steer_by_cpu(&socket, two).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::EINVAL));
        let error = steer_by_program(&socket, socket.as_fd()).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::EINVAL));
        let error = steer_by_default(&socket).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::EINVAL));
    }
}
