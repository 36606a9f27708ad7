//! System calls per iteration, counted by strace.

use std::ffi::OsString;
use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};

use crate::peer::Peer;

/// System calls per iteration, of both sides together: the difference between a long and a short
/// run, so that set-up does not count.
pub(crate) fn per_iteration(peer: impl Fn(u32) -> Peer, scratch: &Path) -> Result<f64> {
    const SHORT: u32 = 100;
    const LONG: u32 = 400;
    let short = count(&peer(SHORT), scratch)?;
    let long = count(&peer(LONG), scratch)?;
    Ok((long - short) / f64::from(LONG - SHORT))
}

fn count(peer: &Peer, scratch: &Path) -> Result<f64> {
    let files = [scratch.join("server.strace"), scratch.join("client.strace")];
    let wraps = files.each_ref().map(|file| {
        [
            "strace".into(),
            "-f".into(),
            "-c".into(),
            "-o".into(),
            file.clone().into_os_string(),
        ]
    });
    let [server, client]: &[[OsString; 5]; 2] = &wraps;
    peer.run([server, client])?;
    let mut calls = 0.0;
    for file in &files {
        let text = fs::read_to_string(file).with_context(|| format!("{}", file.display()))?;
        calls += total(&text).with_context(|| format!("no total in: {text}"))?;
    }
    Ok(calls)
}

/// The number of calls in the line `percent seconds usecs/call calls [errors] total`.
fn total(summary: &str) -> Option<f64> {
    let line = summary
        .lines()
        .find(|line| line.trim_end().ends_with(" total"))?;
    line.split_whitespace().nth(3)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_total_of_straces_summary() {
        let summary = "% time     seconds  usecs/call     calls    errors syscall\n\
            ------ ----------- ----------- --------- --------- ----------------\n\
             50.00    0.001000          10       100           write\n\
            ------ ----------- ----------- --------- --------- ----------------\n\
            100.00    0.002000          10       203         7 total\n";
        assert_eq!(total(summary), Some(203.0));
        assert_eq!(
            total(&summary.replace("        7 total", "          total")),
            Some(203.0)
        );
        assert_eq!(total(""), None);
    }
}
