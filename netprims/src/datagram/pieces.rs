//! How a message is cut into what `sendmmsg` gets.

use super::MAX_SEGMENTS;
use super::send::Segmentation;

/// As much as the kernel takes in one piece: what one IPv4 packet holds besides the headers. IPv6's 20 bytes more would
/// gain nothing.
const LARGEST: usize = 65_507;

/// One message for `sendmmsg`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Piece<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) cut: Cut,
    /// Nothing of the message follows it.
    pub(super) last: bool,
}

/// What the kernel is told of the size of datagrams.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Cut {
    /// Nothing: the socket's own option holds.
    #[default]
    AsTheSocket,
    /// The piece is one datagram.
    No,
    /// Datagrams of that many bytes, fewer than the piece has.
    At(u16),
}

impl Cut {
    /// As the control message says it.
    pub(super) fn control(self) -> Option<u16> {
        match self {
            Self::AsTheSocket => None,
            Self::No => Some(0),
            Self::At(size) => Some(size),
        }
    }

    /// How many datagrams become of a piece of that many bytes, as far as the message says.
    pub(super) fn datagrams(self, len: usize) -> usize {
        match self {
            Self::AsTheSocket | Self::No => 1,
            Self::At(size) => len.div_ceil(usize::from(size)),
        }
    }
}

/// The pieces of a message, in order; one at least.
pub(super) fn pieces(
    payload: &[u8],
    segment: Option<u16>,
    segmentation: Segmentation,
) -> impl Iterator<Item = Piece<'_>> {
    let size = segment.map(usize::from);
    let at_once = match (size, segmentation) {
        (None | Some(0), _) => payload.len(),
        (Some(size), Segmentation::Batch) => size,
        (Some(size), Segmentation::Kernel) => size * (LARGEST / size).clamp(1, MAX_SEGMENTS),
    };
    let cut = move |bytes: &[u8]| match (segment, segmentation) {
        (None, _) => Cut::AsTheSocket,
        (Some(size @ 1..), Segmentation::Kernel) if bytes.len() > usize::from(size) => {
            Cut::At(size)
        }
        (Some(_), _) => Cut::No,
    };
    let mut rest = Some(payload);
    std::iter::from_fn(move || {
        let all = rest.take()?;
        let (bytes, after) = all.split_at_checked(at_once).unwrap_or((all, &[]));
        rest = (!after.is_empty()).then_some(after);
        Some(Piece {
            bytes,
            cut: cut(bytes),
            last: rest.is_none(),
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rstest::rstest;

    fn sizes(len: usize, segment: Option<u16>, segmentation: Segmentation) -> Vec<(usize, Cut)> {
        let payload = vec![0; len];
        pieces(&payload, segment, segmentation)
            .map(|piece| (piece.bytes.len(), piece.cut))
            .collect()
    }

    #[rstest]
    #[case::none(9, None, &[(9, Cut::AsTheSocket)])]
    #[case::off(9, Some(0), &[(9, Cut::No)])]
    #[case::empty(0, Some(4), &[(0, Cut::No)])]
    #[case::empty_and_off(0, Some(0), &[(0, Cut::No)])]
    #[case::one(4, Some(4), &[(4, Cut::No)])]
    #[case::short_last(9, Some(4), &[(9, Cut::At(4))])]
    #[case::as_many_as_there_may_be(256, Some(4), &[(256, Cut::At(4))])]
    #[case::one_more(257, Some(4), &[(256, Cut::At(4)), (1, Cut::No)])]
    #[case::as_long_as_there_may_be(65_507, Some(1400), &[(64_400, Cut::At(1400)), (1107, Cut::No)])]
    #[case::too_long_for_two(70_000, Some(40_000), &[(40_000, Cut::No), (30_000, Cut::No)])]
    #[case::longer_than_anything(70_000, Some(65_535), &[(65_535, Cut::No), (4465, Cut::No)])]
    fn the_kernels_limits_are_kept(
        #[case] len: usize,
        #[case] segment: Option<u16>,
        #[case] want: &[(usize, Cut)],
    ) {
        assert_eq!(sizes(len, segment, Segmentation::Kernel), want);
    }

    #[rstest]
    #[case(9, Some(4), &[4, 4, 1])]
    #[case(8, Some(4), &[4, 4])]
    #[case(0, Some(4), &[0])]
    #[case(9, Some(0), &[9])]
    fn without_the_kernel_each_piece_is_a_datagram(
        #[case] len: usize,
        #[case] segment: Option<u16>,
        #[case] want: &[usize],
    ) {
        let got = sizes(len, segment, Segmentation::Batch);
        assert!(got.iter().all(|(_, cut)| *cut == Cut::No));
        assert_eq!(got.iter().map(|(len, _)| *len).collect::<Vec<_>>(), want);
    }

    proptest! {
        #[test]
        fn both_ways_make_the_same_datagrams(len in 0..200_000_usize, segment in 1..=9000_u16, from in 0..50_usize) {
            let payload: Vec<u8> = (0..len).map(|at| u8::try_from(at % 251).unwrap()).collect();
            let datagrams = |segmentation| -> Vec<&[u8]> {
                pieces(&payload, Some(segment), segmentation)
                    .flat_map(|piece| -> Vec<&[u8]> {
                        assert!(piece.bytes.len() <= LARGEST || piece.cut == Cut::No);
                        assert!(piece.cut.datagrams(piece.bytes.len()) <= MAX_SEGMENTS);
                        match piece.cut {
                            Cut::At(size) => piece.bytes.chunks(usize::from(size)).collect(),
                            _ => vec![piece.bytes],
                        }
                    })
                    .collect()
            };
            let kernel = datagrams(Segmentation::Kernel);
            prop_assert_eq!(&kernel, &datagrams(Segmentation::Batch));
            prop_assert_eq!(kernel.concat(), payload.clone());
            // What is left after any whole datagram is cut as it was.
            let from = from.min(kernel.len() - 1);
            let rest = &payload[from * usize::from(segment)..];
            let again = pieces(rest, Some(segment), Segmentation::Batch);
            prop_assert!(again.map(|piece| piece.bytes).eq(kernel[from..].iter().copied()));
        }

        #[test]
        fn the_last_is_marked(len in 0..200_000_usize, segment: Option<u16>) {
            let payload = vec![0; len];
            for segmentation in [Segmentation::Kernel, Segmentation::Batch] {
                let last: Vec<bool> = pieces(&payload, segment, segmentation).map(|piece| piece.last).take(3000).collect();
                let inner = last.iter().filter(|last| **last).count();
                prop_assert!(inner == 1 && last.ends_with(&[true]) || last.len() == 3000 && inner == 0);
            }
        }
    }
}
