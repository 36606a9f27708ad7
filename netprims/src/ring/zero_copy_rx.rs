/// Where zero-copy receive takes its bytes from.
///
/// It needs Linux 6.15, CAP_NET_ADMIN in the first user namespace, and a ring that was built for it
/// ([`RingBuilder::zero_copy_receive`](super::RingBuilder::zero_copy_receive)). What refuses it is told by
/// [`NoZeroCopyRx`](super::NoZeroCopyRx).
///
/// The kernel has no call that takes a registration back: the memory stays pinned, which counts against `RLIMIT_MEMLOCK`
/// for a process without CAP_IPC_LOCK, and a device's queue stays taken, until the ring is dropped.
///
/// Source: `Documentation/networking/iou-zcrx.rst`, `io_register_zcrx` in `io_uring/zcrx.c`.
#[doc(alias = "zcrx")]
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum ZeroCopyRx {
    /// A receive queue of a network device, which puts the bytes straight into the pool's memory. Connections must be
    /// steered to the queue, and the device set up for it; [`readiness`](super::readiness) looks whether it is. What comes
    /// in elsewhere is copied by the kernel.
    ///
    /// Tested against a kernel of the tests' making; **not run on hardware**.
    Device {
        /// The interface's name, in the network namespace of the ring's thread.
        interface: String,
        /// The queue's number, from 0.
        queue: u32,
    },
    /// No device: the kernel copies all bytes into the pool's memory (`ZCRX_REG_NODEV`; Linux 7.2 has it, 6.18 does
    /// not). It is the same in everything else, and serves to try a program out; it is not faster than
    /// [`Multishot`](super::Rung::Multishot).
    NoDevice,
}

impl ZeroCopyRx {
    /// A receive queue of a network device.
    pub fn device(interface: impl Into<String>, queue: u32) -> Self {
        let interface = interface.into();
        Self::Device { interface, queue }
    }
}
