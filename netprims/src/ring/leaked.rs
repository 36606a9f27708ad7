use crate::sys::uring::leaked_descriptors;

/// Descriptors of sockets that this process will never close: a ring with a thread of the kernel's
/// ([`sqpoll`](super::RingBuilder::sqpoll)) was dropped, and the thread did not take in time what was queued. It may do so
/// later if a forked child has the ring, too, and would then find another file under the number of one that was closed.
pub fn leaked_descriptors() -> u64 {
    leaked_descriptors::leaked_descriptors()
}
