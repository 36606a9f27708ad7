//! Acknowledgements (`NLMSG_ERROR`, and `NLMSG_DONE` at the end of a dump).

use super::wire::{
    Attributes, MESSAGE_HEADER, Malformed, Message, NLM_F_ACK_TLVS, NLM_F_CAPPED, align, read_u32,
};

const NLMSGERR_ATTR_MSG: u16 = 1;

/// The kernel's answer to a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Ack {
    /// 0 for success.
    pub(crate) errno: i32,
    /// The kernel's words about it.
    pub(crate) message: Option<String>,
}

impl Ack {
    pub(crate) fn of_error(message: &Message<'_>) -> Result<Self, Malformed> {
        // Without NLM_F_CAPPED the whole request is repeated, else its header alone.
        let request = if message.flags & NLM_F_CAPPED == 0 {
            let length = read_u32(message.payload, 4).unwrap_or(0);
            usize::try_from(length).map_or(MESSAGE_HEADER, align)
        } else {
            MESSAGE_HEADER
        };
        Self::parse(message, 4_usize.saturating_add(request))
    }

    pub(crate) fn of_done(message: &Message<'_>) -> Result<Self, Malformed> {
        Self::parse(message, 4)
    }

    fn parse(message: &Message<'_>, attributes: usize) -> Result<Self, Malformed> {
        let raw =
            read_u32(message.payload, 0).ok_or(Malformed("acknowledgement without a code"))?;
        // An errno travels negated.
        let code = i32::from_ne_bytes(raw.to_ne_bytes());
        let errno = code
            .checked_neg()
            .filter(|errno| *errno >= 0)
            .ok_or(Malformed("acknowledgement with a positive code"))?;
        let text = if message.flags & NLM_F_ACK_TLVS == 0 {
            None
        } else {
            Attributes(message.payload.get(attributes..).unwrap_or_default())
                .flatten()
                .find(|attribute| attribute.kind == NLMSGERR_ATTR_MSG)
                .and_then(|attribute| attribute.text())
                .filter(|text| !text.is_empty())
                .map(str::to_owned)
        };
        Ok(Self {
            errno,
            message: text,
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;

    use super::super::wire::{Messages, NLMSG_ERROR, Request};
    use super::*;

    /// An acknowledgement as the kernel lays it out (`netlink_ack` in `net/netlink/af_netlink.c`).
    fn acknowledge(code: i32, request: &[u8], capped: bool, text: Option<&str>) -> Vec<u8> {
        let mut payload = code.to_ne_bytes().to_vec();
        payload.extend(if capped { &request[..16] } else { request });
        let mut flags = if capped { NLM_F_CAPPED } else { 0 };
        let mut ack = Request::new(NLMSG_ERROR, 0).fixed(&payload);
        if let Some(text) = text {
            flags |= NLM_F_ACK_TLVS;
            ack = ack.attribute(NLMSGERR_ATTR_MSG, format!("{text}\0").as_bytes());
        }
        let mut bytes = ack.finish(1);
        bytes[6..8].copy_from_slice(&flags.to_ne_bytes());
        bytes
    }

    #[rstest]
    #[case::capped(true)]
    #[case::with_the_request(false)]
    fn finds_errno_and_text(#[case] capped: bool) {
        let request = Request::new(19, 0)
            .fixed(&[0; 16])
            .attribute(3, b"eth0\0")
            .finish(1);
        let bytes = acknowledge(-95, &request, capped, Some("not here"));
        let message = Messages(&bytes).next().unwrap().unwrap();
        let ack = Ack::of_error(&message).unwrap();
        assert_eq!(ack.errno, 95);
        assert_eq!(ack.message.as_deref(), Some("not here"));
    }

    #[test]
    fn success_has_no_text() {
        let request = Request::new(19, 0).finish(1);
        let bytes = acknowledge(0, &request, true, None);
        let message = Messages(&bytes).next().unwrap().unwrap();
        let ack = Ack::of_error(&message).unwrap();
        assert_eq!((ack.errno, ack.message), (0, None));
    }

    #[rstest]
    #[case(1)]
    #[case(i32::MIN)]
    fn a_code_that_is_no_errno_is_malformed(#[case] code: i32) {
        let request = Request::new(19, 0).finish(1);
        let bytes = acknowledge(code, &request, true, None);
        let message = Messages(&bytes).next().unwrap().unwrap();
        assert!(Ack::of_error(&message).is_err());
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(payload: Vec<u8>, flags: u16) {
            let message = Message { kind: NLMSG_ERROR, flags, sequence: 0, payload: &payload };
            let _ = Ack::of_error(&message);
            let _ = Ack::of_done(&message);
        }
    }
}
