//! A set of tests on one kernel: listed on the host, run in as many guests as it takes (a guest
//! that panics or hangs is replaced), judged against the list of allowed skips.

use crate::lab::{BOOT, Lab};
use crate::libraries::Libraries;
use crate::run;
use crate::selftest;
use crate::skips::Skips;
use crate::vm::{Message, Output, Terminal, Vm};
use anyhow::{Context, Result, bail};
use lab::{Event, Harness, TestCase, Verdict, Work};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// What the agent needs beyond a test's own deadline to kill it and say so.
const GRACE: Duration = Duration::from_secs(20);

/// How a guest that says nothing any more is told.
const STALLED: &str = "the guest stopped answering";

/// The profile lab tests are built with (see the workspace's Cargo.toml).
pub(crate) const PROFILE: &str = "lab";

/// The tests of the host, as cargo is asked for them.
pub(crate) const HOST_TESTS: &[&str] = &["--workspace", "--exclude", "lab-tests", "--all-features"];

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

/// One test binary.
#[derive(Debug, Clone)]
pub(crate) struct Binary {
    /// Its short name.
    pub(crate) target: String,
    /// Where it is.
    pub(crate) path: PathBuf,
    /// How its tests are run.
    pub(crate) harness: Harness,
}

/// The test binaries that run in the guests, built: the lab's own, then those of the libraries.
pub(crate) fn build(checkout: &Path) -> Result<Vec<Binary>> {
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
    let gated = ["--profile", PROFILE, "--package", "lab-tests", "--tests"];
    let mut binaries: Vec<Binary> = build_tests(checkout, &gated)?
        .into_iter()
        .map(|(_, binary)| binary)
        .collect();
    for binary in &mut binaries {
        if binary.target != selftest::TOGETHER {
            binary.harness = Harness::Gate;
        }
    }
    // As the host has them: what is built for it need not be built again.
    let built = build_tests(checkout, HOST_TESTS)?;
    for library in Libraries::read(checkout)?.libraries {
        let folder = checkout.join(&library.package);
        for test in &library.tests {
            let found = built
                .iter()
                .find(|(package, binary)| *package == folder && binary.target == *test);
            let (_, binary) =
                found.with_context(|| format!("cargo built no {test} of {}", library.package))?;
            binaries.push(binary.clone());
        }
    }
    let mut names: Vec<&str> = binaries.iter().map(|binary| &*binary.target).collect();
    names.sort_unstable();
    if let Some(twice) = names.windows(2).find(|pair| pair[0] == pair[1]) {
        bail!("two test targets are called {}", twice[0]);
    }
    Ok(binaries)
}

/// Builds test targets. Each with the folder of its package.
fn build_tests(checkout: &Path, which: &[&str]) -> Result<Vec<(PathBuf, Binary)>> {
    let mut cargo = run::cargo(checkout);
    cargo.args(["test", "--quiet", "--no-run"]).args(which);
    cargo.args(["--message-format", "json-render-diagnostics"]);
    let output = cargo
        .stderr(Stdio::inherit())
        .output()
        .context("cannot run cargo")?;
    if !output.status.success() {
        bail!("the tests do not build");
    }
    let mut binaries = Vec::new();
    for line in String::from_utf8_lossy(&output.stdout).lines() {
        let message: serde_json::Value = serde_json::from_str(line).unwrap_or_default();
        let is_test = message["target"]["kind"][0] == "test";
        let manifest = message["manifest_path"].as_str().map(Path::new);
        if let (true, Some(name), Some(path), Some(folder)) = (
            is_test,
            message["target"]["name"].as_str(),
            message["executable"].as_str(),
            manifest.and_then(Path::parent),
        ) {
            let binary = Binary {
                target: name.to_owned(),
                path: PathBuf::from(path),
                harness: Harness::Libtest,
            };
            binaries.push((folder.to_owned(), binary));
        }
    }
    binaries.sort_by(|(_, a), (_, b)| a.target.cmp(&b.target));
    Ok(binaries)
}

/// The tests of one binary.
pub(crate) fn cases(binary: &Binary, deadline_s: impl Fn(&str) -> u64) -> Result<Vec<TestCase>> {
    let Binary {
        target,
        path,
        harness,
    } = binary;
    let listed = run::text(Command::new(path).args(["--list", "--format", "terse"]))?;
    let names = listed
        .lines()
        .filter_map(|line| line.strip_suffix(": test"));
    let case = |name: &str| {
        let mut case = TestCase {
            harness: *harness,
            binary: path.clone(),
            target: target.clone(),
            name: name.to_owned(),
            deadline_s: 0,
        };
        case.deadline_s = deadline_s(&case.id());
        case
    };
    let cases: Vec<TestCase> = names.map(case).collect();
    if cases.is_empty() {
        bail!("the test binary {target} holds no test");
    }
    Ok(cases)
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
    let boot = |cases: &[TestCase]| {
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
        Ok(vm)
    };
    in_guests(cases, boot, |outcome| {
        skips.judge(&lab.kernel.name, outcome);
        each(outcome)
    })
}

/// What runs tests and tells of them: a virtual machine, or what stands for one in a test.
trait Guest {
    /// What it says next.
    fn next(&mut self, deadline: Instant) -> Result<Message>;

    /// What its console said last.
    fn console_end(&self) -> String;
}

impl Guest for Vm {
    fn next(&mut self, deadline: Instant) -> Result<Message> {
        Vm::next(self, deadline)
    }

    fn console_end(&self) -> String {
        Vm::console_end(self)
    }
}

