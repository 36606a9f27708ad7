//! What the messages hold.

use anyhow::{Result, bail, ensure};

/// Checks what arrives.
///
/// With a client of this program, message `n` is a pattern that depends on `n` in every byte; the
/// server checks it and sends it back, and the client checks it again. `ibv_rc_pingpong -c` as the
/// client always sends the same: zeros at the start of each page, 0x7b elsewhere. As the server it
/// wants to find, in the end, those zeros: so the last message of the pattern has them, too.
pub(crate) struct Check {
    size: usize,
    iters: u32,
    /// Whose messages these are; known after the first one.
    source: Option<Source>,
    expected: Vec<u8>,
    /// How many messages were right, and how many bytes.
    pub(crate) messages: u64,
    pub(crate) bytes: u64,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Source {
    Pattern,
    RdmaCore,
}

/// What rdma-core's programs fill their buffers with.
const RDMA_CORE_FILL: u8 = 0x7b;
/// The page size that `ibv_rc_pingpong` sees; where pages are larger it marks only some of these.
const PAGE: usize = 4096;

impl Check {
    /// Of `iters` messages each way of `size` bytes each, as the client or the server sees them.
    pub(crate) fn new(size: u32, iters: u32, client: bool) -> Self {
        // A client has sent the pattern, and gets it back from either kind of server.
        let source = client.then_some(Source::Pattern);
        let size = usize::try_from(size).unwrap_or(usize::MAX);
        let expected = vec![0; size];
        Check {
            size,
            iters,
            source,
            expected,
            messages: 0,
            bytes: 0,
        }
    }

    /// Writes message `n`.
    pub(crate) fn fill(&self, n: u32, message: &mut [u8]) {
        for (word, bytes) in (0u64..).zip(message.chunks_mut(8)) {
            // Every bit of the word number and of `n` reaches every byte.
            let mixed = (word ^ (u64::from(n) << 32)).wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            let mixed = mixed ^ (mixed >> 31);
            for (byte, new) in bytes.iter_mut().zip(mixed.to_le_bytes()) {
                *byte = new;
            }
        }
        if n + 1 == self.iters {
            message.iter_mut().step_by(PAGE).for_each(|byte| *byte = 0);
        } else if let Some(first) = message.first_mut() {
            // Never what rdma-core sends.
            *first |= 1;
        }
    }

    /// Checks message `n`.
    pub(crate) fn received(&mut self, n: u32, message: &[u8]) -> Result<()> {
        ensure!(
            message.len() == self.size,
            "message {n} has {} bytes instead of {}; do both sides use the same -s?",
            message.len(),
            self.size
        );
        let mut expected = std::mem::take(&mut self.expected);
        if self.source != Some(Source::RdmaCore) {
            self.fill(n, &mut expected);
            if message == expected {
                self.source = Some(Source::Pattern);
            }
        }
        if self.source != Some(Source::Pattern) {
            expected.fill(RDMA_CORE_FILL);
            expected.iter_mut().step_by(PAGE).for_each(|byte| *byte = 0);
            self.source = Some(Source::RdmaCore);
        }
        if let Some(at) = (0..message.len()).find(|&at| message[at] != expected[at]) {
            let hint = if self.source == Some(Source::RdmaCore) && n == 0 {
                "; did the client get -c, too?"
            } else {
                ""
            };
            bail!(
                "message {n} is wrong at byte {at} of {}: 0x{:02x} instead of 0x{:02x}{hint}",
                message.len(),
                message[at],
                expected[at]
            );
        }
        self.expected = expected;
        self.messages += 1;
        self.bytes += u64::try_from(message.len()).unwrap_or(u64::MAX);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_server_tells_the_pattern_from_the_filling_of_rdma_core() {
        for size in [1, 5000] {
            let mut check = Check::new(size, 3, false);
            let client = Check::new(size, 3, true);
            let mut message = vec![0; usize::try_from(size).unwrap()];
            for n in 0..3 {
                client.fill(n, &mut message);
                check.received(n, &message).unwrap();
            }
            assert!(check.source == Some(Source::Pattern));
            assert_eq!(
                message[0], 0,
                "what ibv_rc_pingpong -c looks for in the end"
            );

            let mut check = Check::new(size, 3, false);
            message.fill(RDMA_CORE_FILL);
            message.iter_mut().step_by(PAGE).for_each(|byte| *byte = 0);
            for n in 0..3 {
                check.received(n, &message).unwrap();
            }
            assert!(check.source == Some(Source::RdmaCore));
        }
    }

    #[test]
    fn one_wrong_byte_or_an_old_message_is_noticed() {
        let client = Check::new(4096, 9, true);
        for wrong in [0, 1, 4095] {
            let mut check = Check::new(4096, 9, false);
            let mut message = vec![0; 4096];
            client.fill(0, &mut message);
            check.received(0, &message).unwrap();
            assert!(check.received(1, &message).is_err(), "message 0 again");
            let mut check = Check::new(4096, 9, false);
            message[wrong] ^= 0x10;
            assert!(check.received(0, &message).is_err(), "byte {wrong}");
        }
        let mut check = Check::new(4096, 9, false);
        assert!(
            check.received(0, &[RDMA_CORE_FILL; 4096]).is_err(),
            "ibv_rc_pingpong without -c"
        );
        assert!(check.received(0, &[]).is_err(), "a message of another size");
    }
}
