use std::collections::VecDeque;

/// Zero-copy sends in the order the kernel counts them, from the oldest it has not given back. Pure.
///
/// The kernel numbers a socket's sends from 0, past 2³²−1 again from 0. It tells a range of numbers that it is done with,
/// each number once, ranges in any order.
#[derive(Debug)]
pub(super) struct Window {
    /// The number of the first entry.
    first: u32,
    entries: VecDeque<Entry>,
    /// Most entries.
    room: usize,
}

/// One send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Piece {
    /// The buffer it is of.
    pub(super) place: usize,
    pub(super) bytes: usize,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    piece: Piece,
    is_done: bool,
}

/// A range that is not of sends in the kernel. Nothing was changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stray;

impl Window {
    /// An empty one, the first send of which has the number `first`.
    pub(super) fn new(first: u32, room: usize) -> Self {
        Self {
            first,
            entries: VecDeque::with_capacity(room),
            room,
        }
    }

    pub(super) fn is_full(&self) -> bool {
        self.entries.len() >= self.room
    }

    /// Adds a send, the next in the kernel's count.
    pub(super) fn push(&mut self, piece: Piece) {
        let is_done = false;
        self.entries.push_back(Entry { piece, is_done });
    }

    /// The kernel is done with a range: tells each send in it.
    pub(super) fn complete(
        &mut self,
        first: u32,
        last: u32,
        mut tell: impl FnMut(Piece),
    ) -> Result<(), Stray> {
        let from = index(first.wrapping_sub(self.first));
        // The whole range is looked at before anything is given back on its word.
        let count = index(last.wrapping_sub(first))
            .checked_add(1)
            .ok_or(Stray)?;
        let end = from.checked_add(count).ok_or(Stray)?;
        if end > self.entries.len() {
            return Err(Stray);
        }
        let range = from..end;
        if self.entries.range(range.clone()).any(|entry| entry.is_done) {
            return Err(Stray);
        }
        for entry in self.entries.range_mut(range) {
            entry.is_done = true;
            tell(entry.piece);
        }
        while self.entries.front().is_some_and(|entry| entry.is_done) {
            self.entries.pop_front();
            self.first = self.first.wrapping_add(1);
        }
        Ok(())
    }

    /// Whether the newest send, if there is one, was given back.
    pub(super) fn newest_is_done(&self) -> bool {
        self.entries.back().is_none_or(|entry| entry.is_done)
    }

    /// The number of the oldest send that was not given back.
    #[cfg(test)]
    pub(super) fn first(&self) -> u32 {
        self.first
    }

    /// Takes the newest send out again, which the kernel has not counted after all.
    pub(super) fn take_back(&mut self) {
        self.entries.pop_back();
    }
}

/// Numbers are 32 bits, and so are addresses at least.
fn index(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rstest::rstest;

    fn window(first: u32, sends: usize) -> Window {
        let mut window = Window::new(first, sends);
        (0..sends).for_each(|place| window.push(Piece { place, bytes: 1 }));
        window
    }

    fn complete(window: &mut Window, first: u32, last: u32) -> Result<Vec<usize>, Stray> {
        let mut told = Vec::new();
        window.complete(first, last, |piece| told.push(piece.place))?;
        Ok(told)
    }

    #[test]
    fn ranges_in_any_order_are_told_once() {
        let mut window = window(u32::MAX - 1, 5);
        assert!(window.is_full());
        assert_eq!(complete(&mut window, 1, 2), Ok(vec![3, 4]));
        assert_eq!(complete(&mut window, u32::MAX, 0), Ok(vec![1, 2]));
        assert_eq!(window.entries.len(), 5, "the oldest is still there");
        assert_eq!(
            complete(&mut window, u32::MAX - 1, u32::MAX - 1),
            Ok(vec![0])
        );
        assert_eq!((window.entries.len(), window.first), (0, 3));
    }

    #[rstest]
    #[case::not_sent_yet(14, 14)]
    #[case::partly_not_sent_yet(13, 14)]
    #[case::long_ago(9, 9)]
    #[case::partly_long_ago(9, 10)]
    #[case::again(12, 12)]
    #[case::partly_again(11, 13)]
    #[case::backwards(13, 11)]
    #[case::everything(10, 9)]
    #[case::everything_and_more(0, u32::MAX)]
    fn a_range_of_other_sends_changes_nothing(#[case] first: u32, #[case] last: u32) {
        let mut window = window(10, 4);
        assert_eq!(complete(&mut window, 12, 12), Ok(vec![2]));
        assert_eq!(complete(&mut window, first, last), Err(Stray));
        assert_eq!(complete(&mut window, 10, 11), Ok(vec![0, 1]));
        assert_eq!(complete(&mut window, 13, 13), Ok(vec![3]));
    }

    #[test]
    fn what_was_not_counted_leaves_its_number_to_the_next() {
        let mut window = window(7, 2);
        window.take_back();
        window.push(Piece { place: 9, bytes: 1 });
        assert_eq!(complete(&mut window, 8, 8), Ok(vec![9]));
    }

    proptest! {
        /// However the kernel cuts and orders its ranges, every send is told once, when its number is.
        #[test]
        fn tells_each_send_when_its_number_comes(
            first: u32,
            cuts in prop::collection::vec(1_u32..6, 1..30),
            seed: u64,
        ) {
            let sends: u32 = cuts.iter().sum();
            let mut window = window(first, sends as usize);
            let mut at = 0;
            let mut ranges: Vec<(u32, u32)> = cuts
                .iter()
                .map(|len| { at += len; (at - len, at - 1) })
                .collect();
            // A shuffle that the seed decides.
            ranges.sort_by_key(|(lo, _)| u64::from(*lo).wrapping_mul(seed | 1).rotate_left(17));
            let mut told = vec![false; sends as usize];
            for (lo, hi) in ranges {
                let (from, to) = (first.wrapping_add(lo), first.wrapping_add(hi));
                let now = complete(&mut window, from, to).unwrap();
                prop_assert_eq!(&now, &(lo as usize..=hi as usize).collect::<Vec<_>>());
                for place in now {
                    prop_assert!(!std::mem::replace(&mut told[place], true));
                }
                prop_assert_eq!(complete(&mut window, from, to), Err(Stray), "once");
            }
            prop_assert!(told.iter().all(|told| *told) && window.entries.is_empty());
        }
    }
}
