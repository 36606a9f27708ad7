//! Which socket of a `SO_REUSEPORT` group gets a packet.
//!
//! nix has the option for classic programs too, but takes the raw pointer in it from a safe caller.

use std::io;
use std::num::NonZeroU32;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};

use socket2::SockRef;

use super::sockopt::{ATTACH_REUSEPORT_PROGRAM, DETACH_REUSEPORT_PROGRAM};

/// A classic BPF program, as `include/uapi/linux/filter.h` has it. Its result is the place of a socket in the group.
type Program = [libc::sock_filter; 3];

/// Has the kernel give each packet to the socket whose place is the CPU that handles it, modulo `members`.
pub(crate) fn steer_by_cpu(socket: &impl AsFd, members: NonZeroU32) -> io::Result<()> {
    attach(socket, by_cpu(members))
}

/// As `steer_by_cpu`, with a loaded eBPF program in place of the CPU.
pub(crate) fn steer_by_program(socket: &impl AsFd, program: BorrowedFd<'_>) -> io::Result<()> {
    let number = program.as_raw_fd().to_ne_bytes();
    ATTACH_REUSEPORT_PROGRAM.set(&SockRef::from(socket), number)
}

/// Takes the program away, if there is one (Linux 5.3).
pub(crate) fn steer_by_hash(socket: &impl AsFd) -> io::Result<()> {
    match DETACH_REUSEPORT_PROGRAM.set_number(&SockRef::from(socket), 0) {
        Err(error) if error.raw_os_error() == Some(libc::ENOENT) => Ok(()),
        result => result,
    }
}

const fn by_cpu(members: NonZeroU32) -> Program {
    /// `BPF_LD | BPF_W | BPF_ABS` from `SKF_AD_OFF + SKF_AD_CPU`, -4096 + 36: the number of the CPU.
    const LOAD: u16 = 0x20;
    const CPU: u32 = 0xffff_f024;
    /// `BPF_ALU | BPF_MOD | BPF_K`.
    const MODULO: u16 = 0x94;
    /// `BPF_RET | BPF_A`.
    const RETURN: u16 = 0x16;
    [
        step(LOAD, CPU),
        step(MODULO, members.get()),
        step(RETURN, 0),
    ]
}

const fn step(code: u16, k: u32) -> libc::sock_filter {
    libc::sock_filter {
        code,
        jt: 0,
        jf: 0,
        k,
    }
}

fn attach(socket: &impl AsFd, mut program: Program) -> io::Result<()> {
    let filter = libc::sock_fprog {
        len: u16::try_from(program.len()).map_err(|_| io::ErrorKind::InvalidInput)?,
        filter: program.as_mut_ptr(),
    };
    let len = libc::socklen_t::try_from(size_of_val(&filter))
        .map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))?;
    // SAFETY: the kernel reads `len` bytes from the fourth argument: `filter`, a live local of exactly that size and of
    // the type this option takes; and from it `filter.len` instructions: `program`, a live local of exactly as many. It
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
    use rstest::rstest;

    /// What the kernel does with the program's three instructions on a CPU.
    fn place(program: Program, cpu: u32) -> u32 {
        let mut a = 0;
        for step in program {
            a = match (step.code, step.k) {
                (0x20, 0xffff_f024) => cpu,
                (0x94, k) => a % k,
                (0x16, _) => return a,
                other => panic!("{other:?}"),
            };
        }
        panic!("no return")
    }

    #[rstest]
    #[case::one(1, &[0, 0, 0, 0])]
    #[case::fewer_than_cpus(3, &[0, 1, 2, 0])]
    #[case::as_many_as_cpus(4, &[0, 1, 2, 3])]
    #[case::more_than_cpus(9, &[0, 1, 2, 3])]
    fn every_cpu_has_a_place_in_the_group(#[case] members: u32, #[case] places: &[u32]) {
        let program = by_cpu(NonZeroU32::new(members).unwrap());
        let found: Vec<_> = (0..4).map(|cpu| place(program, cpu)).collect();
        assert_eq!(found, places);
    }

    #[test]
    fn a_socket_that_shares_no_address_has_no_group() {
        let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        let two = NonZeroU32::new(2).unwrap();
        let error = steer_by_cpu(&socket, two).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::EINVAL));
        let error = steer_by_program(&socket, socket.as_fd()).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::EINVAL));
    }
}