/// Runs tests in as many guests as it takes.
fn in_guests<G: Guest>(
    cases: &[TestCase],
    boot: impl Fn(&[TestCase]) -> Result<G>,
    mut each: impl FnMut(&mut Outcome) -> Result<()>,
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
        listen(&mut boot(&left)?, &left, |mut outcome| {
            // An emulated machine can stall as a whole, which no test does twice by accident.
            let stalled =
                matches!(&outcome.verdict, Verdict::Failed { why } if why.starts_with(STALLED));
            if stalled && !retried.contains(&outcome.id) {
                println!("  retry   {}: {:?}", outcome.id, outcome.verdict);
                retried.push(outcome.id);
                return Ok(());
            }
            each(&mut outcome)?;
            outcomes.push(outcome);
            Ok(())
        })?;
        if outcomes.len() + retried.len() == before {
            bail!("the guest ended before its first test");
        }
    }
}

/// One guest's worth of outcomes: all that are left, unless the guest does not live that long.
fn listen(
    guest: &mut impl Guest,
    cases: &[TestCase],
    mut each: impl FnMut(Outcome) -> Result<()>,
) -> Result<()> {
    let mut any = false;
    let mut deadline = Instant::now() + GRACE;
    let mut running: Option<(String, Instant)> = None;
    loop {
        let why = match guest.next(deadline)? {
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
            Message::Silent => format!("{STALLED}: {}", guest.console_end()),
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::RefCell;
    use std::collections::VecDeque;

    /// Says what it was told to, then nothing any more.
    struct Scripted(VecDeque<Message>);

    impl Guest for Scripted {
        fn next(&mut self, _: Instant) -> Result<Message> {
            Ok(self.0.pop_front().unwrap_or(Message::Silent))
        }

        fn console_end(&self) -> String {
            "its last line".to_owned()
        }
    }

    fn started(name: &str) -> Message {
        let id = format!("t::{name}");
        Message::Event(Event::Started { id })
    }

    fn passed(name: &str) -> Message {
        Message::Event(Event::Finished {
            id: format!("t::{name}"),
            verdict: Verdict::Passed,
            ms: 1,
            output: String::new(),
        })
    }

    fn done() -> Message {
        Message::Event(Event::Done)
    }

    fn gone() -> Message {
        Message::Gone("the guest's kernel panicked".to_owned())
    }

    /// Runs `a` and `b`; returns what came of each, and which tests each guest was given.
    fn run(guests: Vec<Vec<Message>>) -> (Result<Vec<String>>, Vec<Vec<String>>) {
        let cases = ["a", "b"].map(|name| TestCase {
            harness: Harness::Gate,
            binary: PathBuf::from("/t"),
            target: "t".to_owned(),
            name: name.to_owned(),
            deadline_s: 1,
        });
        let guests = RefCell::new(VecDeque::from(guests));
        let given = RefCell::new(Vec::new());
        let boot = |cases: &[TestCase]| {
            let names = cases.iter().map(|case| case.name.clone()).collect();
            given.borrow_mut().push(names);
            let script = guests.borrow_mut().pop_front();
            Ok(Scripted(script.expect("no more guests than these").into()))
        };
        let outcomes = in_guests(&cases, boot, |_| Ok(()));
        let words = |outcome: Outcome| match outcome.verdict {
            Verdict::Failed { why } => format!("{}: {why}", outcome.id),
            verdict => format!("{}: {verdict:?}", outcome.id),
        };
        let outcomes = outcomes.map(|all| all.into_iter().map(words).collect());
        (outcomes, given.into_inner())
    }

    #[test]
    fn a_guest_that_falls_silent_is_replaced_once_for_its_test() {
        let (outcomes, given) = run(vec![
            vec![started("a"), passed("a"), started("b")],
            vec![started("b"), passed("b"), done()],
        ]);
        assert_eq!(outcomes.unwrap(), ["t::a: Passed", "t::b: Passed"]);
        assert_eq!(given, [vec!["a", "b"], vec!["b"]]);
    }

    #[test]
    fn a_test_in_which_two_guests_fall_silent_has_failed() {
        let (outcomes, given) = run(vec![
            vec![started("a")],
            vec![started("a")],
            vec![started("b"), passed("b"), done()],
        ]);
        let why = format!("t::a: {STALLED}: its last line");
        assert_eq!(outcomes.unwrap(), [why.as_str(), "t::b: Passed"]);
        assert_eq!(given, [vec!["a", "b"], vec!["a", "b"], vec!["b"]]);
    }

    #[test]
    fn a_guest_that_panics_is_not_tried_again_with_the_same_test() {
        let (outcomes, given) = run(vec![
            vec![started("a"), gone()],
            vec![started("b"), passed("b"), done()],
        ]);
        let want = ["t::a: the guest's kernel panicked", "t::b: Passed"];
        assert_eq!(outcomes.unwrap(), want);
        assert_eq!(given.len(), 2);
    }

    #[test]
    fn tests_that_have_no_verdict_yet_run_again() {
        // Those that run in one process get their verdicts when it ends.
        let (outcomes, given) = run(vec![
            vec![started("a"), started("b"), gone()],
            vec![started("a"), passed("a"), done()],
        ]);
        let want = ["t::b: the guest's kernel panicked", "t::a: Passed"];
        assert_eq!(outcomes.unwrap(), want);
        assert_eq!(given, [vec!["a", "b"], vec!["a"]]);
    }

    #[test]
    fn a_guest_that_never_begins_is_an_error() {
        for script in [vec![done()], vec![gone()], vec![]] {
            let (outcomes, given) = run(vec![script]);
            assert!(outcomes.is_err());
            assert_eq!(given.len(), 1);
        }
    }
}
