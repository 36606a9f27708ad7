use crate::Error;
use crate::sys::uring::Refused;

/// What would help when a pool was refused, if that is known.
pub(super) fn advice(refused: &Refused) -> Option<&'static str> {
    match (refused.operation, refused.error.raw_os_error()) {
        ("mmap", Some(libc::ENOMEM)) => Some(
            "memory or address space is short: take a smaller pool, raise RLIMIT_AS (ulimit -v), or the sysctl \
             vm.max_map_count",
        ),
        ("mmap", Some(libc::EAGAIN)) => Some(
            "the process locks all its memory (mlockall): raise RLIMIT_MEMLOCK (ulimit -l), or grant CAP_IPC_LOCK",
        ),
        (_, Some(libc::ENOMEM)) => Some(
            "its user has as much memory locked as may be: raise RLIMIT_MEMLOCK (ulimit -l, LimitMEMLOCK= of a service), \
             grant CAP_IPC_LOCK, or take a smaller pool",
        ),
        _ => None,
    }
}

/// The error for a pool that was refused.
pub(super) fn refused(object: String, refused: Refused) -> Error {
    Error::System {
        operation: refused.operation,
        object,
        advice: advice(&refused),
        error: refused.error,
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case::no_address_space("mmap", libc::ENOMEM, Some("RLIMIT_AS"))]
    #[case::all_is_locked("mmap", libc::EAGAIN, Some("mlockall"))]
    #[case::too_much_is_locked("io_uring_register", libc::ENOMEM, Some("RLIMIT_MEMLOCK"))]
    #[case::not_for_a_child("io_uring_register", libc::EBADF, None)]
    fn a_refused_pool_says_which_limit_and_whose(
        #[case] operation: &'static str,
        #[case] errno: i32,
        #[case] limit: Option<&str>,
    ) {
        let error = io::Error::from_raw_os_error(errno);
        let error = refused("a pool".to_owned(), Refused { operation, error });
        let text = error.to_string();
        assert!(text.starts_with(&format!("{operation} a pool: ")), "{text}");
        assert!(limit.is_none_or(|limit| text.contains(limit)), "{text}");
        let Error::System { advice, .. } = error else {
            panic!("{text}");
        };
        assert_eq!(advice.is_some(), limit.is_some());
    }
}
