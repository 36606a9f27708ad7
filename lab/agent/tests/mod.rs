//! Tests, run and judged as their [`Harness`] says: by how their process ended, by what it said of
//! them, by the kernel's log and by what is left of it on the machine.

mod gated;
mod together;
mod transcript;

use crate::klog::KernelLog;
use crate::port::EventPort;
use anyhow::Result;
use lab::{Harness, TestCase, Verdict};
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::time::Duration;

/// How much of what a test printed is shown.
const SHOWN: u64 = 16 * 1024;

/// What every test needs.
pub(crate) struct Machine<'a> {
    pub(crate) full: bool,
    pub(crate) log: &'a mut KernelLog,
    /// Kernel-log fragments that fail the test during which they appear.
    pub(crate) fatal: &'a [String],
    pub(crate) events: &'a mut EventPort,
}

/// Runs the tests in order and sends a verdict for each.
pub(crate) fn run(cases: &[TestCase], mut machine: Machine<'_>) -> Result<()> {
    let together = |a: &TestCase, b: &TestCase| {
        a.harness == Harness::Libtest && b.harness == Harness::Libtest && a.binary == b.binary
    };
    for cases in cases.chunk_by(together) {
        match cases {
            [case] if case.harness == Harness::Gate => gated::run(case, &mut machine)?,
            cases => together::run(cases, &mut machine)?,
        }
    }
    Ok(())
}

/// A verdict, unless the kernel's log says something worse.
fn with_log(verdict: Verdict, lines: &[String]) -> Verdict {
    if lines.is_empty() {
        return verdict;
    }
    let said = format!("the kernel log says: {}", lines.join(" | "));
    failed(match verdict {
        Verdict::Failed { why } => format!("{why}; {said}"),
        _ => said,
    })
}

fn ran_over(seconds: u64) -> Verdict {
    failed(format!("ran over its {seconds} s and was killed"))
}

fn hangs(seconds: u64) -> Verdict {
    failed(format!("ran over its {seconds} s and hangs in the kernel"))
}

fn failed(why: String) -> Verdict {
    Verdict::Failed { why }
}

/// The end of what was printed to a file.
fn tail(path: &str) -> String {
    let mut bytes = Vec::new();
    if let Ok(mut file) = File::open(path) {
        let length = file.metadata().map_or(0, |meta| meta.len());
        let _ = file.seek(SeekFrom::Start(length.saturating_sub(SHOWN)));
        let _ = file.take(SHOWN).read_to_end(&mut bytes);
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
