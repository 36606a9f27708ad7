//! Tests in as many guests as it takes: one that panics or hangs is replaced.

use crate::vm::{Message, Vm};
use anyhow::{Result, bail};
use lab::{Event, TestCase, Verdict};
use std::time::{Duration, Instant};

/// What the agent needs beyond a test's own deadline to kill it and say so.
const GRACE: Duration = Duration::from_secs(20);

/// How a guest that says nothing any more is told, and one that gives no sign of life.
const SILENT: &str = "the guest stopped answering";
const STALLED: &str = "the guest stalled";

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

/// What came of tests.
#[derive(Debug)]
pub(crate) struct Ran {
    /// Of each, and of each guest that something was wrong with outside a test.
    pub(crate) outcomes: Vec<Outcome>,
    /// How many guests stalled as a whole and were replaced for it.
    pub(crate) retried: usize,
}

/// What runs tests and tells of them: a virtual machine, or what stands for one in a test.
pub(crate) trait Guest {
    /// What it says next.
    fn next(&mut self, deadline: Instant) -> Result<Message>;

    /// What its console said last.
    fn console_end(&self) -> String;

    /// A line of its console that says that its kernel is not sound.
    fn complaint(&self) -> Option<String>;
}

impl Guest for Vm {
    fn next(&mut self, deadline: Instant) -> Result<Message> {
        Vm::next(self, deadline)
    }

    fn console_end(&self) -> String {
        Vm::console_end(self)
    }

    fn complaint(&self) -> Option<String> {
        Vm::complaint(self)
    }
}

/// Runs tests in as many guests as it takes.
pub(crate) fn in_guests<G: Guest>(
    cases: &[TestCase],
    boot: impl Fn(&[TestCase]) -> Result<G>,
    mut each: impl FnMut(&mut Outcome) -> Result<()>,
) -> Result<Ran> {
    let mut ran = Ran {
        outcomes: Vec::new(),
        retried: 0,
    };
    let mut before = None;
    loop {
        let outcomes = &ran.outcomes;
        let done = |case: &&TestCase| outcomes.iter().any(|outcome| outcome.id == case.id());
        let left: Vec<TestCase> = cases.iter().filter(|case| !done(case)).cloned().collect();
        if left.is_empty() {
            return Ok(ran);
        }
        if before.replace((left.len(), ran.retried)) == Some((left.len(), ran.retried)) {
            bail!("the guest ended before its first test");
        }
        let mut note = |mut outcome| {
            each(&mut outcome)?;
            ran.outcomes.push(outcome);
            Ok(())
        };
        if let Ended::Stalled(outcome) = listen(&mut boot(&left)?, &left, &mut note)? {
            // An emulated machine can stall as a whole; twice in a run is no accident.
            if ran.retried == 0 {
                println!("  retry   {}: {:?}", outcome.id, outcome.verdict);
                ran.retried = 1;
            } else {
                note(outcome)?;
            }
        }
    }
}

/// How a guest ended.
enum Ended {
    /// In a way that is told completely.
    Told,
    /// It fell silent, and nothing shows that its kernel is to blame. This comes of it unless
    /// another guest does better.
    Stalled(Outcome),
}

/// One guest's worth of outcomes: all that are left, unless the guest does not live that long.
fn listen(
    guest: &mut impl Guest,
    cases: &[TestCase],
    mut each: impl FnMut(Outcome) -> Result<()>,
) -> Result<Ended> {
    let mut last: Option<String> = None;
    let mut deadline = Instant::now() + GRACE;
    let mut running: Option<(String, Instant)> = None;
    loop {
        let (why, stalled) = match guest.next(deadline)? {
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
                last = Some(id.clone());
                deadline = Instant::now() + GRACE;
                each(Outcome {
                    id,
                    verdict,
                    ms,
                    output,
                })?;
                continue;
            }
            Message::Event(Event::Complained { log }) => {
                let why = format!("the kernel log says: {}", log.join(" | "));
                each(failed(after(last.as_deref()), 0, why))?;
                continue;
            }
            Message::Event(Event::Done) => return Ok(Ended::Told),
            Message::Event(Event::Broken { why }) => (why, false),
            Message::Event(other) => bail!("the guest said {other:?} among its tests"),
            Message::Gone(why) => (why, false),
            Message::Silent => of_silence(guest, SILENT),
            Message::Stalled(_) => of_silence(guest, STALLED),
        };
        // The test that ran is to blame; between tests it is the one before, which has a verdict.
        let outcome = match (running, &last) {
            (Some((id, began)), _) => {
                let ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
                failed(id, ms, why)
            }
            (None, Some(last)) => failed(after(Some(last)), 0, why),
            (None, None) => bail!("{why}"),
        };
        if stalled {
            return Ok(Ended::Stalled(outcome));
        }
        each(outcome)?;
        return Ok(Ended::Told);
    }
}

/// Why nothing more came, and whether that may be an accident.
fn of_silence(guest: &impl Guest, what: &str) -> (String, bool) {
    match guest.complaint() {
        Some(line) => (format!("{what}, after {line:?}"), false),
        None => (format!("{what}: {}", guest.console_end()), true),
    }
}

fn failed(id: String, ms: u64, why: String) -> Outcome {
    Outcome {
        id,
        verdict: Verdict::Failed { why },
        ms,
        output: String::new(),
    }
}

/// The name of what follows a test.
fn after(last: Option<&str>) -> String {
    match last {
        Some(id) => format!("after {id}"),
        None => "before the first test".to_owned(),
    }
}

#[cfg(test)]
mod tests;
