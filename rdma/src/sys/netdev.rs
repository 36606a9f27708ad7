//! Names of network devices.

use std::ffi::{CStr, c_char};

/// The name behind an interface index in this thread's network namespace, if there is one.
pub(crate) fn netdev_name(index: u32) -> Option<String> {
    let mut name: [c_char; libc::IF_NAMESIZE] = [0; libc::IF_NAMESIZE];
    // SAFETY: the buffer holds the IF_NAMESIZE bytes that the function may write.
    let found = unsafe { libc::if_indextoname(index, name.as_mut_ptr()) };
    if found.is_null() {
        return None;
    }
    // SAFETY: on success the function wrote a string that ends with NUL inside the buffer.
    let text = unsafe { CStr::from_ptr(name.as_ptr()) };
    Some(text.to_string_lossy().into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn index_one_is_the_loopback_and_zero_is_nothing() {
        assert_eq!(netdev_name(1).as_deref(), Some("lo"));
        assert_eq!(netdev_name(0), None);
    }
}
