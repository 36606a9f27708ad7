use std::io;

use super::release;
use crate::sys::uring::{QueueRefused, QueueSource};

/// Why zero-copy receive is not to be had.
///
/// The text says what would help.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum NoZeroCopyRx {
    /// The ring was not built for it.
    #[error(
        "the ring has no room for it in its completions: build it with zero_copy_receive(true)"
    )]
    NotBuiltFor,
    /// The ring does not defer work to its thread.
    #[error(
        "the ring does not defer its work: build it without a thread for the queue (sqpoll), on Linux 6.15 or newer"
    )]
    NotDeferred,
    /// The kernel does not know it.
    #[error("the kernel is too old: zero-copy receive needs Linux 6.15")]
    KernelWithout,
    /// The kernel has none without a device.
    #[error(
        "the kernel has no zero-copy receive without a device (EINVAL): Linux 7.2 has it; name a device's queue, or boot a \
         newer kernel"
    )]
    KernelWithoutNoDevice,
    /// The kernel was built without it (`CONFIG_IO_URING_ZCRX`).
    #[error("the kernel was built without it (EOPNOTSUPP): CONFIG_IO_URING_ZCRX is off")]
    NotBuiltIn,
    /// The process may not.
    #[error("not permitted (EPERM): grant CAP_NET_ADMIN in the first user namespace")]
    NotPermitted,
    /// There is no such interface in the network namespace.
    #[error("no such network interface (ENODEV): see ip link, in the ring's network namespace")]
    NoDevice,
    /// The interface has no such receive queue.
    #[error(
        "no such receive queue (ERANGE): they count from 0; ethtool -l INTERFACE shows how many there are, and \
         ethtool -L INTERFACE combined NUMBER makes more"
    )]
    NoQueue,
    /// The device or its driver cannot do it.
    #[error(
        "the device does not support it (EOPNOTSUPP): its driver must be one with queue management, as those of mlx5, bnxt, \
         gve and fbnic are"
    )]
    DeviceWithout,
    /// The device is not set up for it: headers are not split from data.
    #[error(
        "the device is not set up for it (EINVAL): ethtool -G INTERFACE tcp-data-split on hds-thresh 0; see Readiness::check"
    )]
    DeviceNotReady,
    /// Somebody else has the queue: another ring, AF_XDP, or an XDP program on the device.
    #[error(
        "the queue is taken (errno {errno}) by another ring or by XDP: choose another, or wait until the other ring is gone"
    )]
    Taken {
        /// `EEXIST` or `EBUSY`.
        errno: i32,
    },
    /// Memory is short, or the limit for locked memory.
    #[error(
        "not enough memory to pin (ENOMEM): raise RLIMIT_MEMLOCK, grant CAP_IPC_LOCK, or take a smaller pool"
    )]
    NoMemory,
    /// The device has no room for another queue of this kind (`ENOSPC`).
    #[error("no room for another queue (ENOSPC): drop a ring that has one")]
    NoSpace,
    /// Another errno, or an answer that cannot be.
    #[error("the kernel refused the registration: {}", io::Error::from_raw_os_error(*.errno))]
    Other {
        /// The kernel's errno; `EPROTO` for an answer that cannot be.
        errno: i32,
    },
}

impl NoZeroCopyRx {
    /// The kernel's errno, if it was asked.
    pub fn raw_os_error(&self) -> Option<i32> {
        match self {
            Self::NotBuiltFor | Self::NotDeferred | Self::KernelWithout => None,
            Self::KernelWithoutNoDevice | Self::DeviceNotReady => Some(libc::EINVAL),
            Self::NotBuiltIn | Self::DeviceWithout => Some(libc::EOPNOTSUPP),
            Self::NotPermitted => Some(libc::EPERM),
            Self::NoDevice => Some(libc::ENODEV),
            Self::NoQueue => Some(libc::ERANGE),
            Self::NoMemory => Some(libc::ENOMEM),
            Self::NoSpace => Some(libc::ENOSPC),
            Self::Taken { errno } | Self::Other { errno } => Some(*errno),
        }
    }
}

