//! What the messages hold.

use anyhow::{Result, bail, ensure};

use crate::plan::{Kind, Plan, Role};

/// Checks what arrives.
///
/// With a client of this library, message `n` is a pattern that depends on `n` in every byte; the
/// server checks it and sends it back, and the client checks it again. rdma-core's programs with `-c`
/// as the client always send the same: zeros at the start of each page, and one other byte. As the
/// server they want to find, in the end, those zeros: so the last message of the pattern has them, too.
///
/// `ibv_srq_pingpong` receives from all its connections into one buffer, and sends from it. So all
/// messages are alike there.
#[derive(Debug)]
pub(crate) struct Check {
    size: usize,
    iters: u32,
    are_alike: bool,
    /// What rdma-core's program fills its buffer with.
    fill: u8,
    /// Whose messages these are; known after the first one.
    source: Option<Source>,
    expected: Vec<u8>,
    pub(crate) checked: Checked,
}

/// What was found to be right.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Checked {
    /// How many messages.
    pub messages: u64,
    /// How many bytes, which is all of them.
    pub bytes: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Source {
    Pattern,
    RdmaCore,
}

/// The page size that rdma-core's programs see; where pages are larger they mark only some of these.
const PAGE: usize = 4096;

/// Fills a buffer that is about to be posted, so that a receive that writes nothing is noticed.
pub(crate) fn spoil(buf: &mut [u8]) {
    buf.fill(0xd5);
}

impl Check {
    /// Of the messages of a plan, as the server sees them.
    pub(crate) fn new(plan: &Plan) -> Self {
        let size = usize::try_from(plan.size).unwrap_or(usize::MAX);
        Check {
            size,
            iters: plan.iters,
            are_alike: plan.kind == Kind::Srq,
            fill: match plan.kind {
                Kind::Rc | Kind::Uc | Kind::Ud => 0x7b,
                Kind::Srq => 0,
            },
            source: None,
            expected: vec![0; size],
            checked: Checked::default(),
        }
    }

    /// A client has sent the pattern, and gets it back from either kind of server.
    pub(crate) fn plays(&mut self, role: Role) {
        self.source = (role == Role::Client).then_some(Source::Pattern);
    }

    /// Writes message `n`.
    pub(crate) fn fill(&self, n: u32, message: &mut [u8]) {
        let n = if self.are_alike { self.iters - 1 } else { n };
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
            expected.fill(self.fill);
            expected.iter_mut().step_by(PAGE).for_each(|byte| *byte = 0);
            self.source = Some(Source::RdmaCore);
        }
        if message != expected {
            let mut pairs = message.iter().zip(&expected);
            let at = pairs.position(|(is, wanted)| is != wanted).unwrap_or(0);
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
        self.checked.messages += 1;
        self.checked.bytes += u64::try_from(message.len()).unwrap_or(u64::MAX);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    fn check(kind: Kind, role: Role, size: u32, iters: u32) -> Check {
        let mut check = Check::new(&Plan {
            size,
            iters,
            ..Plan::new(kind)
        });
        check.plays(role);
        check
    }

    #[rstest]
    fn the_server_tells_the_pattern_from_the_filling_of_rdma_core(
        #[values((Kind::Rc, 0x7b), (Kind::Ud, 0x7b), (Kind::Srq, 0))] (kind, fill): (Kind, u8),
        #[values(2, 5000)] size: u32,
    ) {
        let mut server = check(kind, Role::Server, size, 3);
        let client = check(kind, Role::Client, size, 3);
        let mut message = vec![0; usize::try_from(size).unwrap()];
        for n in 0..3 {
            client.fill(n, &mut message);
            server.received(n, &message).unwrap();
        }
        assert_eq!(server.source, Some(Source::Pattern));
        assert_eq!(server.checked.bytes, 3 * u64::from(size));
        assert_eq!(
            message[0], 0,
            "what rdma-core's programs look for in the end"
        );

        let mut server = check(kind, Role::Server, size, 3);
        message.fill(fill);
        message.iter_mut().step_by(PAGE).for_each(|byte| *byte = 0);
        for n in 0..3 {
            server.received(n, &message).unwrap();
        }
        assert_eq!(server.source, Some(Source::RdmaCore));
    }

    #[test]
    fn one_wrong_byte_or_an_old_message_is_noticed() {
        let client = check(Kind::Rc, Role::Client, 4096, 9);
        let mut message = vec![0; 4096];
        for wrong in [0, 1, 4095] {
            let mut server = check(Kind::Rc, Role::Server, 4096, 9);
            client.fill(0, &mut message);
            server.received(0, &message).unwrap();
            assert!(server.received(1, &message).is_err(), "message 0 again");
            let mut server = check(Kind::Rc, Role::Server, 4096, 9);
            message[wrong] ^= 0x10;
            assert!(server.received(0, &message).is_err(), "byte {wrong}");
        }
        let mut server = check(Kind::Uc, Role::Server, 4096, 9);
        assert!(
            server.received(0, &[0x7b; 4096]).is_err(),
            "a C client without -c"
        );
        assert!(
            server.received(0, &[]).is_err(),
            "a message of another size"
        );
    }

    #[rstest]
    fn a_buffer_into_which_nothing_was_received_is_noticed(
        #[values(Kind::Rc, Kind::Srq)] kind: Kind,
        #[values(Role::Server, Role::Client)] role: Role,
    ) {
        let mut buf = [0; 100];
        spoil(&mut buf);
        assert!(check(kind, role, 100, 2).received(0, &buf).is_err());
    }
}
