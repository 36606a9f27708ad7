//! What follows from the kernel's release. Pure.

/// The kernel that has zero-copy receive.
const FIRST: (u32, u32) = (6, 15);

/// Whether the kernel knows the registration of queues for zero-copy receive: as it says itself, or else by its release.
pub(super) fn knows_receive_queues(said: Option<bool>, release: Option<&str>) -> Option<bool> {
    said.or_else(|| Some(version(release?)? >= FIRST))
}

/// The major and minor number.
fn version(release: &str) -> Option<(u32, u32)> {
    let mut numbers = release
        .split(|c: char| !c.is_ascii_digit())
        .map(str::parse::<u32>);
    Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case::it_says_so(Some(false), Some("7.2.12"), Some(false))]
    #[case::older(None, Some("6.12.95+deb13-amd64"), Some(false))]
    #[case::the_first(None, Some("6.15"), Some(true))]
    #[case::newer(None, Some("7.0.1"), Some(true))]
    #[case::no_number(None, Some("linux"), None)]
    #[case::one_number(None, Some("7"), None)]
    #[case::untold(None, None, None)]
    fn queues_are_known_by_word_or_by_age(
        #[case] said: Option<bool>,
        #[case] release: Option<&str>,
        #[case] want: Option<bool>,
    ) {
        assert_eq!(knows_receive_queues(said, release), want);
    }
}