impl NoZeroCopyRx {
    /// What a refusal means on a kernel of this release.
    pub(super) fn of(refused: &QueueRefused, release: Option<&str>) -> Self {
        let errno = refused.error.raw_os_error().unwrap_or(libc::EIO);
        let is_known = release::knows_receive_queues(refused.support.queues, release);
        let has_device = refused.source != QueueSource::NoDevice;
        match (errno, has_device) {
            (libc::EPERM, _) => Self::NotPermitted,
            (libc::EINVAL, _) if is_known != Some(true) => Self::KernelWithout,
            (libc::EINVAL, true) => Self::DeviceNotReady,
            (libc::EINVAL, false) if !refused.support.no_device => Self::KernelWithoutNoDevice,
            (libc::EOPNOTSUPP, true) => Self::DeviceWithout,
            (libc::EOPNOTSUPP, false) => Self::NotBuiltIn,
            (libc::ENODEV, true) => Self::NoDevice,
            (libc::ERANGE, true) => Self::NoQueue,
            (libc::EEXIST | libc::EBUSY, _) => Self::Taken { errno },
            (libc::ENOMEM, _) => Self::NoMemory,
            (libc::ENOSPC, _) => Self::NoSpace,
            _ => Self::Other { errno },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::uring::QueueSupport;
    use rstest::rstest;

    const NO_DEVICE: QueueSource = QueueSource::NoDevice;
    const DEVICE: QueueSource = QueueSource::Device {
        interface: 2,
        queue: 1,
    };
    /// Linux 7.2.
    const ALL: QueueSupport = QueueSupport {
        queues: Some(true),
        no_device: true,
        flush: true,
        counters: true,
    };
    /// Linux 6.18.
    const NO_NODEV: QueueSupport = QueueSupport {
        no_device: false,
        flush: false,
        counters: false,
        ..ALL
    };
    /// One that cannot be asked.
    const SILENT: QueueSupport = QueueSupport {
        queues: None,
        ..NO_NODEV
    };

    #[rstest]
    #[case::no_privilege(libc::EPERM, NO_DEVICE, ALL, NoZeroCopyRx::NotPermitted)]
    #[case::no_nodev(libc::EINVAL, NO_DEVICE, NO_NODEV, NoZeroCopyRx::KernelWithoutNoDevice)]
    #[case::not_built_in(libc::EOPNOTSUPP, NO_DEVICE, ALL, NoZeroCopyRx::NotBuiltIn)]
    #[case::strange(libc::EINVAL, NO_DEVICE, ALL, NoZeroCopyRx::Other { errno: libc::EINVAL })]
    #[case::not_split(libc::EINVAL, DEVICE, NO_NODEV, NoZeroCopyRx::DeviceNotReady)]
    #[case::no_support(libc::EOPNOTSUPP, DEVICE, ALL, NoZeroCopyRx::DeviceWithout)]
    #[case::no_device(libc::ENODEV, DEVICE, ALL, NoZeroCopyRx::NoDevice)]
    #[case::no_queue(libc::ERANGE, DEVICE, ALL, NoZeroCopyRx::NoQueue)]
    #[case::another_ring(libc::EEXIST, DEVICE, ALL, NoZeroCopyRx::Taken { errno: libc::EEXIST })]
    #[case::xdp(libc::EBUSY, DEVICE, ALL, NoZeroCopyRx::Taken { errno: libc::EBUSY })]
    #[case::memory(libc::ENOMEM, NO_DEVICE, ALL, NoZeroCopyRx::NoMemory)]
    #[case::space(libc::ENOSPC, DEVICE, ALL, NoZeroCopyRx::NoSpace)]
    #[case::unknown(libc::EFAULT, DEVICE, ALL, NoZeroCopyRx::Other { errno: libc::EFAULT })]
    fn a_refusal_has_a_reason(
        #[case] errno: i32,
        #[case] source: QueueSource,
        #[case] support: QueueSupport,
        #[case] want: NoZeroCopyRx,
    ) {
        let refused = refusal(errno, source, support);
        let reason = NoZeroCopyRx::of(&refused, Some("7.2.12"));
        assert_eq!(reason, want);
        assert_eq!(reason.raw_os_error(), Some(errno));
    }

    #[rstest]
    #[case::it_says_so(Some(false), None)]
    #[case::by_its_release(None, Some("6.1.0-53-amd64"))]
    #[case::without_a_release(None, None)]
    fn a_kernel_that_does_not_know_queues_is_too_old(
        #[case] queues: Option<bool>,
        #[case] release: Option<&str>,
    ) {
        for source in [NO_DEVICE, DEVICE] {
            let support = QueueSupport { queues, ..SILENT };
            let refused = refusal(libc::EINVAL, source, support);
            let reason = NoZeroCopyRx::of(&refused, release);
            assert_eq!(reason, NoZeroCopyRx::KernelWithout);
        }
    }

    #[test]
    fn a_kernel_of_6_15_is_not_too_old_for_a_device() {
        let of = |source| NoZeroCopyRx::of(&refusal(libc::EINVAL, source, SILENT), Some("6.15.3"));
        assert_eq!(of(DEVICE), NoZeroCopyRx::DeviceNotReady);
        assert_eq!(of(NO_DEVICE), NoZeroCopyRx::KernelWithoutNoDevice);
    }

    #[test]
    fn the_text_says_what_would_help() {
        let text = |reason: NoZeroCopyRx| reason.to_string();
        assert!(text(NoZeroCopyRx::NotPermitted).contains("CAP_NET_ADMIN"));
        assert!(text(NoZeroCopyRx::NoMemory).contains("RLIMIT_MEMLOCK"));
        assert!(text(NoZeroCopyRx::DeviceNotReady).contains("tcp-data-split on"));
        assert!(text(NoZeroCopyRx::NotBuiltFor).contains("zero_copy_receive(true)"));
        assert!(text(NoZeroCopyRx::NoQueue).contains("ethtool -L INTERFACE combined"));
        let other = text(NoZeroCopyRx::Other {
            errno: libc::EPROTO,
        });
        assert!(other.ends_with("Protocol error (os error 71)"), "{other}");
    }

    fn refusal(errno: i32, source: QueueSource, support: QueueSupport) -> QueueRefused {
        QueueRefused {
            error: io::Error::from_raw_os_error(errno),
            source,
            support,
        }
    }
}
