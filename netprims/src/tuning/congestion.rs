use super::name::{Name, Refused, named};

/// The name of a congestion control algorithm: 1 to 15 printable ASCII characters, no spaces.
///
/// ```
/// use netprims::tuning::{Congestion, Tcp, Tuning};
///
/// const BBR: Congestion = match Congestion::new("bbr") {
///     Ok(name) => name,
///     Err(_) => panic!("a valid name"),
/// };
/// const TUNING: Tuning<Tcp> = Tuning::tcp().congestion(BBR);
/// ```
///
/// Whether the kernel has such an algorithm shows when it is set.
#[doc(alias = "TCP_CA_NAME_MAX")]
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Congestion(Name);

/// A text that is no name of a congestion control algorithm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidCongestion(Refused);

impl Congestion {
    /// Checks a name.
    ///
    /// # Errors
    ///
    /// [`InvalidCongestion`] if it is empty, too long, or has a byte no name can have.
    pub const fn new(name: &str) -> Result<Self, InvalidCongestion> {
        match Name::new(name, b"") {
            Ok(name) => Ok(Self(name)),
            Err(refused) => Err(InvalidCongestion(refused)),
        }
    }
}

named!(Congestion, InvalidCongestion, "TCP_CONGESTION");

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("bbr", true)]
    #[case("fifteen-letters", true)]
    #[case("sixteen--letters", false)]
    #[case("", false)]
    #[case("b\0br", false)]
    #[case("b br", false)]
    fn checks_the_name(#[case] name: &str, #[case] valid: bool) {
        match Congestion::new(name) {
            Ok(congestion) => assert!(valid && congestion.as_str() == name),
            Err(error) => assert!(!valid && error.to_string().starts_with("TCP_CONGESTION = \"")),
        }
    }
}
