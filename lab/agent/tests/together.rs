//! A library's tests: all that stand together in one process, one after the other. One that hangs
//! or takes the process with it is to blame for that, and the rest runs in a new one.

use super::transcript::{Said, Transcript};
use super::voices::Voices;
use super::{Machine, State, and, failed, hangs, millis, ran_over, tail, with_log};
use crate::command::{Group, Waited, wait};
use anyhow::{Context, Result};
use lab::{Census, Event, FULL_ENV, TestCase, Verdict};
use std::fs::File;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

const ERRORS: &str = "/run/lab-errors";

/// Tests of one binary.
pub(super) fn run(cases: &[TestCase], machine: &mut Machine<'_>) -> Result<State> {
    let mut left = cases.to_vec();
    while !left.is_empty() {
        let before = Census::of_machine()?;
        let process = Process::run(&left, machine)?;
        let stuck = matches!(process.ended, Waited::Stuck);
        // What lives on in its group counts, and dies only then; but one that was cut off had no
        // chance to end what it had started.
        if !process.transcript.is_complete() {
            process.group.kill();
        }
        let behind = before.settled_difference(Census::of_machine)?;
        process.group.kill();
        let late = machine.complaints();
        let ran = process.begun.len();
        let mut settled: Vec<String> = Vec::new();
        for outcome in process.outcomes() {
            let mut verdict = with_log(outcome.verdict, &outcome.log);
            if let (Verdict::Passed, Some(behind)) = (&verdict, &behind) {
                let others = ran.saturating_sub(1);
                verdict = failed(format!(
                    "left behind by it, or by one of the {others} in its process: {behind}"
                ));
            }
            if !late.is_empty() {
                let late = late.join(" | ");
                verdict = and(
                    verdict,
                    format!("after its process ended the kernel log says: {late}"),
                );
            }
            machine.events.send(&Event::Finished {
                id: outcome.case.id(),
                verdict,
                ms: outcome.ms,
                output: outcome.output,
            });
            settled.push(outcome.case.name.clone());
        }
        if stuck || behind.is_some() {
            return Ok(State::Spoiled);
        }
        left.retain(|case| !settled.contains(&case.name));
    }
    Ok(State::Sound)
}

/// A process that ran tests.
struct Process<'a> {
    cases: &'a [TestCase],
    group: Group,
    transcript: Transcript,
    /// What others than libtest printed to where it prints.
    noise: String,
    ended: Waited,
    /// Of each test that began, in order.
    begun: Vec<Begun>,
    /// What the kernel's log said if none began.
    early: Vec<String>,
    end: Instant,
}

/// What was seen of a test while it ran.
struct Begun {
    at: Instant,
    /// What the kernel's log said meanwhile.
    log: Vec<String>,
}

struct Outcome<'a> {
    case: &'a TestCase,
    verdict: Verdict,
    ms: u64,
    log: Vec<String>,
    output: String,
}

