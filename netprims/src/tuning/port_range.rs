use std::fmt;

/// Local ports the kernel may choose from, both ends included.
///
/// ```
/// use netprims::tuning::PortRange;
///
/// const PORTS: PortRange = match PortRange::new(40_000, 40_999) {
///     Ok(range) => range,
///     Err(_) => panic!("a valid range"),
/// };
/// assert!(PortRange::new(2, 1).is_err());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(try_from = "[u16; 2]", into = "[u16; 2]"))]
pub struct PortRange {
    first: u16,
    last: u16,
}

/// Two ports that are no range.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "IP_LOCAL_PORT_RANGE = {first} to {last}: a range begins at port 1 or above and does not end before it begins"
)]
#[non_exhaustive]
pub struct InvalidPortRange {
    /// The first port, as it was given.
    pub first: u16,
    /// The last port, as it was given.
    pub last: u16,
}

impl PortRange {
    /// Checks a range.
    ///
    /// # Errors
    ///
    /// [`InvalidPortRange`] if it begins at 0 or ends before it begins.
    pub const fn new(first: u16, last: u16) -> Result<Self, InvalidPortRange> {
        if first == 0 || last < first {
            return Err(InvalidPortRange { first, last });
        }
        Ok(Self { first, last })
    }

    /// The first port.
    pub const fn first(self) -> u16 {
        self.first
    }

    /// The last port.
    pub const fn last(self) -> u16 {
        self.last
    }
}

impl TryFrom<[u16; 2]> for PortRange {
    type Error = InvalidPortRange;

    fn try_from([first, last]: [u16; 2]) -> Result<Self, Self::Error> {
        Self::new(first, last)
    }
}

impl From<PortRange> for [u16; 2] {
    fn from(range: PortRange) -> Self {
        [range.first, range.last]
    }
}

impl fmt::Display for PortRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} to {}", self.first, self.last)
    }
}
