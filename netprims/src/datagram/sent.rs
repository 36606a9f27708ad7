/// How far a list of messages has gone.
///
/// Messages go in order: the first [`messages`](Self::messages) went whole, of the next one
/// [`part`](Self::part) bytes, and of the rest nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[must_use = "not all may have gone"]
pub struct Sent {
    pub(super) messages: usize,
    pub(super) part: usize,
    pub(super) datagrams: usize,
    pub(super) bytes: usize,
    pub(super) calls: usize,
    pub(super) blocked: bool,
    pub(super) interrupted: bool,
}

impl Sent {
    /// How many messages went whole: the index of the first that did not.
    pub fn messages(&self) -> usize {
        self.messages
    }

    /// How many bytes of the next message went, in whole datagrams. Only a message with a segment size goes in parts.
    pub fn part(&self) -> usize {
        self.part
    }

    /// How many datagrams went. A message without a segment size counts as one, whatever the socket's own
    /// [`udp_segment`](crate::tuning::Tuning::udp_segment) makes of it.
    pub fn datagrams(&self) -> usize {
        self.datagrams
    }

    /// How many bytes went, without headers.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// How many calls of `sendmmsg` sent something.
    pub fn calls(&self) -> usize {
        self.calls
    }

    /// Whether it ended because the socket's buffer is full: it is non-blocking, or has waited as long as
    /// `SO_SNDTIMEO` says, or stopped waiting behind the first message of a call. Why, the kernel does not tell then: it
    /// may have been a signal.
    pub fn is_blocked(&self) -> bool {
        self.blocked
    }

    /// Whether it ended because a signal interrupted the wait for room in the socket's buffer (`EINTR`).
    #[doc(alias = "EINTR")]
    pub fn is_interrupted(&self) -> bool {
        self.interrupted
    }

    /// To go on behind the next message, without what is left of it.
    pub fn without_the_next(mut self) -> Self {
        self.messages += 1;
        self.part = 0;
        self
    }

    /// Counts a piece that went.
    pub(super) fn count(&mut self, datagrams: usize, bytes: usize, last: bool) {
        self.datagrams += datagrams;
        self.bytes += bytes;
        if last {
            self.messages += 1;
            self.part = 0;
        } else {
            self.part += bytes;
        }
    }
}
