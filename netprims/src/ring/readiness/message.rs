//! Netlink messages as bytes. Pure.
//!
//! Source: netlink(7), `include/uapi/linux/netlink.h`, `include/uapi/linux/genetlink.h`.

/// The length of a message's header.
const HEADER: usize = 16;
/// The length of what generic netlink puts behind it.
const GENERIC: usize = 4;
/// `NLM_F_REQUEST`.
const REQUEST: u16 = 1;
/// `NLMSG_ERROR`.
const ERROR: u16 = 2;
/// `NLA_F_NESTED`.
const NESTED: u16 = 1 << 15;
/// The bits of an attribute's type that are no flags.
const TYPE: u16 = (1 << 14) - 1;

/// A request to a generic netlink family.
#[derive(Clone, Debug)]
pub(super) struct Request {
    bytes: Vec<u8>,
}

impl Request {
    pub(super) fn new(family: u16, command: u8, sequence: u32) -> Self {
        let mut bytes = vec![0; 4];
        bytes.extend(family.to_ne_bytes());
        bytes.extend(REQUEST.to_ne_bytes());
        bytes.extend(sequence.to_ne_bytes());
        // The port of the sender, which the kernel fills in.
        bytes.extend([0; 4]);
        let version = 1;
        bytes.extend([command, version, 0, 0]);
        Self { bytes }
    }

    pub(super) fn attribute(mut self, kind: u16, value: &[u8]) -> Self {
        push(&mut self.bytes, kind, value);
        self
    }

    /// An attribute with one attribute in it.
    pub(super) fn nested(self, kind: u16, inner: u16, value: &[u8]) -> Self {
        let mut bytes = Vec::new();
        push(&mut bytes, inner, value);
        self.attribute(kind | NESTED, &bytes)
    }

    pub(super) fn into_bytes(mut self) -> Vec<u8> {
        let len = u32::try_from(self.bytes.len()).unwrap_or(u32::MAX);
        if let Some(place) = self.bytes.first_chunk_mut() {
            *place = len.to_ne_bytes();
        }
        self.bytes
    }
}

fn push(bytes: &mut Vec<u8>, kind: u16, value: &[u8]) {
    let len = u16::try_from(4 + value.len()).unwrap_or(u16::MAX);
    bytes.extend(len.to_ne_bytes());
    bytes.extend(kind.to_ne_bytes());
    bytes.extend(value);
    bytes.resize(bytes.len().next_multiple_of(4), 0);
}

/// What came back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Reply<'b> {
    /// The attributes of the answer.
    Answer(Attributes<'b>),
    /// The kernel's errno.
    Refused(i32),
}

impl<'b> Reply<'b> {
    /// The answer to the request with this number; `None` if it is not in these bytes, or not whole.
    pub(super) fn read(mut bytes: &'b [u8], sequence: u32) -> Option<Self> {
        loop {
            let len = usize::try_from(word(bytes, 0)?).ok()?;
            let message = bytes.get(..len).filter(|message| message.len() >= HEADER)?;
            if word(message, 8) == Some(sequence) {
                return Self::of(half(message, 4)?, message.get(HEADER..)?);
            }
            bytes = bytes.get(len.next_multiple_of(4)..)?;
        }
    }

    fn of(kind: u16, payload: &'b [u8]) -> Option<Self> {
        if kind == ERROR {
            let errno = payload.first_chunk().copied().map(i32::from_ne_bytes)?;
            return Some(Self::Refused(errno.saturating_neg()));
        }
        let rest = payload.get(GENERIC..)?;
        Some(Self::Answer(Attributes { rest }))
    }
}

/// Attributes one after the other. Those after a broken one are not believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Attributes<'b> {
    rest: &'b [u8],
}

impl<'b> Attributes<'b> {
    /// The value of the first attribute of a kind.
    pub(super) fn find(mut self, kind: u16) -> Option<&'b [u8]> {
        self.by_ref()
            .find_map(|(found, value)| (found == kind).then_some(value))
    }

    pub(super) fn byte(self, kind: u16) -> Option<u8> {
        self.find(kind)?.first().copied()
    }

    pub(super) fn half(self, kind: u16) -> Option<u16> {
        half(self.find(kind)?, 0)
    }

    pub(super) fn word(self, kind: u16) -> Option<u32> {
        word(self.find(kind)?, 0)
    }

    /// An array of numbers.
    pub(super) fn words(self, kind: u16) -> Option<Vec<u32>> {
        let words = self.find(kind)?.chunks_exact(4);
        Some(words.filter_map(|bytes| word(bytes, 0)).collect())
    }
}

