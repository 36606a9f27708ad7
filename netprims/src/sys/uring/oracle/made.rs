use std::fmt;
use std::time::Duration;

use super::PATIENCE;
use crate::ring::{Ring, RingBuilder, SqPoll};
use crate::sys::uring::Kernel;

/// How the ring is made: how the kernel gets its requests, and how they name their sockets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Made {
    Usual,
    /// A thread of the kernel's takes the queue, whenever it likes.
    WithThread,
    /// The sockets are in a table of registered files.
    WithFiles,
}

impl Made {
    pub(super) const ALL: [Self; 3] = [Self::Usual, Self::WithThread, Self::WithFiles];

    pub(super) fn builder(self) -> RingBuilder {
        let builder = Ring::builder();
        match self {
            Self::Usual => builder,
            // So short that it sleeps in some cells and looks in others.
            Self::WithThread => builder.sqpoll(SqPoll {
                idle: Duration::from_millis(1),
                cpu: None,
            }),
            Self::WithFiles => builder.registered_files(4),
        }
    }
}

/// Has the kernel take all requests, and reads nothing that it says of them.
pub(super) fn hand_over(ring: &mut Ring) {
    ring.engine().enter(None).unwrap();
    let kernel = ring.engine().kernel_mut();
    kernel.hand_over(PATIENCE).unwrap();
    assert_eq!(kernel.queued(), 0, "the thread takes nothing");
}

impl fmt::Display for Made {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Usual => "A ring as it comes",
            Self::WithThread => "With a thread for the queue",
            Self::WithFiles => "With registered files",
        })
    }
}
