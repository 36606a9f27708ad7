use crate::sys::usage::Usage;

/// What became of all bytes a ring, or one socket of it, was given to send, over the sends whose buffers were released.
///
/// The four add up to the lengths of those buffers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Totals {
    /// Sends whose buffers were released.
    pub sends: u64,
    /// Bytes of sends of which the device read everything from the buffers.
    pub zero_copied: u64,
    /// Bytes of sends of which the kernel copied all or a part, plain sends included. The kernel tells it per send.
    pub copied: u64,
    /// Bytes that were not sent: those of failed sends, and what short sends left over.
    pub not_sent: u64,
    /// Bytes of which the kernel does not tell (Linux 6.0).
    pub unknown: u64,
}

impl Totals {
    /// Counts what others have counted.
    pub(super) fn add_all(&mut self, others: &Self) {
        self.sends += others.sends;
        self.zero_copied += others.zero_copied;
        self.copied += others.copied;
        self.not_sent += others.not_sent;
        self.unknown += others.unknown;
    }

    /// Counts one released send: `bytes` of `len` were taken.
    #[inline]
    pub(super) fn add(&mut self, len: u32, bytes: u32, usage: Usage) {
        self.sends += 1;
        let taken = u64::from(bytes);
        match usage {
            Usage::ZeroCopied => self.zero_copied += taken,
            Usage::Copied => self.copied += taken,
            Usage::NotSent => self.not_sent += taken,
            Usage::Unknown => self.unknown += taken,
        }
        self.not_sent += u64::from(len.saturating_sub(bytes));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case::whole(10, 10, Usage::ZeroCopied, (10, 0, 0, 0))]
    #[case::short(10, 4, Usage::Copied, (0, 4, 6, 0))]
    #[case::failed(10, 0, Usage::NotSent, (0, 0, 10, 0))]
    #[case::untold(10, 10, Usage::Unknown, (0, 0, 0, 10))]
    fn every_byte_is_counted_once(
        #[case] len: u32,
        #[case] bytes: u32,
        #[case] usage: Usage,
        #[case] want: (u64, u64, u64, u64),
    ) {
        let mut totals = Totals::default();
        totals.add(len, bytes, usage);
        let Totals {
            sends,
            zero_copied,
            copied,
            not_sent,
            unknown,
        } = totals;
        assert_eq!((zero_copied, copied, not_sent, unknown), want);
        assert_eq!(sends, 1);
    }
}