impl<'b> Iterator for Attributes<'b> {
    type Item = (u16, &'b [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let len = usize::from(half(self.rest, 0)?);
        let kind = half(self.rest, 2)? & TYPE;
        let value = self.rest.get(4..len)?;
        self.rest = self.rest.get(len.next_multiple_of(4)..).unwrap_or_default();
        Some((kind, value))
    }
}

fn half(bytes: &[u8], at: usize) -> Option<u16> {
    bytes
        .get(at..)?
        .first_chunk()
        .copied()
        .map(u16::from_ne_bytes)
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    bytes
        .get(at..)?
        .first_chunk()
        .copied()
        .map(u32::from_ne_bytes)
}

#[cfg(all(test, target_endian = "little"))]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_request_is_what_the_kernel_expects() {
        let bytes = Request::new(0x1234, 15, 7)
            .nested(1, 2, b"lo\0")
            .into_bytes();
        let want = [
            &[32, 0, 0, 0, 0x34, 0x12, 1, 0, 7, 0, 0, 0, 0, 0, 0, 0][..],
            &[15, 1, 0, 0],
            &[12, 0, 1, 0x80, 7, 0, 2, 0, b'l', b'o', 0, 0],
        ];
        assert_eq!(bytes, want.concat());
    }

    #[test]
    fn the_answer_is_found_behind_those_to_others() {
        let other = [20, 0, 0, 0, 9, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 2, 1, 0, 0];
        let mine = [
            36, 0, 0, 0, 9, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 2, 1, 0, 0, 5, 0, 11, 0, 2, 0, 0, 0,
            8, 0, 17, 0, 64, 0, 0, 0,
        ];
        let bytes = [&other[..], &mine].concat();
        let Some(Reply::Answer(attributes)) = Reply::read(&bytes, 2) else {
            panic!("it is there")
        };
        assert_eq!(attributes.byte(11), Some(2));
        assert_eq!((attributes.word(17), attributes.word(5)), (Some(64), None));
        assert_eq!(Reply::read(&bytes, 3), None);
    }

    #[test]
    fn a_refusal_is_an_errno() {
        let bytes = [
            36, 0, 0, 0, 2, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0xa1, 0xff, 0xff, 0xff, 16, 0, 0, 0,
            0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
        ];
        assert_eq!(
            Reply::read(&bytes, 2),
            Some(Reply::Refused(libc::EOPNOTSUPP))
        );
    }

    proptest! {
        #[test]
        fn no_bytes_are_too_strange(bytes: Vec<u8>, kind: u16, sequence in 0_u32..3) {
            if let Some(Reply::Answer(attributes)) = Reply::read(&bytes, sequence) {
                prop_assert!(attributes.count() <= bytes.len());
                prop_assert!(attributes.words(kind).is_none_or(|words| words.len() * 4 <= bytes.len()));
            }
        }

        /// What is cut off anywhere gives nothing or the attributes before the cut.
        #[test]
        fn a_cut_message_gives_what_is_whole(values in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..9), 0..6), cut: prop::sample::Index) {
            let mut request = Request::new(20, 1, 5);
            for (kind, value) in (1..).zip(&values) {
                request = request.attribute(kind, value);
            }
            let whole = request.into_bytes();
            let Some(Reply::Answer(attributes)) = Reply::read(&whole, 5) else { panic!("whole") };
            let read: Vec<_> = attributes.map(|(_, value)| value.to_vec()).collect();
            prop_assert_eq!(&read, &values);
            let cut = cut.index(whole.len());
            prop_assert_eq!(Reply::read(&whole[..cut], 5), None);
            let at = (HEADER + GENERIC).min(cut);
            let parts = Attributes { rest: &whole[at..cut] };
            prop_assert!(parts.zip(&values).all(|((_, part), value)| part == value));
        }
    }
}
