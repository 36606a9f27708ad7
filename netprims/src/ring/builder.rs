use std::io;
use std::time::Duration;

use super::core::Core;
use super::{Refusal, Ring};
use crate::sys::uring::{Engine, LONGEST_DRAIN, Live, QueueThread};
use crate::{Error, Result};

/// Builds a [`Ring`] on the thread that will use it.
#[derive(Clone, Copy, Debug)]
pub struct RingBuilder {
    in_flight: u32,
    drain_limit: Duration,
    sqpoll: Option<SqPoll>,
    busy_poll: Option<BusyPoll>,
    registered_files: u32,
    zero_copy_receive: bool,
}

/// A thread of the kernel's that takes a ring's requests, so that queueing them needs no system call while it is awake.
///
/// It uses a CPU for as long as it finds work, and this much longer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[doc(alias = "IORING_SETUP_SQPOLL")]
pub struct SqPoll {
    /// How long it looks for requests before it sleeps; the next poll of the ring wakes it. In whole milliseconds, at least
    /// one.
    pub idle: Duration,
    /// The CPU it stays on, if any.
    pub cpu: Option<u32>,
}

/// Busy polling: a wait of the ring looks at the network devices of its sockets instead of sleeping until they interrupt. A
/// poll that does not wait ([`Wait::No`](super::Wait::No)) does not look: who spins with those has no use for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[doc(alias = "NAPI")]
pub struct BusyPoll {
    /// How long a wait looks before it sleeps. In whole microseconds, rounded up; more than zero.
    pub time: Duration,
    /// Keep the device from interrupting as long as it is looked at often enough; see
    /// [`Tuning::prefer_busy_poll`](crate::tuning::Tuning::prefer_busy_poll).
    pub prefer: bool,
}

/// Two completions each, and the kernel's completion queue has at most 65 536 entries.
pub(super) const MOST_IN_FLIGHT: u32 = 32_768;

impl RingBuilder {
    /// 256 requests in flight, half a second to drain, and nothing of what follows.
    pub const fn new() -> Self {
        Self {
            in_flight: 256,
            drain_limit: Duration::from_millis(500),
            sqpoll: None,
            busy_poll: None,
            registered_files: 0,
            zero_copy_receive: false,
        }
    }

    /// How many requests may be in flight, until their last event: a send from [`Ring::send`] to
    /// [`Released`](super::Event::Released), and each buffer of a message; a receive or an accept for as long as it goes on;
    /// connects, shutdowns and timeouts. Default: 256; 1 to 32 768. Each costs about 400 bytes, most of it the kernel's.
    pub const fn in_flight(mut self, requests: u32) -> Self {
        self.in_flight = requests;
        self
    }

    /// How long dropping the ring may wait for sends in flight. Default: half a second; at most an hour, and a longer time
    /// counts as that.
    ///
    /// The ring cancels what it can; what TCP has taken is not free until the peer has acknowledged it. Buffers that are
    /// not back in time are never reused and never unmapped; [`leaked_bytes`](super::leaked_bytes) counts them. A thread of
    /// the kernel's ([`sqpoll`](RingBuilder::sqpoll)) gets a tenth of a second to take the queue, though the limit be
    /// shorter; sockets that may be named in what it leaves stay open
    /// ([`leaked_descriptors`](super::leaked_descriptors)).
    pub const fn drain_limit(mut self, limit: Duration) -> Self {
        self.drain_limit = if limit.as_secs() < LONGEST_DRAIN.as_secs() {
            limit
        } else {
            LONGEST_DRAIN
        };
        self
    }

    /// Has a thread of the kernel's take the requests. Default: none. It needs no privilege.
    ///
    /// Completions are prepared by that thread, never deferred to the ring's
    /// ([`Capabilities::deferred_work`](super::Capabilities::deferred_work)). [`Ring::remove`] waits until the thread has
    /// taken the queue, and fails with `EBUSY` if that takes it more than a second.
    #[doc(alias = "IORING_SETUP_SQPOLL")]
    pub const fn sqpoll(mut self, thread: SqPoll) -> Self {
        self.sqpoll = Some(thread);
        self
    }

    /// Busy-polls the network devices of the ring's sockets in its waits. Default: not. Linux 6.9; building the ring fails
    /// where the kernel cannot. It needs no privilege, and has no effect where a socket's device has no NAPI, such as
    /// loopback.
    #[doc(alias = "IORING_REGISTER_NAPI")]
    pub const fn busy_poll(mut self, busy_poll: BusyPoll) -> Self {
        self.busy_poll = Some(busy_poll);
        self
    }

