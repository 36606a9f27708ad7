use std::time::Duration;

use super::core::Core;
use super::{Refusal, Ring};
use crate::sys::uring::{Engine, LONGEST_DRAIN, Live};
use crate::{Error, Result};

/// Builds a [`Ring`] on the thread that will use it.
#[derive(Clone, Copy, Debug)]
pub struct RingBuilder {
    in_flight: u32,
    drain_limit: Duration,
}

/// Two completions each, and the kernel's completion queue has at most 65 536 entries.
const MOST_IN_FLIGHT: u32 = 32_768;

impl RingBuilder {
    /// 256 sends in flight, half a second to drain.
    pub const fn new() -> Self {
        Self {
            in_flight: 256,
            drain_limit: Duration::from_millis(500),
        }
    }

    /// How many sends may be in flight, from [`Ring::send`] to [`Released`](super::Event::Released). Default: 256;
    /// 1 to 32 768. Each costs about 300 bytes, most of it the kernel's.
    pub const fn in_flight(mut self, sends: u32) -> Self {
        self.in_flight = sends;
        self
    }

    /// How long dropping the ring may wait for sends in flight. Default: half a second; at most an hour, and a longer time
    /// counts as that.
    ///
    /// The ring cancels what it can; what TCP has taken is not free until the peer has acknowledged it. Buffers that are
    /// not back in time are never reused and never unmapped; [`leaked_bytes`](super::leaked_bytes) counts them.
    pub const fn drain_limit(mut self, limit: Duration) -> Self {
        self.drain_limit = if limit.as_secs() < LONGEST_DRAIN.as_secs() {
            limit
        } else {
            LONGEST_DRAIN
        };
        self
    }

    /// Makes the ring.
    ///
    /// # Errors
    ///
    /// - [`Error::InvalidValue`]: more sends in flight than the kernel has room for, or none.
    /// - [`Error::RingRefused`]: io_uring is not to be had, and why.
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
        let kernel = Live::new(self.in_flight).map_err(|refused| {
            let operation = refused.operation;
            let refusal = Refusal::of(refused);
            Error::RingRefused { operation, refusal }
        })?;
        let capabilities = kernel.setup().into();
        let engine = Engine::new(kernel, self.in_flight, self.drain_limit);
        Ok(Ring::new(Core::new(engine), capabilities))
    }
}

impl Default for RingBuilder {
    fn default() -> Self {
        Self::new()
    }
}
