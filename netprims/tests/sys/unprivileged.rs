//! A thread without privilege.

use std::io;

/// Makes the calling thread, and only it, that of nobody: where it was root's, its capabilities are gone with that. In a
/// user namespace that has no nobody they are given up by themselves.
pub(crate) fn become_nobody() -> io::Result<()> {
    const NOBODY: libc::uid_t = 65_534;
    // The C library's function would change every thread of the process.
    // SAFETY: setresuid takes numbers only.
    let result = unsafe { libc::syscall(libc::SYS_setresuid, NOBODY, NOBODY, NOBODY) };
    if result == 0 {
        return Ok(());
    }
    match io::Error::last_os_error() {
        error if error.raw_os_error() == Some(libc::EINVAL) => drop_capabilities(),
        error => Err(error),
    }
}

fn drop_capabilities() -> io::Result<()> {
    /// `_LINUX_CAPABILITY_VERSION_3`, of the calling thread.
    const HEADER: [u32; 2] = [0x2008_0522, 0];
    /// Effective, permitted and inheritable, for the lower and the upper half.
    const NONE: [u32; 6] = [0; 6];
    let mut header = HEADER;
    // SAFETY: the kernel reads eight bytes from the first argument, and may write to the first four, and reads 24 from the
    // second, during the call; `header` is a live local and `NONE` a constant of those sizes.
    let result = unsafe { libc::syscall(libc::SYS_capset, header.as_mut_ptr(), NONE.as_ptr()) };
    if result == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}
