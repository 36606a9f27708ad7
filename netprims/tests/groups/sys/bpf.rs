//! Programs loaded into the kernel by bpf(2).

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

/// `struct bpf_insn` of `include/uapi/linux/bpf.h`.
#[repr(C)]
#[derive(Clone, Copy)]
struct Instruction {
    code: u8,
    /// Destination in the lower half, source in the upper.
    registers: u8,
    offset: i16,
    immediate: i32,
}

/// The part of `union bpf_attr` that `BPF_PROG_LOAD` is told.
#[repr(C)]
struct Load {
    kind: u32,
    count: u32,
    instructions: u64,
    license: u64,
    log_level: u32,
    log_size: u32,
    log: u64,
}

/// The part of `union bpf_attr` that `BPF_MAP_CREATE` is told.
#[repr(C)]
struct Create {
    kind: u32,
    key_size: u32,
    value_size: u32,
    entries: u32,
    flags: u32,
}

/// The part of `union bpf_attr` that `BPF_MAP_UPDATE_ELEM` is told.
#[repr(C)]
struct Update {
    map: u32,
    padding: u32,
    key: u64,
    value: u64,
    flags: u64,
}

const BPF_MAP_CREATE: libc::c_int = 0;
const BPF_MAP_UPDATE_ELEM: libc::c_int = 2;
const BPF_PROG_LOAD: libc::c_int = 5;
const BPF_PROG_TYPE_SOCKET_FILTER: u32 = 1;
const BPF_PROG_TYPE_SK_REUSEPORT: u32 = 21;
const BPF_MAP_TYPE_REUSEPORT_SOCKARRAY: u32 = 20;
const BPF_FUNC_SK_SELECT_REUSEPORT: i32 = 82;
const LICENSE: &std::ffi::CStr = c"Dual MIT/GPL";

/// A socket filter that always names one place.
pub(crate) fn always(place: i32) -> io::Result<OwnedFd> {
    let program = [set(0, place), EXIT];
    load(BPF_PROG_TYPE_SOCKET_FILTER, &program)
}

/// A steering program that selects the socket at index 0 of a map of sockets.
pub(crate) fn select_from(map: BorrowedFd<'_>) -> io::Result<OwnedFd> {
    const LOAD_MAP: u8 = 0x18;
    const STORE_WORD: u8 = 0x62;
    const MOVE: u8 = 0xbf;
    const ADD: u8 = 0x07;
    const CALL: u8 = 0x85;
    const PSEUDO_MAP_FD: u8 = 1;
    let program = [
        // The key, 0, on the stack.
        step(STORE_WORD, 10, 0, -4, 0),
        // r1 is the context already.
        step(LOAD_MAP, 2, PSEUDO_MAP_FD, 0, map.as_raw_fd()),
        step(0, 0, 0, 0, 0),
        step(MOVE, 3, 10, 0, 0),
        step(ADD, 3, 0, 0, -4),
        set(4, 0),
        step(CALL, 0, 0, 0, BPF_FUNC_SK_SELECT_REUSEPORT),
        // SK_PASS: if nothing was selected, by the hash.
        set(0, 1),
        EXIT,
    ];
    load(BPF_PROG_TYPE_SK_REUSEPORT, &program)
}

/// A map of one socket, empty.
pub(crate) fn map_of_one() -> io::Result<OwnedFd> {
    let create = Create {
        kind: BPF_MAP_TYPE_REUSEPORT_SOCKARRAY,
        key_size: 4,
        value_size: 8,
        entries: 1,
        flags: 0,
    };
    // SAFETY: BPF_MAP_CREATE reads as many bytes as the last argument says, all of a live local, and numbers only.
    let fd = unsafe {
        libc::syscall(
            libc::SYS_bpf,
            BPF_MAP_CREATE,
            &raw const create,
            size_of_val(&create),
        )
    };
    owned(fd)
}

/// Puts a member of a group into the map.
pub(crate) fn put(map: BorrowedFd<'_>, member: BorrowedFd<'_>) -> io::Result<()> {
    let number = |fd: BorrowedFd<'_>| u32::try_from(fd.as_raw_fd()).map_err(io::Error::other);
    let key = 0_u32;
    let value = u64::from(number(member)?);
    let update = Update {
        map: number(map)?,
        padding: 0,
        key: address(&raw const key),
        value: address(&raw const value),
        flags: 0,
    };
    // SAFETY: BPF_MAP_UPDATE_ELEM reads as many bytes as the last argument says, all of a live local; four at `key` and
    // eight at `value`, the sizes `map_of_one` gave the map and those of these live locals.
    let result = unsafe {
        libc::syscall(
            libc::SYS_bpf,
            BPF_MAP_UPDATE_ELEM,
            &raw const update,
            size_of_val(&update),
        )
    };
    if result == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

/// A program of type `SK_REUSEPORT` that says `SK_DROP`.
pub(crate) fn drop_all() -> io::Result<OwnedFd> {
    load(BPF_PROG_TYPE_SK_REUSEPORT, &[set(0, 0), EXIT])
}

/// Locks the filter of a socket, for good.
pub(crate) fn lock_filter(socket: BorrowedFd<'_>) -> io::Result<()> {
    let on: libc::c_int = 1;
    // SAFETY: the kernel reads an int, a live local.
    let result = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_LOCK_FILTER,
            (&raw const on).cast(),
            4,
        )
    };
    if result == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

const EXIT: Instruction = step(0x95, 0, 0, 0, 0);

/// A constant into a register.
const fn set(register: u8, value: i32) -> Instruction {
    step(0xb7, register, 0, 0, value)
}

const fn step(code: u8, to: u8, from: u8, offset: i16, immediate: i32) -> Instruction {
    Instruction {
        code,
        registers: from << 4 | to,
        offset,
        immediate,
    }
}

fn load(kind: u32, program: &[Instruction]) -> io::Result<OwnedFd> {
    let load = Load {
        kind,
        count: u32::try_from(program.len()).map_err(io::Error::other)?,
        instructions: address(program.as_ptr()),
        license: address(LICENSE.as_ptr()),
        log_level: 0,
        log_size: 0,
        log: 0,
    };
    // SAFETY: BPF_PROG_LOAD reads as many bytes as the last argument says, all of a live local; from it `count`
    // instructions, borrowed for the call, and a license, a string that ends in NUL. It writes no log at level 0.
    let fd = unsafe {
        libc::syscall(
            libc::SYS_bpf,
            BPF_PROG_LOAD,
            &raw const load,
            size_of_val(&load),
        )
    };
    owned(fd)
}

fn address<T>(of: *const T) -> u64 {
    of.expose_provenance() as u64
}

fn owned(fd: libc::c_long) -> io::Result<OwnedFd> {
    let fd = i32::try_from(fd).map_err(io::Error::other)?;
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: bpf(2) has just opened it, close-on-exec, and nobody else knows it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}
