//! Tests, run and judged as their [`Harness`] says: by how their process ended, by what it said of
//! them, by the kernel's log and by what is left of it on the machine.

mod gated;
mod together;
mod transcript;
mod voices;

use crate::klog::KernelLog;
use crate::port::EventPort;
use anyhow::Result;
use lab::{Event, Harness, TestCase, Verdict};
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::thread;
use std::time::Duration;

/// How much of what a test printed is shown.
const SHOWN: u64 = 16 * 1024;

/// How long the kernel may take to complain of the last test.
const LAST_WORDS: Duration = Duration::from_millis(500);

/// What every test needs.
pub(crate) struct Machine<'a> {
    pub(crate) full: bool,
    pub(crate) log: &'a mut KernelLog,
    /// Kernel-log fragments that fail the test during which they appear.
    pub(crate) fatal: &'a [String],
    pub(crate) events: &'a EventPort,
}

impl Machine<'_> {
    /// What the kernel's log says that is fatal and was not read yet.
    fn complaints(&mut self) -> Vec<String> {
        self.log.fatal_lines(self.fatal)
    }

    /// Tells the host what the log says now: whoever it is about has got a verdict already.
    fn tell_complaints(&mut self) {
        let log = self.complaints();
        if !log.is_empty() {
            self.events.send(&Event::Complained { log });
        }
    }
}

/// Whether a test left the guest as it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Sound,
    /// The next test would fail for it, which is not to blame.
    Spoiled,
}

/// Runs the tests in order and sends a verdict for each, up to one that spoils this guest.
pub(crate) fn run(cases: &[TestCase], mut machine: Machine<'_>) -> Result<()> {
    let result = run_until_spoiled(cases, &mut machine);
    thread::sleep(LAST_WORDS);
    machine.tell_complaints();
    result
}

fn run_until_spoiled(cases: &[TestCase], machine: &mut Machine<'_>) -> Result<()> {
    let together = |a: &TestCase, b: &TestCase| {
        a.harness == Harness::Libtest && b.harness == Harness::Libtest && a.binary == b.binary
    };
    for cases in cases.chunk_by(together) {
        machine.tell_complaints();
        let state = match cases {
            [case] if case.harness == Harness::Gate => gated::run(case, machine)?,
            cases => together::run(cases, machine)?,
        };
        if state == State::Spoiled {
            break;
        }
    }
    Ok(())
}

/// A verdict, unless the kernel's log says something worse.
fn with_log(verdict: Verdict, lines: &[String]) -> Verdict {
    match lines {
        [] => verdict,
        lines => and(
            verdict,
            format!("the kernel log says: {}", lines.join(" | ")),
        ),
    }
}

/// A verdict after something else was found, too.
fn and(verdict: Verdict, said: String) -> Verdict {
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
