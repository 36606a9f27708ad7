//! A test of the lab: in a process of its own, judged also by what its harness saw inside it.

use super::{Machine, State, failed, hangs, millis, ran_over, tail, with_log};
use crate::command::{Group, Waited, wait};
use anyhow::{Context, Result};
use lab::{Census, Event, FULL_ENV, GateReport, REPORT_ENV, TestCase, Verdict};
use std::fs::{self, File};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const REPORT: &str = "/run/lab-report.json";
const OUTPUT: &str = "/run/lab-output";

pub(super) fn run(case: &TestCase, machine: &mut Machine<'_>) -> Result<State> {
    machine.events.send(&Event::Started { id: case.id() });
    let before = Census::of_machine()?;
    let began = Instant::now();
    let (group, ended) = execute(case, machine.full)?;
    let stuck = matches!(ended, Waited::Stuck);
    let mut verdict = judge(case, ended, report());
    // What lives on in its group counts, and dies only then.
    let left = before.settled_difference(Census::of_machine)?;
    group.kill();
    let log = machine.complaints();
    if let Verdict::Passed | Verdict::Skipped { .. } = verdict {
        if let Some(left) = &left {
            verdict = failed(format!("left behind after its process ended: {left}"));
        }
    }
    machine.events.send(&Event::Finished {
        id: case.id(),
        verdict: with_log(verdict, &log),
        ms: millis(began.elapsed()),
        output: tail(OUTPUT),
    });
    Ok(match stuck || left.is_some() {
        true => State::Spoiled,
        false => State::Sound,
    })
}

fn execute(case: &TestCase, full: bool) -> Result<(Group, Waited)> {
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
    let end = Instant::now() + Duration::from_secs(case.deadline_s);
    let group = Group::of(&child)?;
    Ok((group, wait(&mut child, || end)))
}

fn report() -> Option<GateReport> {
    let text = fs::read_to_string(REPORT).ok()?;
    serde_json::from_str(&text).ok()
}

fn judge(case: &TestCase, ended: Waited, report: Option<GateReport>) -> Verdict {
    match (ended, report) {
        (Waited::Killed, _) => ran_over(case.deadline_s),
        (Waited::Stuck, _) => hangs(case.deadline_s),
        (Waited::Ended(_), Some(GateReport::Leaked(what))) => failed(format!("leaked: {what}")),
        (Waited::Ended(status), _) if !status.success() => failed(format!("{status}")),
        (Waited::Ended(_), Some(GateReport::Clean)) => Verdict::Passed,
        (Waited::Ended(_), Some(GateReport::Skipped(reason))) => Verdict::Skipped { reason },
        (Waited::Ended(_), Some(GateReport::Entered)) => {
            failed("its process exited in the middle of the test".to_owned())
        }
        (Waited::Ended(_), None) => failed("it did not run under the harness's gate".to_owned()),
    }
}
