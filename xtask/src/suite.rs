//! A set of tests on one kernel: listed on the host, run in as many guests as it takes (a guest
//! that panics or hangs is replaced), judged against the list of allowed skips.

use crate::lab::{BOOT, Lab, target_folder};
use crate::run;
use crate::vm::{Message, Output, Terminal, accelerator};
use anyhow::{Context, Result, bail};
use lab::{Event, TestCase, Verdict, Work};
use serde::Deserialize;
use std::collections::BTreeSet;
use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

/// What the agent needs beyond a test's own deadline to kill it and say so.
const GRACE: Duration = Duration::from_secs(20);
/// No guest lives longer than this.
const GUEST: Duration = Duration::from_secs(30 * 60);

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
    let cargo = || {
        let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        cargo.current_dir(checkout);
        cargo
    };
    let programs = [
        "--package",
        "netprims-examples",
        "--package",
        "netprims-cli",
    ];
    run::shown(
        cargo()
            .args(["build", "--quiet", "--profile", PROFILE])
            .args(programs),
    )?;
    let mut tests = cargo();
    tests.args([
        "test",
        "--quiet",
        "--no-run",
        "--profile",
        PROFILE,
        "--package",
        "lab-tests",
    ]);
    tests.args(["--tests", "--message-format", "json-render-diagnostics"]);
    let output = tests
        .stderr(std::process::Stdio::inherit())
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
        bail!(
            "cargo built no test binaries under {}",
            target_folder(checkout)?.display()
        );
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

/// Runs tests on one kernel and returns an outcome for each.
pub(crate) fn run(
    lab: &Lab,
    cases: &[TestCase],
    full: bool,
    mut each: impl FnMut(&Outcome),
) -> Result<Vec<Outcome>> {
    let mut outcomes: Vec<Outcome> = Vec::new();
    while outcomes.len() < cases.len() {
        let left = &cases[outcomes.len()..];
        let done = guest(lab, left, full, &mut each)?;
        if done.is_empty() {
            bail!("the guest ended before its first test");
        }
        outcomes.extend(done);
    }
    Ok(outcomes)
}

/// One guest's worth of outcomes: all that are left, unless the guest does not live that long.
fn guest(
    lab: &Lab,
    cases: &[TestCase],
    full: bool,
    each: &mut impl FnMut(&Outcome),
) -> Result<Vec<Outcome>> {
    let born = Instant::now();
    let work = Work::Tests {
        cases: cases.to_vec(),
        full,
    };
    let mut vm = lab.boot(work, Terminal::Detached, Output::Shown)?;
    let (release, uptime_ms, missing) = vm.wait_up(Instant::now() + BOOT)?;
    let up = Duration::from_millis(uptime_ms).as_secs_f64();
    let lacks = if missing.is_empty() {
        String::new()
    } else {
        format!(", without {}", missing.join(", "))
    };
    println!(
        "  kernel {release} ({}), up in {up:.1} s{lacks}",
        accelerator()
    );
    let mut outcomes = Vec::new();
    let mut deadline = Instant::now() + GRACE;
    let mut running: Option<(String, Instant)> = None;
    let mut end = |id: String, verdict, ms, output, outcomes: &mut Vec<Outcome>| {
        let outcome = Outcome {
            id,
            verdict,
            ms,
            output,
        };
        each(&outcome);
        outcomes.push(outcome);
    };
    loop {
        let message = vm.next(deadline.min(born + GUEST))?;
        let why = match message {
            Message::Event(Event::Started { id }) => {
                let case = cases.iter().find(|case| case.id() == id);
                let allowed =
                    case.map_or(Duration::ZERO, |case| Duration::from_secs(case.deadline_s));
                deadline = Instant::now() + allowed + GRACE;
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
                deadline = Instant::now() + GRACE;
                end(id, verdict, ms, output, &mut outcomes);
                continue;
            }
            Message::Event(Event::Done) => return Ok(outcomes),
            // The agent gives up on a guest in which a test hangs: the rest gets a fresh one.
            Message::Event(Event::Broken { why }) if outcomes.is_empty() => why,
            Message::Event(_) => continue,
            Message::Gone(why) => why,
            Message::Silent => "the guest stopped answering".to_owned(),
        };
        match running.take() {
            Some((id, began)) => {
                let ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
                end(
                    id,
                    Verdict::Failed { why },
                    ms,
                    String::new(),
                    &mut outcomes,
                );
                return Ok(outcomes);
            }
            None if outcomes.is_empty() => bail!("{why}"),
            None => return Ok(outcomes),
        }
    }
}

