//! What a 32-byte completion of a zero-copy receive says. Pure.

use super::abi::AREA_SHIFT;

/// The area of a queue as its completions speak of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Shape {
    /// Bytes; a multiple of `page_len`.
    pub(crate) len: u64,
    /// The length of what the kernel receives into at a time; a power of two.
    pub(crate) page_len: u32,
    /// The bits that stand for the area in an offset, and nothing else.
    pub(crate) token: u64,
}

/// Bytes that were received.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Fragment {
    /// Which page of the area they are in, all of them.
    pub(crate) page: u32,
    /// Where they start in the page.
    pub(crate) start: u32,
    pub(crate) len: u32,
}

/// A completion's meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Arrival {
    /// Bytes; the receive goes on.
    Fragment(Fragment),
    /// The receive is over.
    End(End),
    /// It fits no receive: bytes outside the area or in two pages, or none at all. The receive goes on.
    Stray,
}

/// Why a receive is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// The peer has closed its side.
    Closed,
    /// It was cancelled.
    Cancelled,
    /// The area had no free page (`ENOMEM`). Nothing is lost: the bytes wait in the socket until pages come back.
    Starved,
    /// The completion queue had no room (`ENOSPC`). Nothing is lost: the bytes wait in the socket.
    Crowded,
    /// The socket cannot be received from without copying (`EPROTONOSUPPORT`): it is no TCP socket, or has an upper-layer
    /// protocol.
    Refused,
    /// The connection failed.
    Failed(i32),
}

impl Shape {
    /// How many pages the area has.
    pub(crate) fn pages(&self) -> u32 {
        let pages = self.len / u64::from(self.page_len.max(1));
        u32::try_from(pages).unwrap_or(u32::MAX)
    }

    /// Reads a completion: its result, whether it says that more follow, and its second half.
    pub(crate) fn read(&self, result: i32, more: bool, extra: u64) -> Arrival {
        if !more {
            return Arrival::End(End::of(result));
        }
        match u32::try_from(result) {
            Ok(len @ 1..) => self
                .fragment(len, extra)
                .map_or(Arrival::Stray, Arrival::Fragment),
            _ => Arrival::Stray,
        }
    }

    /// The bytes at an offset with the area's token, if they lie in one page of the area.
    fn fragment(&self, len: u32, extra: u64) -> Option<Fragment> {
        let in_area = (1 << AREA_SHIFT) - 1;
        if extra & !in_area != self.token {
            return None;
        }
        let offset = extra & in_area;
        let page_len = u64::from(self.page_len);
        let page = u32::try_from(offset.checked_div(page_len)?).ok()?;
        let start = u32::try_from(offset % page_len).ok()?;
        let fits = len <= self.page_len.checked_sub(start)? && page < self.pages();
        fits.then_some(Fragment { page, start, len })
    }
}

impl End {
    /// What the result of the last completion says. A positive one is not known, and nothing of it is believed.
    pub(crate) fn of(result: i32) -> Self {
        match result.saturating_neg() {
            0 => Self::Closed,
            libc::ECANCELED => Self::Cancelled,
            libc::ENOMEM => Self::Starved,
            libc::ENOSPC => Self::Crowded,
            libc::EPROTONOSUPPORT => Self::Refused,
            errno @ 1.. => Self::Failed(errno),
            _ => Self::Failed(libc::EIO),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rstest::rstest;

    const SHAPE: Shape = Shape {
        len: 4 * 4096,
        page_len: 4096,
        token: 0,
    };
    const OTHER: u64 = 1 << AREA_SHIFT;

    fn fragment(page: u32, start: u32, len: u32) -> Arrival {
        Arrival::Fragment(Fragment { page, start, len })
    }

    #[rstest]
    #[case::a_page(4096, 0, fragment(0, 0, 4096))]
    #[case::the_last_page(4096, 3 * 4096, fragment(3, 0, 4096))]
    #[case::within_a_page(10, 4096 + 4086, fragment(1, 4086, 10))]
    #[case::one_byte(1, 4 * 4096 - 1, fragment(3, 4095, 1))]
    #[case::across_pages(11, 4096 + 4086, Arrival::Stray)]
    #[case::longer_than_a_page(4097, 0, Arrival::Stray)]
    #[case::past_the_end(1, 4 * 4096, Arrival::Stray)]
    #[case::far_past_the_end(1, OTHER - 1, Arrival::Stray)]
    #[case::of_another_area(1, OTHER, Arrival::Stray)]
    #[case::all_bits(1, u64::MAX, Arrival::Stray)]
    #[case::no_bytes(0, 0, Arrival::Stray)]
    #[case::an_error_with_more_to_follow(-libc::ENOMEM, 0, Arrival::Stray)]
    #[case::the_most_bytes(i32::MAX, 0, Arrival::Stray)]
    fn a_completion_with_more_to_follow_is_a_fragment_in_one_page(
        #[case] result: i32,
        #[case] extra: u64,
        #[case] want: Arrival,
    ) {
        assert_eq!(SHAPE.read(result, true, extra), want);
    }

    #[rstest]
    #[case(0, End::Closed)]
    #[case(-libc::ECANCELED, End::Cancelled)]
    #[case(-libc::ENOMEM, End::Starved)]
    #[case(-libc::ENOSPC, End::Crowded)]
    #[case(-libc::EPROTONOSUPPORT, End::Refused)]
    #[case(-libc::ECONNRESET, End::Failed(libc::ECONNRESET))]
    #[case(i32::MIN, End::Failed(i32::MAX))]
    #[case::bytes_without_more_are_not_believed(4096, End::Failed(libc::EIO))]
    fn the_last_completion_tells_how_it_ended(#[case] result: i32, #[case] want: End) {
        assert_eq!(SHAPE.read(result, false, 0), Arrival::End(want));
    }

    #[test]
    fn an_area_without_pages_has_no_fragments() {
        for page_len in [0, 4096] {
            let shape = Shape {
                len: 0,
                page_len,
                token: 0,
            };
            assert_eq!(shape.read(1, true, 0), Arrival::Stray);
        }
    }

    proptest! {
        /// Whatever a completion says: what is believed lies in one page of the area, and is what it said.
        #[test]
        fn what_is_believed_lies_in_the_area(
            pages in 0_u64..9,
            shift in 12_u32..17,
            area in 0_u64..3,
            result: i32,
            more: bool,
            extra in prop_oneof![any::<u64>(), 0_u64..1 << 20, (0_u64..3, 0_u64..1 << 20).prop_map(|(area, offset)| area << AREA_SHIFT | offset)],
        ) {
            let shape = Shape { len: pages << shift, page_len: 1 << shift, token: area << AREA_SHIFT };
            if let Arrival::Fragment(Fragment { page, start, len }) = shape.read(result, more, extra) {
                let at = (u64::from(page) << shift) + u64::from(start);
                prop_assert!(more && len > 0);
                prop_assert_eq!(i64::from(result), i64::from(len));
                prop_assert_eq!(area << AREA_SHIFT | at, extra);
                prop_assert!(start + len <= shape.page_len);
                prop_assert!(at + u64::from(len) <= shape.len);
            }
        }
    }
}
