//! Messages and attributes as bytes (`linux/netlink.h`).

/// Bytes that do not follow the format, and what is wrong with them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Malformed(pub(crate) &'static str);

pub(crate) const NLM_F_REQUEST: u16 = 0x1;
pub(crate) const NLM_F_ACK: u16 = 0x4;
pub(crate) const NLM_F_DUMP: u16 = 0x300;
pub(crate) const NLM_F_DUMP_INTR: u16 = 0x10;
/// In an acknowledgement: it carries the header of the request only.
pub(crate) const NLM_F_CAPPED: u16 = 0x100;
/// In an acknowledgement: attributes follow.
pub(crate) const NLM_F_ACK_TLVS: u16 = 0x200;

pub(crate) const NLMSG_NOOP: u16 = 1;
pub(crate) const NLMSG_ERROR: u16 = 2;
pub(crate) const NLMSG_DONE: u16 = 3;
pub(crate) const NLMSG_OVERRUN: u16 = 4;

pub(crate) const MESSAGE_HEADER: usize = 16;
pub(crate) const ATTRIBUTE_HEADER: usize = 4;
/// The bits of an attribute's type that are flags (`NLA_F_NESTED`, `NLA_F_NET_BYTEORDER`).
const NLA_TYPE_MASK: u16 = 0x3fff;

/// Rounds up to the alignment of messages and attributes.
pub(crate) const fn align(length: usize) -> usize {
    length.saturating_add(3) & !3
}

/// A request under construction.
///
/// Requests of this crate are a few hundred bytes, fixed in number of attributes, with strings
/// bounded by their types: the 16-bit lengths of attributes cannot overflow.
pub(crate) struct Request {
    bytes: Vec<u8>,
}

impl Request {
    pub(crate) fn new(kind: u16, flags: u16) -> Self {
        let mut bytes = vec![0; MESSAGE_HEADER];
        bytes[4..6].copy_from_slice(&kind.to_ne_bytes());
        bytes[6..8].copy_from_slice(&(flags | NLM_F_REQUEST).to_ne_bytes());
        Self { bytes }
    }

    /// The fixed part that follows the header.
    pub(crate) fn fixed(mut self, bytes: &[u8]) -> Self {
        self.bytes.extend_from_slice(bytes);
        self.pad();
        self
    }

    pub(crate) fn attribute(self, kind: u16, payload: &[u8]) -> Self {
        self.nest(kind, |mut request| {
            request.bytes.extend_from_slice(payload);
            request
        })
    }

    /// An attribute made of attributes. Without the flag `NLA_F_NESTED`, which the VF part of
    /// rtnetlink predates and does not ask for.
    pub(crate) fn nest(mut self, kind: u16, content: impl FnOnce(Self) -> Self) -> Self {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(&[0; 2]);
        self.bytes.extend_from_slice(&kind.to_ne_bytes());
        let mut done = content(self);
        let length = u16::try_from(done.bytes.len() - start)
            .expect("requests are far shorter than 64 KiB, see the type's docs");
        done.bytes[start..start + 2].copy_from_slice(&length.to_ne_bytes());
        done.pad();
        done
    }

    /// The finished message. The sender's port stays 0: the kernel knows the socket.
    pub(crate) fn finish(mut self, sequence: u32) -> Vec<u8> {
        let length = u32::try_from(self.bytes.len())
            .expect("requests are far shorter than 4 GiB, see the type's docs");
        self.bytes[0..4].copy_from_slice(&length.to_ne_bytes());
        self.bytes[8..12].copy_from_slice(&sequence.to_ne_bytes());
        self.bytes
    }

    fn pad(&mut self) {
        self.bytes.resize(align(self.bytes.len()), 0);
    }
}

/// One message of a datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Message<'a> {
    pub(crate) kind: u16,
    pub(crate) flags: u16,
    pub(crate) sequence: u32,
    pub(crate) payload: &'a [u8],
}

/// The messages of a datagram. Ends after the first malformed one.
pub(crate) struct Messages<'a>(pub(crate) &'a [u8]);

impl<'a> Iterator for Messages<'a> {
    type Item = Result<Message<'a>, Malformed>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let rest = std::mem::take(&mut self.0);
        let length = read_u32(rest, 0).and_then(|length| usize::try_from(length).ok());
        let message = length.and_then(|length| {
            Some(Message {
                kind: read_u16(rest, 4)?,
                flags: read_u16(rest, 6)?,
                sequence: read_u32(rest, 8)?,
                payload: rest.get(MESSAGE_HEADER..length)?,
            })
        });
        if let Some(length) = length {
            self.0 = rest.get(align(length)..).unwrap_or_default();
        }
        Some(message.ok_or_else(|| {
            self.0 = &[];
            Malformed("message with a length outside its datagram")
        }))
    }
}

/// One attribute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Attribute<'a> {
    pub(crate) kind: u16,
    pub(crate) payload: &'a [u8],
}

