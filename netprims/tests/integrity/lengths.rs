/// The longest send.
pub(crate) const LONGEST: u32 = 1 << 20;

/// Lengths from 1 to [`LONGEST`] bytes, each power of two as likely as any other: short sends are many, long ones have
/// most of the bytes.
pub(crate) struct Lengths(u64);

impl Lengths {
    pub(crate) fn new(seed: u64) -> Self {
        // Zero would stay zero.
        Self(seed | 1)
    }

    pub(crate) fn next(&mut self) -> u32 {
        let power = u32::try_from(self.random() % 21).unwrap();
        let least = 1_u64 << power;
        let length = least + self.random() % least;
        u32::try_from(length).unwrap().min(LONGEST)
    }

    /// xorshift64.
    fn random(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 >> 8
    }
}
