//! io_uring where this process may use it. Where it may not, epoll does the work, and the program says so and why.

use netprims::Error;
use netprims::ring::{Refusal, Ring, RingBuilder};

/// The ring. `None` where io_uring is refused, by a seccomp filter as containers have it, by `kernel.io_uring_disabled`,
/// by a kernel that is too old: then there is epoll. Either way the program's user is told.
///
/// # Errors
///
/// What going another way would only hide: a limit that is to be raised, and numbers no ring can have.
pub(crate) fn ring_or_epoll(builder: &RingBuilder) -> netprims::Result<Option<Ring>> {
    match builder.build() {
        Ok(ring) => {
            println!("path: io_uring");
            Ok(Some(ring))
        }
        Err(error) if is_refused(&error) => {
            println!("path: epoll, since io_uring is refused: {error}");
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

fn is_refused(error: &Error) -> bool {
    match error {
        Error::RingRefused { refusal, .. } => !matches!(refusal, Refusal::Limit { .. }),
        _ => false,
    }
}
