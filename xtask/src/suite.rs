//! A set of tests on one kernel: listed on the host, run in as many guests as it takes (a guest
//! that panics or hangs is replaced), judged against the list of allowed skips.

use crate::lab::{BOOT, Lab};
use crate::run;
use crate::skips::Skips;
use crate::vm::{Message, Output, Terminal};
use anyhow::{Context, Result, bail};
use lab::{Event, TestCase, Verdict, Work};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// What the agent needs beyond a test's own deadline to kill it and say so.
const GRACE: Duration = Duration::from_secs(20);

/// How a guest that says nothing any more is told.
const STALLED: &str = "the guest stopped answering";

/// The profile lab tests are built with (see the workspace's Cargo.toml).
pub(crate) const PROFILE: &str = "lab";

/// How one test ended.
#[derive(Debug, Clone)]
pub(crate) struct Outcome {
    /// Its name.
    pub(crate) id: String,
    /// The verdict.
    pub(crate) verdict: Verdict,
    /// How long it took.
    pub(crate) ms: u64,
    /// What it printed.
    pub(crate) output: String,
}

/// The lab's test binaries, built.
pub(crate) fn build(checkout: &Path) -> Result<Vec<(String, PathBuf)>> {
    let programs = [
        "--package",
        "netprims-examples",
        "--package",
        "netprims-cli",
    ];
    let mut cargo = run::cargo(checkout);
    run::shown(
        cargo
            .args(["build", "--quiet", "--profile", PROFILE])
            .args(programs),
    )?;
    let mut tests = run::cargo(checkout);
    tests.args(["test", "--quiet", "--no-run", "--profile", PROFILE]);
    tests.args(["--package", "lab-tests", "--tests"]);
    tests.args(["--message-format", "json-render-diagnostics"]);
    let output = tests
        .stderr(Stdio::inherit())
        .output()
        .context("cannot run cargo")?;
    if !output.status.success() {
        bail!("the lab's tests do not build");
    }
    let mut binaries = Vec::new();
    for line in String::from_utf8_lossy(&output.stdout).lines() {
        let message: serde_json::Value = serde_json::from_str(line).unwrap_or_default();
        let is_test = message["target"]["kind"][0] == "test";
        if let (true, Some(name), Some(path)) = (
            is_test,
            message["target"]["name"].as_str(),
            message["executable"].as_str(),
        ) {
            binaries.push((name.to_owned(), PathBuf::from(path)));
        }
    }
    if binaries.is_empty() {
        bail!("cargo built no test binaries");
    }
    binaries.sort();
    Ok(binaries)
}

/// The tests of one binary.
pub(crate) fn cases(target: &str, binary: &Path, deadline_s: u64) -> Result<Vec<TestCase>> {
    let listed = run::text(Command::new(binary).args(["--list", "--format", "terse"]))?;
    let names = listed
        .lines()
        .filter_map(|line| line.strip_suffix(": test"));
    Ok(names
        .map(|name| TestCase {
            binary: binary.to_owned(),
            target: target.to_owned(),
            name: name.to_owned(),
            deadline_s,
        })
        .collect())
}

/// Runs tests on one kernel; `each` gets the outcome of every one as soon as it is known, judged
/// against the skips that are allowed.
pub(crate) fn run(
    lab: &Lab,
    cases: &[TestCase],
    full: bool,
    skips: &Skips,
    mut each: impl FnMut(&Outcome) -> Result<()>,
) -> Result<Vec<Outcome>> {
    let mut outcomes: Vec<Outcome> = Vec::new();
    let mut retried: Vec<String> = Vec::new();
    loop {
        let done = |case: &&TestCase| outcomes.iter().any(|outcome| outcome.id == case.id());
        let left: Vec<TestCase> = cases.iter().filter(|case| !done(case)).cloned().collect();
        if left.is_empty() {
            return Ok(outcomes);
        }
        let before = outcomes.len() + retried.len();
        guest(lab, &left, full, |mut outcome| {
            // An emulated machine can stall as a whole, which no test does twice by accident.
            let stalled =
                matches!(&outcome.verdict, Verdict::Failed { why } if why.starts_with(STALLED));
            if stalled && !retried.contains(&outcome.id) {
                println!("  retry   {}: {:?}", outcome.id, outcome.verdict);
                retried.push(outcome.id);
                return Ok(());
            }
            skips.judge(&lab.kernel.name, &mut outcome);
            each(&outcome)?;
            outcomes.push(outcome);
            Ok(())
        })?;
        if outcomes.len() + retried.len() == before {
            bail!("the guest ended before its first test");
        }
    }
}

/// One guest's worth of outcomes: all that are left, unless the guest does not live that long.
fn guest(
    lab: &Lab,
    cases: &[TestCase],
    full: bool,
    mut each: impl FnMut(Outcome) -> Result<()>,
) -> Result<()> {
    let work = Work::Tests {
        cases: cases.to_vec(),
        full,
    };
    let mut vm = lab.boot(work, Terminal::Detached, Output::Shown)?;
    let up = vm.wait_up(Instant::now() + BOOT)?;
    println!("  {up}");
    if !up.log.is_empty() {
        bail!(
            "the kernel complained before any test ran: {}",
            up.log.join(" | ")
        );
    }
    let mut any = false;
    let mut deadline = Instant::now() + GRACE;
    let mut running: Option<(String, Instant)> = None;
    loop {
        let why = match vm.next(deadline)? {
            Message::Event(Event::Started { id }) => {
                let case = cases.iter().find(|case| case.id() == id);
                let allowed = case.map_or(0, |case| case.deadline_s);
                deadline = Instant::now() + Duration::from_secs(allowed) + GRACE;
                running = Some((id, Instant::now()));
                continue;
            }
            Message::Event(Event::Finished {
                id,
                verdict,
                ms,
                output,
            }) => {
                running = None;
                any = true;
                deadline = Instant::now() + GRACE;
                each(Outcome {
                    id,
                    verdict,
                    ms,
                    output,
                })?;
                continue;
            }
            Message::Event(Event::Done) => return Ok(()),
            Message::Event(Event::Broken { why }) => why,
            Message::Event(other) => bail!("the guest said {other:?} among its tests"),
            Message::Gone(why) => why,
            Message::Silent => format!("{STALLED}: {}", vm.console_end()),
        };
        // The test that ran is to blame; between tests it is the one before, and judged.
        return match running {
            Some((id, began)) => {
                let ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
                let verdict = Verdict::Failed { why };
                each(Outcome {
                    id,
                    verdict,
                    ms,
                    output: String::new(),
                })
            }
            None if any => Ok(()),
            None => bail!("{why}"),
        };
    }
}
