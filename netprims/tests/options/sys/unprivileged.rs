//! A thread without privilege.

use std::io;

/// Makes the calling thread, and only it, that of nobody. Where it was root's, its capabilities are gone with that.
pub(crate) fn become_nobody() -> io::Result<()> {
    const NOBODY: libc::uid_t = 65_534;
    // The C library's function would change every thread of the process.
    // SAFETY: setresuid takes numbers only.
    let result = unsafe { libc::syscall(libc::SYS_setresuid, NOBODY, NOBODY, NOBODY) };
    if result == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}
