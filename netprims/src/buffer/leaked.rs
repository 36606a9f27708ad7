use crate::sys::memory;

/// Bytes of pools that this process will never unmap, because the kernel did not give a buffer back in time: a ring or a
/// [`ZeroCopySender`](crate::zerocopy::ZeroCopySender) was dropped with sends outstanding, and the slots could not have
/// fresh pages.
pub fn leaked_bytes() -> u64 {
    memory::leaked_bytes()
}
