//! Instructions that a program executes outside the kernel, counted by valgrind's callgrind.

use std::ffi::OsString;
use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result, ensure};

/// The words to put before a program, to have `callgrind` count it into a file.
///
/// The tool is run without valgrind's launcher, which would look for it where it would have been installed. What the
/// launcher says to the tool is in two variables and its name.
pub(crate) fn words(callgrind: &Path, file: &Path) -> Result<Vec<OsString>> {
    let folder = callgrind.parent().context("callgrind has no folder")?;
    ensure!(callgrind.is_file(), "there is no {}", callgrind.display());
    let joined = |start: &str, path: &Path| {
        let mut word = OsString::from(start);
        word.push(path);
        word
    };
    Ok(vec![
        OsString::from("env"),
        joined("VALGRIND_LIB=", folder),
        joined("VALGRIND_LAUNCHER=", callgrind),
        OsString::from(callgrind),
        OsString::from("--tool=callgrind"),
        OsString::from("--quiet"),
        joined("--callgrind-out-file=", file),
    ])
}

/// What was counted into a file.
pub(crate) fn instructions(file: &Path) -> Result<f64> {
    let text =
        fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
    total(&text).with_context(|| format!("no total in {}", file.display()))
}

/// The number of the line `totals: N`.
fn total(profile: &str) -> Option<f64> {
    let line = profile
        .lines()
        .find_map(|line| line.strip_prefix("totals: "))?;
    line.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_total_of_a_profile() {
        let profile = "version: 1\nevents: Ir\nfn=(0) main\n16 40\n\ntotals: 147016\n";
        assert_eq!(total(profile), Some(147_016.0));
        assert_eq!(total("events: Ir\n"), None);
    }
}