    /// Makes a table of so many registered files: sockets get a place in it while there is room, which saves each of their
    /// requests the look-up of a descriptor; those beyond it work as without. Default: 0. At most `RLIMIT_NOFILE`, and
    /// 1 048 576.
    ///
    /// Before Linux 6.13 a socket that was in the table and is [removed](Ring::remove) stays open in the kernel, after its
    /// descriptor is closed too, until all requests have ended that the ring had in flight on *any* registered socket.
    #[doc(alias = "IORING_REGISTER_FILES2")]
    pub const fn registered_files(mut self, files: u32) -> Self {
        self.registered_files = files;
        self
    }

    /// Gives the ring completions with room for zero-copy receive, twice as long as others, and at least 4096 of them.
    /// Default: no. Without, a pool that asks for it gets the next rung
    /// ([`NoZeroCopyRx::NotBuiltFor`](super::NoZeroCopyRx::NotBuiltFor)).
    #[doc(alias = "IORING_SETUP_CQE32")]
    pub const fn zero_copy_receive(mut self, wanted: bool) -> Self {
        self.zero_copy_receive = wanted;
        self
    }

    /// Makes the ring.
    ///
    /// # Errors
    ///
    /// - [`Error::InvalidValue`]: more sends in flight than the kernel has room for, or none; busy polling for no time.
    /// - [`Error::RingRefused`]: io_uring is not to be had, and why.
    /// - [`Error::System`]: what else was asked for is not to be had: `EINVAL` for a thread on a CPU that is not there or
    ///   not online, and for busy polling on a kernel without it; `EMFILE` for more registered files than the process may
    ///   open; `ENOMEM` for its tables.
    ///
    /// Source: io_uring_setup(2), io_uring_register(2).
    #[doc(alias = "io_uring_setup")]
    pub fn build(&self) -> Result<Ring> {
        if self.in_flight == 0 || self.in_flight > MOST_IN_FLIGHT {
            return Err(Error::InvalidValue {
                option: "in_flight",
                value: self.in_flight.to_string(),
                reason: "it must be from 1 to 32768",
            });
        }
        if self.busy_poll.is_some_and(|looks| looks.time.is_zero()) {
            return Err(Error::InvalidValue {
                option: "busy_poll",
                value: "0".to_owned(),
                reason: "a wait that looks for no time does not busy-poll; leave it out",
            });
        }
        let mut kernel = self.kernel()?;
        if let Some(BusyPoll { time, prefer }) = self.busy_poll {
            kernel.busy_poll(micros(time), prefer).map_err(|error| {
                let advice = "it takes Linux 6.9 with CONFIG_NET_RX_BUSY_POLL";
                Error::advised("io_uring_register", "NAPI busy polling", error, advice)
            })?;
        }
        let mut engine = Engine::new(kernel, self.in_flight, self.drain_limit);
        if engine.is_short_of_memory() {
            let error = io::Error::from_raw_os_error(libc::ENOMEM);
            let object = format!("a table for {} requests", self.in_flight);
            let advice = "memory is short: raise the limit of the process or its control group, or ask for fewer in_flight";
            return Err(Error::advised("mmap", object, error, advice));
        }
        if self.registered_files > 0 {
            let files = self.registered_files;
            engine.register_files(files).map_err(|error| {
                let object = format!("a table of {files} files");
                let advice = "on EMFILE raise RLIMIT_NOFILE, or register fewer";
                Error::advised("io_uring_register", object, error, advice)
            })?;
        }
        Ok(Ring::new(Core::new(engine)))
    }

    fn kernel(&self) -> Result<Live> {
        let thread = self
            .sqpoll
            .map(|SqPoll { idle, cpu }| QueueThread { idle, cpu });
        let make = if self.zero_copy_receive {
            Live::wide
        } else {
            Live::new
        };
        let refused = match make(self.in_flight, thread) {
            Ok(kernel) => return Ok(kernel),
            Err(refused) => refused,
        };
        // Without the thread it would do: then it is not io_uring that is refused.
        if thread.is_some() && Live::new(self.in_flight, None).is_ok() {
            let advice = "the CPU must be online, and RLIMIT_NPROC allow a thread";
            let object = "a thread for the queue (SQPOLL)";
            return Err(Error::advised(
                refused.operation,
                object,
                refused.error,
                advice,
            ));
        }
        let operation = refused.operation;
        let refusal = Refusal::of(refused);
        Err(Error::RingRefused { operation, refusal })
    }
}

/// A time in microseconds, rounded up.
fn micros(time: Duration) -> u32 {
    u32::try_from(time.as_nanos().div_ceil(1000)).unwrap_or(u32::MAX)
}

impl Default for RingBuilder {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case(Duration::from_nanos(1), 1)]
    #[case(Duration::from_micros(1), 1)]
    #[case(Duration::from_nanos(1001), 2)]
    #[case(Duration::MAX, u32::MAX)]
    fn a_time_to_look_is_never_cut_to_less(#[case] time: Duration, #[case] want: u32) {
        assert_eq!(micros(time), want);
    }
}