impl<'a> Attribute<'a> {
    /// The attribute at the start of `bytes` and the number of bytes to the next one.
    pub(crate) fn first(bytes: &'a [u8]) -> Result<(Self, usize), Malformed> {
        let first = || {
            let length = usize::from(read_u16(bytes, 0)?);
            let attribute = Self {
                kind: read_u16(bytes, 2)? & NLA_TYPE_MASK,
                payload: bytes.get(ATTRIBUTE_HEADER..length)?,
            };
            Some((attribute, align(length).min(bytes.len())))
        };
        first().ok_or(Malformed("attribute with a length outside its message"))
    }

    /// The payload as attributes.
    pub(crate) fn attributes(&self) -> Attributes<'a> {
        Attributes(self.payload)
    }

    /// The payload as a string ended by a zero byte, as far as it is UTF-8.
    pub(crate) fn text(&self) -> Option<&'a str> {
        let end = self.payload.iter().position(|&byte| byte == 0);
        std::str::from_utf8(&self.payload[..end.unwrap_or(self.payload.len())]).ok()
    }

    /// The `u32` at `offset` in the payload.
    pub(crate) fn u32_at(&self, offset: usize) -> Result<u32, Malformed> {
        read_u32(self.payload, offset).ok_or(Malformed("attribute shorter than its structure"))
    }
}

/// A run of attributes. Ends after the first malformed one.
#[derive(Clone, Copy)]
pub(crate) struct Attributes<'a>(pub(crate) &'a [u8]);

impl<'a> Iterator for Attributes<'a> {
    type Item = Result<Attribute<'a>, Malformed>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let rest = std::mem::take(&mut self.0);
        Some(Attribute::first(rest).map(|(attribute, length)| {
            self.0 = rest.get(length..).unwrap_or_default();
            attribute
        }))
    }
}

pub(crate) fn read_array<const N: usize>(bytes: &[u8], offset: usize) -> Option<[u8; N]> {
    let end = offset.checked_add(N)?;
    bytes.get(offset..end)?.try_into().ok()
}

pub(crate) fn read_u16(bytes: &[u8], offset: usize) -> Option<u16> {
    read_array(bytes, offset).map(u16::from_ne_bytes)
}

pub(crate) fn read_u32(bytes: &[u8], offset: usize) -> Option<u32> {
    read_array(bytes, offset).map(u32::from_ne_bytes)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn pads_attributes_and_counts_the_unpadded_length() {
        let bytes = Request::new(18, NLM_F_ACK)
            .fixed(&[7; 16])
            .attribute(3, b"abcde")
            .finish(9);
        assert_eq!(bytes.len(), 16 + 16 + 12);
        assert_eq!(
            &bytes[32..36],
            [9_u16.to_ne_bytes(), 3_u16.to_ne_bytes()].concat()
        );
        let message = Messages(&bytes).next().unwrap().unwrap();
        assert_eq!((message.kind, message.flags, message.sequence), (18, 5, 9));
        let attribute = Attributes(&message.payload[16..]).next().unwrap().unwrap();
        assert_eq!((attribute.kind, attribute.payload), (3, &b"abcde"[..]));
    }

    #[test]
    fn a_length_of_zero_ends_the_walk_with_an_error() {
        let zeros = [0; 64];
        assert!(Messages(&zeros).next().unwrap().is_err());
        assert_eq!(Messages(&zeros).count(), 1);
        assert!(Attributes(&zeros).next().unwrap().is_err());
        assert_eq!(Attributes(&zeros).count(), 1);
    }

    #[test]
    fn a_last_attribute_needs_no_padding() {
        let mut bytes = Vec::new();
        bytes.extend(5_u16.to_ne_bytes());
        bytes.extend(1_u16.to_ne_bytes());
        bytes.push(42);
        let attributes: Result<Vec<_>, _> = Attributes(&bytes).collect();
        assert_eq!(attributes.unwrap()[0].payload, [42]);
    }

    proptest! {
        #[test]
        fn reads_back_what_it_writes(attributes: Vec<(u16, Vec<u8>)>, sequence: u32) {
            let request = attributes
                .iter()
                .take(50)
                .fold(Request::new(19, 0), |request, (kind, payload)| {
                    request.nest(kind & NLA_TYPE_MASK, |nest| nest.attribute(1, payload))
                });
            let bytes = request.finish(sequence);
            let messages: Result<Vec<_>, _> = Messages(&bytes).collect();
            let messages = messages.unwrap();
            prop_assert_eq!(messages.len(), 1);
            prop_assert_eq!(messages[0].sequence, sequence);
            let mut read = Attributes(messages[0].payload);
            for (kind, payload) in attributes.iter().take(50) {
                let attribute = read.next().unwrap().unwrap();
                prop_assert_eq!(attribute.kind, kind & NLA_TYPE_MASK);
                let inner = attribute.attributes().next().unwrap().unwrap();
                prop_assert_eq!(inner.payload, &payload[..]);
            }
            prop_assert!(read.next().is_none());
        }

        #[test]
        fn arbitrary_bytes_never_panic_and_always_end(bytes: Vec<u8>) {
            for message in Messages(&bytes).flatten() {
                for attribute in Attributes(message.payload).flatten() {
                    let _ = (attribute.text(), attribute.u32_at(0), attribute.attributes().count());
                }
            }
            let _ = Attributes(&bytes).count();
        }
    }
}
