use crate::sys::usage::Usage;

/// When a send that may be either is zero-copy, learned per socket from what the kernel reports.
///
/// A send of [`min_len`](AutoPolicy::min_len) bytes or more is zero-copy until
/// [`give_up_after`](AutoPolicy::give_up_after) of them in a row were copied all the same. From then on the socket's sends
/// are plain, but for one that tries again: the first after [`retry_after`](AutoPolicy::retry_after) sends, each further
/// one after twice as many as the one before, up to 1024 times as many. One that was not copied ends it: sends are zero-copy
/// again, and the count starts anew.
///
/// # What it costs where everything is copied
///
/// Of N sends that are long enough, on a socket that has at most F in flight at a time, at most
/// `give_up_after` - 1 + F are zero-copy before the first result can tell, and then one try each after 64, 128, 256 …
/// 65 536, 65 536 … plain sends: with the defaults F + 18, and one more every 65 536 sends. Where nothing is copied, every
/// send that is long enough is zero-copy.
///
/// What was in flight when the socket went over to plain sends, or came back from them, counts for nothing unless it was
/// zero-copied. Nor do sends that failed. Where the kernel does not tell ([`Usage::Unknown`](crate::ring::Usage::Unknown), Linux 6.0) a
/// send counts as copied: what may cost more and cannot be seen to pay is not done.
///
/// ```
/// use netprims::ring::AutoPolicy;
///
/// const BULK: AutoPolicy = AutoPolicy::new().min_len(32 * 1024).give_up_after(16);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(default, deny_unknown_fields))]
pub struct AutoPolicy {
    min_len: u32,
    give_up_after: u32,
    retry_after: u32,
}

/// How much longer than the first back-off the longest is.
const LONGEST: u32 = 1024;

impl AutoPolicy {
    /// The defaults.
    pub const fn new() -> Self {
        Self {
            min_len: 16 * 1024,
            give_up_after: 8,
            retry_after: 64,
        }
    }

    /// How many bytes a send has at least for zero-copy to be tried. Default: 16 384; below some eight thousand a copy is
    /// cheaper than a notification even where the device takes the pages.
    pub const fn min_len(mut self, bytes: u32) -> Self {
        self.min_len = bytes;
        self
    }

    /// Whether a send of so many bytes is plain, whatever became of others.
    #[inline]
    pub(super) fn is_plain(&self, len: u32) -> bool {
        len < self.min_len
    }

    /// After how many zero-copy sends in a row that were copied the socket goes over to plain sends. Default: 8. With 0 it
    /// never does.
    ///
    /// A path that takes zero-copy may copy some sends all the same: TCP over virtio-net was seen to copy every third. Eight
    /// in a row are then one case in some thousands, and few enough that a connection of a megabyte gains from giving up.
    pub const fn give_up_after(mut self, sends: u32) -> Self {
        self.give_up_after = sends;
        self
    }

    /// How many plain sends come before zero-copy is tried again for the first time. Default: 64, so that the longest back-off
    /// is 65 536. 0 counts as 1.
    pub const fn retry_after(mut self, sends: u32) -> Self {
        self.retry_after = sends;
        self
    }
}

impl Default for AutoPolicy {
    fn default() -> Self {
        Self::new()
    }
}

/// What one socket has learned.
///
/// It needs no policy to take a result in: the policy of the next send says what the results mean.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Auto {
    /// Zero-copy sends of this round that were copied since the last that was not.
    copied: u32,
    /// How long the back-off is; 0 while sends are zero-copy.
    back_off: u32,
    /// Plain sends before the next try.
    wait: u32,
    round: Round,
}

/// Between two changes of mind. What was sent before a change does not count after it. Used again after 256.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Round(u8);

impl Auto {
    /// Whether a send of so many bytes, which is certain to be queued, is zero-copy: the round it belongs to, to be told
    /// with its result.
    pub(crate) fn choose(&mut self, len: u32, policy: &AutoPolicy) -> Option<Round> {
        if policy.is_plain(len) {
            return None;
        }
        if self.back_off == 0 {
            if policy.give_up_after == 0 || self.copied < policy.give_up_after {
                return Some(self.round);
            }
            self.change_mind();
            self.back_off = policy.retry_after.max(1);
            self.wait = self.back_off;
        }
        if self.wait > 0 {
            self.wait -= 1;
            return None;
        }
        let longest = policy.retry_after.max(1).saturating_mul(LONGEST);
        self.back_off = self.back_off.saturating_mul(2).min(longest);
        self.wait = self.back_off;
        Some(self.round)
    }

    /// Takes in what became of a zero-copy send.
    pub(crate) fn told(&mut self, round: Round, usage: Usage) {
        match usage {
            Usage::ZeroCopied if self.back_off > 0 => {
                self.change_mind();
                self.back_off = 0;
            }
            Usage::ZeroCopied => self.copied = 0,
            Usage::Copied | Usage::Unknown if round == self.round => {
                self.copied = self.copied.saturating_add(1);
            }
            Usage::Copied | Usage::Unknown | Usage::NotSent => {}
        }
    }

    /// How many sends are plain before zero-copy is tried again; `None` while it is not given up.
    pub(crate) fn plain_for(&self) -> Option<u32> {
        (self.back_off > 0).then_some(self.wait)
    }

    fn change_mind(&mut self) {
        self.round = Round(self.round.0.wrapping_add(1));
        self.copied = 0;
    }
}

#[cfg(test)]
mod tests;
