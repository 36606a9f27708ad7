//! Where something is missing.

use std::fmt;

/// What is missing for something that not every device has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Lacking {
    /// The device, or its driver in the kernel, does not have it.
    Device,
    /// The device has it, and its provider in libibverbs does not know it: a newer rdma-core may.
    Library,
    /// The device, its driver in the kernel, or its provider in libibverbs; it does not say which.
    Somewhere,
    /// The driver has it, and it does not work.
    Faulty,
    /// Queue pairs of another type have it.
    QpType,
}

impl fmt::Display for Lacking {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Lacking::Device => "neither the device nor its driver in the kernel has it",
            Lacking::Library => {
                "the device has it, and its provider in libibverbs does not know it; a newer \
                 rdma-core may"
            }
            Lacking::Somewhere => {
                "the device, its driver in the kernel, or its provider in libibverbs does not have it"
            }
            Lacking::Faulty => "its driver has it, and moves other bytes by it than it should",
            Lacking::QpType => "only reliable-connected queue pairs have it",
        })
    }
}