impl<'a> Process<'a> {
    fn run(cases: &'a [TestCase], machine: &mut Machine<'_>) -> Result<Process<'a>> {
        let first = cases.first().context("no test to run")?;
        let (mut voices, output) = Voices::new()?;
        let errors = File::create(ERRORS).context("create the output file")?;
        let mut child = Command::new(&first.binary)
            .args(["--exact", "--test-threads=1"])
            .args(cases.iter().map(|case| &case.name))
            .env("RUST_BACKTRACE", "0")
            .envs(machine.full.then_some((FULL_ENV, "1")))
            .current_dir("/run")
            .stdin(Stdio::null())
            .stdout(output)
            .stderr(errors)
            .process_group(0)
            .spawn()
            .with_context(|| format!("start {}", first.binary.display()))?;
        let group = Group::of(&child)?;
        let mut early: Vec<String> = Vec::new();
        let mut transcript = Transcript::of(cases.iter().map(|case| case.name.as_str()));
        let mut begun: Vec<Begun> = Vec::new();
        let mut end = Instant::now() + Duration::from_secs(first.deadline_s);
        let mut look = |begun: &mut Vec<Begun>| {
            // First the log: whatever is in it was said by a test whose beginning is read after it.
            early.extend(machine.complaints());
            let running = begun.len().saturating_sub(1);
            for name in transcript.read(&voices.of(group.leader())) {
                begun.push(Begun {
                    at: Instant::now(),
                    log: Vec::new(),
                });
                if let Some(case) = cases.iter().find(|case| case.name == name) {
                    machine.events.send(&Event::Started { id: case.id() });
                    end = Instant::now() + Duration::from_secs(case.deadline_s);
                }
            }
            // Of tests that came and went between two looks any may have been the one.
            for begun in &mut begun[running..] {
                begun.log.extend(early.iter().cloned());
            }
            if !begun.is_empty() {
                early.clear();
            }
            end
        };
        let ended = wait(&mut child, || look(&mut begun));
        look(&mut begun);
        Ok(Process {
            cases,
            group,
            transcript,
            noise: voices.others(),
            ended,
            begun,
            early,
            end: Instant::now(),
        })
    }

    /// What came of each test that began. One that did not is to be run yet, unless none did: then
    /// the first is to blame.
    fn outcomes(&self) -> Vec<Outcome<'a>> {
        let find = |name: &str| self.cases.iter().find(|case| case.name == name);
        let names: Vec<_> = self.transcript.begun().collect();
        let mut outcomes = Vec::new();
        for (i, (name, said)) in names.iter().enumerate() {
            let (Some(case), Some(begun)) = (find(name), self.begun.get(i)) else {
                continue;
            };
            let end = self.begun.get(i + 1).map_or(self.end, |next| next.at);
            let last = i + 1 == names.len();
            let verdict = if last {
                self.of_the_last(case, *said)
            } else {
                of(*said)
            };
            outcomes.push(Outcome {
                case,
                ms: millis(end - begun.at),
                log: begun.log.clone(),
                output: match &verdict {
                    Verdict::Failed { .. } => {
                        self.transcript.output(name).to_owned() + &self.noise + &tail(ERRORS)
                    }
                    _ => String::new(),
                },
                verdict,
            });
        }
        if let (true, Some(case)) = (outcomes.is_empty(), self.cases.first()) {
            outcomes.push(Outcome {
                case,
                verdict: match self.of_the_last(case, Said::Nothing) {
                    Verdict::Failed { why } => failed(format!("no test began: {why}")),
                    verdict => verdict,
                },
                ms: 0,
                log: self.early.clone(),
                output: self.noise.clone() + &tail(ERRORS),
            });
        }
        outcomes
    }

    /// The last one that began answers for how the process ended.
    fn of_the_last(&self, case: &TestCase, said: Said) -> Verdict {
        match &self.ended {
            Waited::Killed => ran_over(case.deadline_s),
            Waited::Stuck => hangs(case.deadline_s),
            Waited::Ended(status) if said == Said::Nothing => {
                failed(format!("its process ended in the middle of it: {status}"))
            }
            Waited::Ended(status) if !self.transcript.is_complete() => failed(format!(
                "its process ended after it, without a word: {status}"
            )),
            Waited::Ended(status) => match (of(said), self.any_failed() == status.success()) {
                (Verdict::Passed, true) => failed(format!(
                    "its process ended otherwise than its tests: {status}"
                )),
                (verdict, _) => verdict,
            },
        }
    }

    fn any_failed(&self) -> bool {
        self.transcript
            .begun()
            .any(|(_, said)| said == Said::Failed)
    }
}

fn of(said: Said) -> Verdict {
    match said {
        Said::Ok => Verdict::Passed,
        Said::Failed => failed("it failed".to_owned()),
        Said::Ignored => failed("it is ignored, which counts as failed".to_owned()),
        Said::Nothing => failed("nothing was said of it".to_owned()),
    }
}
