//! A seccomp filter as container runtimes install it.

use std::io;

const LOAD: u16 = 0x20;
const JUMP_IF_EQUAL: u16 = 0x15;
const RETURN: u16 = 0x06;
const ALLOW: u32 = 0x7fff_0000;
const ERRNO: u32 = 0x0005_0000;

/// Makes a system call answer `errno` for the calling thread, for good.
#[allow(dead_code, reason = "not every test file that shares this asks for it")]
pub(crate) fn refuse(call: libc::c_long, errno: u16) -> io::Result<()> {
    let number = u32::try_from(call).map_err(io::Error::other)?;
    install(&mut [
        step(LOAD, 0, 0, 0),
        step(JUMP_IF_EQUAL, 0, 1, number),
        step(RETURN, 0, 0, ERRNO | u32::from(errno)),
        step(RETURN, 0, 0, ALLOW),
    ])
}

/// Makes setsockopt and getsockopt answer `errno` for one option, for the calling thread, for good.
#[allow(dead_code, reason = "not every test file that shares this asks for it")]
pub(crate) fn refuse_option(level: i32, option: i32, errno: u16) -> io::Result<()> {
    /// The second and third argument in `struct seccomp_data`, their lower halves.
    const LEVEL: u32 = if cfg!(target_endian = "big") { 28 } else { 24 };
    const OPTION: u32 = LEVEL + 8;
    let number = |number: libc::c_long| u32::try_from(number).map_err(io::Error::other);
    install(&mut [
        step(LOAD, 0, 0, 0),
        step(JUMP_IF_EQUAL, 1, 0, number(libc::SYS_setsockopt)?),
        step(JUMP_IF_EQUAL, 0, 5, number(libc::SYS_getsockopt)?),
        step(LOAD, 0, 0, LEVEL),
        step(JUMP_IF_EQUAL, 0, 3, unsigned(level)),
        step(LOAD, 0, 0, OPTION),
        step(JUMP_IF_EQUAL, 0, 1, unsigned(option)),
        step(RETURN, 0, 0, ERRNO | u32::from(errno)),
        step(RETURN, 0, 0, ALLOW),
    ])
}

/// Makes socket(2) answer `errno` for one address family, for the calling thread, for good.
#[allow(dead_code, reason = "not every test file that shares this asks for it")]
pub(crate) fn refuse_family(family: i32, errno: u16) -> io::Result<()> {
    /// The first argument in `struct seccomp_data`, its lower half.
    const FAMILY: u32 = if cfg!(target_endian = "big") { 20 } else { 16 };
    let call = u32::try_from(libc::SYS_socket).map_err(io::Error::other)?;
    install(&mut [
        step(LOAD, 0, 0, 0),
        step(JUMP_IF_EQUAL, 0, 3, call),
        step(LOAD, 0, 0, FAMILY),
        step(JUMP_IF_EQUAL, 0, 1, unsigned(family)),
        step(RETURN, 0, 0, ERRNO | u32::from(errno)),
        step(RETURN, 0, 0, ALLOW),
    ])
}

fn unsigned(number: i32) -> u32 {
    u32::from_ne_bytes(number.to_ne_bytes())
}

fn step(code: u16, jt: u8, jf: u8, k: u32) -> libc::sock_filter {
    libc::sock_filter { code, jt, jf, k }
}

fn install(filter: &mut [libc::sock_filter]) -> io::Result<()> {
    let program = libc::sock_fprog {
        len: u16::try_from(filter.len()).map_err(io::Error::other)?,
        filter: filter.as_mut_ptr(),
    };
    // SAFETY: PR_SET_NO_NEW_PRIVS takes numbers only.
    let result = unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) };
    if result != 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the kernel reads `program`, a live local, and the `len` instructions it points to during the call: they are
    // those of `filter`, which is borrowed until it returns.
    let result = unsafe {
        libc::prctl(
            libc::PR_SET_SECCOMP,
            libc::SECCOMP_MODE_FILTER,
            &raw const program,
        )
    };
    if result != 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(())
    }
}
