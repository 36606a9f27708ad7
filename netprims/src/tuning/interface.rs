use super::name::{Name, Refused, named};

/// The name of a network interface: 1 to 15 bytes of printable ASCII, without `/` and `:`, and neither `.` nor `..`.
///
/// ```
/// use netprims::tuning::{Interface, Tuning};
///
/// const LOOPBACK: Interface = match Interface::new("lo") {
///     Ok(name) => name,
///     Err(_) => panic!("a valid name"),
/// };
/// const TUNING: Tuning = Tuning::new().interface(LOOPBACK);
/// assert!(Interface::new("sixteen--letters").is_err());
/// ```
///
/// Whether there is such an interface shows when it is set. The kernel lets names have bytes beyond ASCII; this type
/// does not.
#[doc(alias = "IFNAMSIZ")]
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Interface(Name);

/// A text that is no name of an interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidInterface(Refused);

impl Interface {
    /// Checks a name.
    ///
    /// # Errors
    ///
    /// [`InvalidInterface`] if it is empty, too long, or has a byte no name can have.
    pub const fn new(name: &str) -> Result<Self, InvalidInterface> {
        if matches!(name.as_bytes(), b"." | b"..") {
            let refused = Refused::new(name, "it stands for a folder");
            return Err(InvalidInterface(refused));
        }
        match Name::new(name, b"/:") {
            Ok(name) => Ok(Self(name)),
            Err(refused) => Err(InvalidInterface(refused)),
        }
    }
}

named!(Interface, InvalidInterface, "SO_BINDTODEVICE");

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("eth0", true)]
    #[case("eth0.100", true)]
    #[case("fifteen-letters", true)]
    #[case("...", true)]
    #[case(".", false)]
    #[case("..", false)]
    #[case("a/b", false)]
    #[case("eth0:1", false)]
    #[case("sixteen--letters", false)]
    #[case("", false)]
    #[case("e\0th", false)]
    fn checks_the_name(#[case] name: &str, #[case] valid: bool) {
        match Interface::new(name) {
            Ok(interface) => assert!(valid && interface.as_str() == name),
            Err(error) => assert!(!valid && error.to_string().starts_with("SO_BINDTODEVICE = \"")),
        }
    }
}
