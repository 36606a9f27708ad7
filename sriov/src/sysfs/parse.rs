//! What attributes and links say, as values.

use std::ffi::OsStr;
use std::path::Path;

use crate::vf::VfIndex;

/// A decimal number, as attributes print it: digits and a line end.
pub(super) fn number<T: std::str::FromStr>(bytes: &[u8]) -> Option<T> {
    let text = std::str::from_utf8(bytes).ok()?;
    let digits = text.strip_suffix('\n').unwrap_or(text);
    let plain = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    plain.then(|| digits.parse().ok()).flatten()
}

/// The last component of where a link points.
pub(super) fn target_name(target: &Path) -> Option<&str> {
    target.file_name().and_then(OsStr::to_str)
}

/// The number in `virtfnN`.
pub(super) fn virtfn(name: &OsStr) -> Option<VfIndex> {
    let digits = name.to_str()?.strip_prefix("virtfn")?;
    let index: u16 = digits.parse().ok()?;
    (index.to_string() == digits).then_some(VfIndex::new(index))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case(b"7\n", Some(7))]
    #[case(b"7", Some(7))]
    #[case(b"0\n", Some(0))]
    #[case(b"", None)]
    #[case(b"\n", None)]
    #[case(b"+7\n", None)]
    #[case(b"-1\n", None)]
    #[case(b"7\n\n", None)]
    #[case(b"7 8\n", None)]
    #[case(b"65536\n", None)]
    #[case(b"\xff\n", None)]
    fn reads_numbers_as_the_kernel_prints_them(#[case] bytes: &[u8], #[case] number: Option<u16>) {
        assert_eq!(super::number(bytes), number);
    }

    #[rstest]
    #[case("virtfn0", Some(0))]
    #[case("virtfn65535", Some(65535))]
    #[case("virtfn65536", None)]
    #[case("virtfn", None)]
    #[case("virtfn00", None)]
    #[case("virtfn+1", None)]
    #[case("physfn", None)]
    fn reads_the_number_of_a_vf(#[case] name: &str, #[case] index: Option<u16>) {
        assert_eq!(virtfn(OsStr::new(name)), index.map(VfIndex::new));
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(bytes: Vec<u8>, name: String) {
            let _ = number::<u32>(&bytes);
            let _ = virtfn(OsStr::new(&name));
            let _ = target_name(Path::new(&name));
        }
    }
}