/// `lab/skips.toml`.
#[derive(Debug, Deserialize)]
pub(crate) struct Skips {
    #[serde(default, rename = "skip")]
    skips: Vec<Skip>,
}

#[derive(Debug, Deserialize)]
struct Skip {
    test: String,
    kernel: String,
    reason: String,
}

impl Skip {
    fn covers(&self, id: &str, kernel: &str) -> bool {
        let named = match self.test.strip_suffix('*') {
            Some(start) => id.starts_with(start),
            None => id == self.test,
        };
        named && self.kernel == kernel
    }
}

impl Skips {
    /// Reads the list of this checkout.
    pub(crate) fn read(checkout: &Path) -> Result<Skips> {
        let path = checkout.join("lab/skips.toml");
        let text =
            fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        toml::from_str(&text).with_context(|| format!("cannot understand {}", path.display()))
    }

    /// Turns skips nobody allowed into failures and gives the others the listed reason; returns
    /// a complaint for each line whose test ran after all.
    pub(crate) fn judge(&self, kernel: &str, outcomes: &mut [Outcome]) -> Vec<String> {
        let mut used = BTreeSet::new();
        for outcome in outcomes.iter_mut() {
            let listed = self
                .skips
                .iter()
                .enumerate()
                .find(|(_, skip)| skip.covers(&outcome.id, kernel));
            match (&outcome.verdict, listed) {
                (Verdict::Skipped { .. }, Some((line, skip))) => {
                    used.insert(line);
                    outcome.verdict = Verdict::Skipped {
                        reason: skip.reason.clone(),
                    };
                }
                (Verdict::Skipped { reason }, None) => {
                    let why = format!("skipped without being listed in lab/skips.toml: {reason}");
                    outcome.verdict = Verdict::Failed { why };
                }
                _ => {}
            }
        }
        let stale = self.skips.iter().enumerate().filter(|(line, skip)| {
            let about = outcomes
                .iter()
                .any(|outcome| skip.covers(&outcome.id, kernel));
            about && !used.contains(line)
        });
        stale
            .map(|(_, skip)| {
                format!(
                    "lab/skips.toml lists {} for {kernel}, and it ran",
                    skip.test
                )
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn skipped(id: &str) -> Outcome {
        let verdict = Verdict::Skipped {
            reason: "said so".to_owned(),
        };
        Outcome {
            id: id.to_owned(),
            verdict,
            ms: 1,
            output: String::new(),
        }
    }

    #[test]
    fn a_skip_counts_only_for_the_listed_test_and_kernel() {
        let text = "[[skip]]\ntest = 'a::x*'\nkernel = '7.2'\nreason = 'listed'\n";
        let skips: Skips = toml::from_str(text).unwrap();
        let mut outcomes = [skipped("a::xy"), skipped("b::x")];
        assert!(skips.judge("7.2", &mut outcomes).is_empty());
        assert_eq!(
            outcomes[0].verdict,
            Verdict::Skipped {
                reason: "listed".to_owned()
            }
        );
        assert!(
            matches!(&outcomes[1].verdict, Verdict::Failed { why } if why.contains("without being listed"))
        );
        let mut elsewhere = [skipped("a::xy")];
        skips.judge("6.12", &mut elsewhere);
        assert!(matches!(elsewhere[0].verdict, Verdict::Failed { .. }));
    }

    #[test]
    fn a_line_whose_test_ran_is_stale() {
        let text = "[[skip]]\ntest = 'a::x'\nkernel = '7.2'\nreason = 'listed'\n";
        let skips: Skips = toml::from_str(text).unwrap();
        let mut outcomes = [Outcome {
            verdict: Verdict::Passed,
            ..skipped("a::x")
        }];
        assert_eq!(skips.judge("7.2", &mut outcomes).len(), 1);
    }
}
