//! Control messages, as `recvmsg` delivers them. Pure.

use std::ffi::c_int;
use std::ops::Range;

/// Bytes of a `struct cmsghdr`; what it announces begins behind it, aligned as the struct is.
pub(super) const HEADER: usize = size_of::<libc::cmsghdr>();
pub(super) const WORD: usize = size_of::<usize>();

// `CMSG_ALIGN` rounds up to a `long`; the header's first field is a `size_t` in the kernel.
const _: () = assert!(HEADER % WORD == 0 && HEADER == WORD + 8);

/// A control message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Message<'a> {
    pub(crate) level: c_int,
    pub(crate) kind: c_int,
    /// As much of it as is there: the kernel cuts the last message where the buffer ends.
    pub(crate) payload: &'a [u8],
}

impl Message<'_> {
    /// The payload, if it is of exactly that many bytes.
    pub(crate) fn exactly<const N: usize>(&self) -> Option<[u8; N]> {
        self.payload.try_into().ok()
    }
}

/// The control messages of a buffer. What is none ends them.
pub(crate) fn messages(control: &[u8]) -> impl Iterator<Item = Message<'_>> {
    walk(control).map_while(Result::ok).map(|found| Message {
        level: found.level,
        kind: found.kind,
        payload: control.get(found.data).unwrap_or_default(),
    })
}

/// One control message of a buffer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) level: c_int,
    pub(super) kind: c_int,
    /// Where its data is in the buffer.
    pub(super) data: Range<usize>,
    /// All that it announces is there.
    pub(super) is_whole: bool,
}

/// A header that announces less than itself: where the next message begins cannot be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Malformed;

/// Walks the control messages of a buffer. What a message announces beyond the buffer's end counts as far as it is
/// there: the kernel cuts the last message so.
pub(super) fn walk(control: &[u8]) -> impl Iterator<Item = Result<Found, Malformed>> + '_ {
    let mut at = 0;
    std::iter::from_fn(move || {
        let (len, level, kind) = header(control, at)?;
        let rest = control.len() - at;
        if len < HEADER {
            at = control.len();
            return Some(Err(Malformed));
        }
        let end = at + len.min(rest);
        let data = at + HEADER..end;
        at = end.next_multiple_of(WORD);
        Some(Ok(Found {
            level,
            kind,
            data,
            is_whole: len <= rest,
        }))
    })
}

/// Length, level and type of the control message at `at`, if there is a whole header.
fn header(control: &[u8], at: usize) -> Option<(usize, c_int, c_int)> {
    let header = control.get(at..)?.get(..HEADER)?;
    let (len, rest) = header.split_first_chunk::<WORD>()?;
    let (level, rest) = rest.split_first_chunk::<4>()?;
    let kind = rest.first_chunk::<4>()?;
    Some((
        usize::from_ne_bytes(*len),
        c_int::from_ne_bytes(*level),
        c_int::from_ne_bytes(*kind),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rstest::rstest;

    fn message(len: usize, level: c_int, kind: c_int, data: &[u8]) -> Vec<u8> {
        let mut bytes = len.to_ne_bytes().to_vec();
        bytes.extend(level.to_ne_bytes());
        bytes.extend(kind.to_ne_bytes());
        bytes.extend(data);
        bytes
    }

    fn found(level: c_int, kind: c_int, data: Range<usize>, is_whole: bool) -> Found {
        Found {
            level,
            kind,
            data,
            is_whole,
        }
    }

    #[rstest]
    #[case::nothing(vec![], vec![])]
    #[case::no_whole_header(vec![0; HEADER - 1], vec![])]
    #[case::one(message(HEADER + 3, 1, 2, b"abc"), vec![Ok(found(1, 2, HEADER..HEADER + 3, true))])]
    #[case::cut(message(HEADER + 9, 1, 2, b"abc"), vec![Ok(found(1, 2, HEADER..HEADER + 3, false))])]
    #[case::longer_than_memory(
        message(usize::MAX, 1, 2, b""),
        vec![Ok(found(1, 2, HEADER..HEADER, false))]
    )]
    #[case::shorter_than_its_header(message(HEADER - 1, 1, 2, b"abcdefgh"), vec![Err(Malformed)])]
    fn walks(#[case] control: Vec<u8>, #[case] want: Vec<Result<Found, Malformed>>) {
        assert_eq!(walk(&control).collect::<Vec<_>>(), want);
    }

    #[test]
    fn the_next_message_begins_aligned() {
        let mut control = message(HEADER + 1, 1, 2, &[7; WORD]);
        control.extend(message(HEADER, 3, 4, b""));
        let kinds: Vec<_> = walk(&control).map(|found| found.unwrap().kind).collect();
        assert_eq!(kinds, [2, 4]);
    }

    proptest! {
        #[test]
        fn ends_and_stays_within_any_bytes(control in prop::collection::vec(any::<u8>(), 0..200)) {
            for found in walk(&control).take(1000).flatten() {
                prop_assert!(found.data.start <= found.data.end && found.data.end <= control.len());
            }
            prop_assert!(walk(&control).count() <= control.len());
        }
    }
}
