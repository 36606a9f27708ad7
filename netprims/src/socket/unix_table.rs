//! `/proc/net/unix`, which lists the Unix sockets of a network namespace.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// Of `__SO_ACCEPTCON` in `include/linux/net.h`: the socket listens.
const LISTENS: u64 = 1 << 16;
/// `SS_UNCONNECTED` of `include/uapi/linux/net.h`.
const UNCONNECTED: u64 = 1;

/// The table of the calling thread's network namespace; empty if it cannot be read.
pub(super) fn read() -> Vec<u8> {
    std::fs::read("/proc/thread-self/net/unix").unwrap_or_default()
}

/// The paths of sockets that are bound, and neither listen nor are connected: a connection attempt does not find those
/// that may listen a moment later.
pub(super) fn waiting(table: &[u8]) -> impl Iterator<Item = &Path> {
    table.split(|byte| *byte == b'\n').filter_map(waiting_path)
}

/// Of one line: `Num: RefCount Protocol Flags Type St Inode Path`, the numbers hexadecimal. A path may have spaces.
fn waiting_path(line: &[u8]) -> Option<&Path> {
    let mut rest = line;
    let mut field = || {
        let start = rest.iter().position(|byte| *byte != b' ')?;
        let from = &rest[start..];
        let end = from.iter().position(|byte| *byte == b' ')?;
        rest = &from[end..];
        std::str::from_utf8(&from[..end]).ok()
    };
    let [_, _, _, flags, _, state, inode] = [(); 7].map(|()| field());
    let flags = u64::from_str_radix(flags?, 16).ok()?;
    let state = u64::from_str_radix(state?, 16).ok()?;
    inode?;
    // One space before the path; an abstract name begins with `@`, which no path of `replace_stale` does.
    let path = rest.strip_prefix(b" ").filter(|path| !path.is_empty())?;
    let waits = flags & LISTENS == 0 && state == UNCONNECTED;
    waits.then(|| Path::new(OsStr::from_bytes(path)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rstest::rstest;

    #[rstest]
    #[case::heading("Num       RefCount Protocol Flags    Type St Inode Path", None)]
    #[case::unnamed("0000000000000000: 00000003 00000000 00000000 0001 03  1072", None)]
    #[case::unnamed_and_waiting("0000000000000000: 00000002 00000000 00000000 0002 01 21072", None)]
    #[case::listening(
        "0000000000000000: 00000002 00000000 00010000 0001 01  1072 /run/a",
        None
    )]
    #[case::accepted(
        "0000000000000000: 00000003 00000000 00000000 0001 03  1072 /run/a",
        None
    )]
    #[case::bound(
        "00000000823b799a: 00000002 00000000 00000000 0001 01  1072 /run/a",
        Some("/run/a")
    )]
    #[case::datagrams(
        "0000000000000000: 00000002 00000000 00000000 0002 01 99999999 /run/a",
        Some("/run/a")
    )]
    #[case::with_spaces(
        "0000000000000000: 00000002 00000000 00000000 0001 01 1  /a b ",
        Some(" /a b ")
    )]
    #[case::numbers_that_are_none("x: x x x x x x /run/a", None)]
    #[case::cut("0000000000000000: 00000002 00000000 00000000", None)]
    fn a_line_is_read(#[case] line: &str, #[case] path: Option<&str>) {
        let table = format!("Num\n{line}\n");
        let found: Vec<_> = waiting(table.as_bytes()).collect();
        assert_eq!(found, path.into_iter().map(Path::new).collect::<Vec<_>>());
    }

    proptest! {
        #[test]
        fn anything_is_read_without_a_panic(table: Vec<u8>) {
            let _ = waiting(&table).count();
        }
    }
}
