//! Tests: each in a process of its own, judged by its exit, by what its harness saw inside the
//! process, by the kernel's log and by what is left of it on the machine.

use crate::command::{Waited, wait};
use crate::klog::KernelLog;
use crate::port::EventPort;
use anyhow::{Context, Result, bail};
use lab::{Census, Event, FULL_ENV, GateReport, REPORT_ENV, TestCase, Verdict};
use std::fs::{self, File};
use std::io::{Read, Seek, SeekFrom};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

const REPORT: &str = "/run/lab-report.json";
const OUTPUT: &str = "/run/lab-output";
const SHOWN: u64 = 16 * 1024;

/// Runs the tests in order and sends a verdict for each.
pub(crate) fn run(
    cases: &[TestCase],
    full: bool,
    log: &mut KernelLog,
    fatal: &[String],
    events: &mut EventPort,
) -> Result<()> {
    for case in cases {
        events.send(&Event::Started { id: case.id() });
        let before = Census::of_machine()?;
        let began = Instant::now();
        let ended = execute(case, full)?;
        let stuck = matches!(ended, Ended::Stuck(_));
        let mut verdict = judge(ended, report());
        let left = before.settled_difference(Census::of_machine)?;
        let lines = log.fatal_lines(fatal);
        if let Verdict::Passed | Verdict::Skipped { .. } = verdict {
            if let Some(left) = &left {
                verdict = failed(format!("left behind after its process ended: {left}"));
            }
        }
        if !lines.is_empty() {
            let said = format!("the kernel log says: {}", lines.join(" | "));
            verdict = failed(match verdict {
                Verdict::Failed { why } => format!("{why}; {said}"),
                _ => said,
            });
        }
        events.send(&Event::Finished {
            id: case.id(),
            verdict,
            ms: u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX),
            output: output(),
        });
        // What is left behind would fail the next test, which is not to blame.
        if stuck || left.is_some() {
            bail!("{} spoiled this guest", case.id());
        }
    }
    Ok(())
}

enum Ended {
    Exited(ExitStatus),
    Killed(u64),
    Stuck(u64),
}

fn execute(case: &TestCase, full: bool) -> Result<Ended> {
    let _ = fs::remove_file(REPORT);
    let output = File::create(OUTPUT).context("create the output file")?;
    let mut child: Child = Command::new(&case.binary)
        .args(["--exact", &case.name, "--test-threads=1", "--nocapture"])
        .env(REPORT_ENV, REPORT)
        .env("RUST_BACKTRACE", "0")
        .envs(full.then_some((FULL_ENV, "1")))
        .current_dir("/run")
        .stdin(Stdio::null())
        .stdout(output.try_clone().context("share the output file")?)
        .stderr(output)
        .process_group(0)
        .spawn()
        .with_context(|| format!("start {}", case.binary.display()))?;
    Ok(
        match wait(&mut child, Duration::from_secs(case.deadline_s)) {
            Waited::Ended(status) => Ended::Exited(status),
            Waited::Killed => Ended::Killed(case.deadline_s),
            Waited::Stuck => Ended::Stuck(case.deadline_s),
        },
    )
}

fn report() -> Option<GateReport> {
    let text = fs::read_to_string(REPORT).ok()?;
    serde_json::from_str(&text).ok()
}

fn judge(ended: Ended, report: Option<GateReport>) -> Verdict {
    match (ended, report) {
        (Ended::Killed(s), _) => failed(format!("ran over its {s} s and was killed")),
        (Ended::Stuck(s), _) => failed(format!("ran over its {s} s and hangs in the kernel")),
        (Ended::Exited(_), Some(GateReport::Leaked(what))) => failed(format!("leaked: {what}")),
        (Ended::Exited(status), _) if !status.success() => failed(format!("{status}")),
        (Ended::Exited(_), Some(GateReport::Clean)) => Verdict::Passed,
        (Ended::Exited(_), Some(GateReport::Skipped(reason))) => Verdict::Skipped { reason },
        (Ended::Exited(_), Some(GateReport::Entered)) => {
            failed("its process exited in the middle of the test".to_owned())
        }
        (Ended::Exited(_), None) => failed("it did not run under the harness's gate".to_owned()),
    }
}

fn failed(why: String) -> Verdict {
    Verdict::Failed { why }
}

/// The end of what the test printed.
fn output() -> String {
    let mut bytes = Vec::new();
    if let Ok(mut file) = File::open(OUTPUT) {
        let length = file.metadata().map_or(0, |meta| meta.len());
        let _ = file.seek(SeekFrom::Start(length.saturating_sub(SHOWN)));
        let _ = file.take(SHOWN).read_to_end(&mut bytes);
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
