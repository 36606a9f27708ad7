use std::io;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

/// Runs `work` on a thread of its own and waits for it at most `limit`. `None`: it is still at it.
///
/// For calls that nothing can interrupt. The thread is then left behind and ends when the kernel
/// lets it; the process cannot end before.
pub(crate) fn within<T: Send + 'static>(
    limit: Duration,
    work: impl FnOnce() -> T + Send + 'static,
) -> io::Result<Option<T>> {
    let (sender, receiver) = mpsc::sync_channel(1);
    thread::Builder::new()
        .name("netprims-sriov".into())
        .spawn(move || {
            // Nobody may be waiting any more, and then nobody wants it.
            let _ = sender.send(work());
        })?;
    match receiver.recv_timeout(limit) {
        Ok(result) => Ok(Some(result)),
        Err(RecvTimeoutError::Timeout) => Ok(None),
        Err(RecvTimeoutError::Disconnected) => Err(io::Error::other("the helper thread panicked")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn returns_what_is_done_in_time() {
        let result = within(Duration::from_secs(10), || 42).unwrap();
        assert_eq!(result, Some(42));
    }

    #[test]
    fn gives_up_on_what_is_not() {
        let (release, held) = mpsc::channel::<()>();
        let result = within(Duration::from_millis(20), move || held.recv()).unwrap();
        assert!(result.is_none());
        drop(release);
    }
}
