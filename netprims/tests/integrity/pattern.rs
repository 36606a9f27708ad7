use std::sync::Arc;

/// A prime beyond the longest send: no page, slot or send is a period of the stream.
const PERIOD: usize = 1_048_583;

/// What a stream consists of: random bytes that a seed decides, over and over.
#[derive(Clone)]
pub(crate) struct Pattern(Arc<[u8]>);

impl Pattern {
    pub(crate) fn new(seed: u64) -> Self {
        // SplitMix64.
        let mut state = seed;
        let words = std::iter::repeat_with(|| {
            state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
            let mut word = state;
            word = (word ^ (word >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
            word = (word ^ (word >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
            word ^ (word >> 31)
        });
        Self(words.flat_map(u64::to_le_bytes).take(PERIOD).collect())
    }

    /// Writes what the stream has from a position on.
    pub(crate) fn write(&self, position: u64, bytes: &mut [u8]) {
        let mut rest = bytes;
        let mut pieces = self.from(position);
        while !rest.is_empty() {
            let piece = pieces.next().unwrap();
            let (now, later) = rest.split_at_mut(piece.len().min(rest.len()));
            now.copy_from_slice(&piece[..now.len()]);
            rest = later;
        }
    }

    /// Where bytes that stand at a position of the stream differ from it.
    pub(crate) fn wrong(&self, position: u64, bytes: &[u8]) -> Vec<usize> {
        let mut wrong = Vec::new();
        let mut done = 0;
        let mut pieces = self.from(position);
        while done < bytes.len() {
            let piece = pieces.next().unwrap();
            let now = &bytes[done..];
            let now = &now[..piece.len().min(now.len())];
            let want = &piece[..now.len()];
            if now != want {
                let pairs = now.iter().zip(want).enumerate();
                let differing = pairs.filter(|(_, (is, want))| is != want);
                wrong.extend(differing.map(|(at, _)| done + at));
            }
            done += now.len();
        }
        wrong
    }

    /// The stream from a position on, in pieces.
    fn from(&self, position: u64) -> impl Iterator<Item = &[u8]> {
        let start = usize::try_from(position % PERIOD as u64).unwrap();
        std::iter::once(&self.0[start..]).chain(std::iter::repeat(&self.0[..]))
    }
}
