use super::*;
use lab::Harness;
use std::cell::RefCell;
use std::collections::VecDeque;
use std::path::PathBuf;

/// Verdicts or names.
type Words = Vec<String>;

/// Says what it was told to, then nothing any more.
/// What its console complains of is the second field.
struct Scripted(VecDeque<Message>, Option<&'static str>);

impl Guest for Scripted {
    fn next(&mut self, _: Instant) -> Result<Message> {
        Ok(self.0.pop_front().unwrap_or(Message::Silent))
    }

    fn console_end(&self) -> String {
        "its last line".to_owned()
    }

    fn complaint(&self) -> Option<String> {
        self.1.map(str::to_owned)
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
fn run(guests: Vec<Vec<Message>>) -> (Result<Words>, Vec<Words>) {
    let (ran, given) = run_on(guests, None);
    (ran.map(|(outcomes, _)| outcomes), given)
}

/// As [`run`], on consoles that complain of this; also returns how many guests were retried.
fn run_on(
    guests: Vec<Vec<Message>>,
    complaint: Option<&'static str>,
) -> (Result<(Words, usize)>, Vec<Words>) {
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
        let script = script.expect("no more guests than these");
        Ok(Scripted(script.into(), complaint))
    };
    let ran = in_guests(&cases, boot, |_| Ok(()));
    let words = |outcome: Outcome| match outcome.verdict {
        Verdict::Failed { why } => format!("{}: {why}", outcome.id),
        verdict => format!("{}: {verdict:?}", outcome.id),
    };
    let ran = ran.map(|ran| (ran.outcomes.into_iter().map(words).collect(), ran.retried));
    (ran, given.into_inner())
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
fn a_guest_that_stalls_is_replaced_once_for_its_test() {
    let stalled = || vec![started("a"), Message::Stalled(Duration::from_secs(60))];
    let rest = || vec![started("a"), passed("a"), started("b"), passed("b"), done()];
    let (ran, given) = run_on(vec![stalled(), rest()], None);
    let both = ["t::a: Passed", "t::b: Passed"].map(str::to_owned);
    assert_eq!(ran.unwrap(), (both.to_vec(), 1));
    assert_eq!(given, [vec!["a", "b"], vec!["a", "b"]]);
    let last = vec![started("b"), passed("b"), done()];
    let (outcomes, _) = run(vec![stalled(), stalled(), last]);
    let why = format!("t::a: {STALLED}: its last line");
    assert_eq!(outcomes.unwrap(), [why.as_str(), "t::b: Passed"]);
}

#[test]
fn a_guest_whose_kernel_complains_before_it_stalls_is_not_forgiven() {
    let stalled = vec![started("a"), Message::Stalled(Duration::from_secs(60))];
    let rest = vec![started("b"), passed("b"), done()];
    let (ran, _) = run_on(vec![stalled, rest], Some("BUG: it"));
    let why = format!("t::a: {STALLED}, after \"BUG: it\"");
    assert_eq!(ran.unwrap(), (vec![why, "t::b: Passed".to_owned()], 0));
}

#[test]
fn a_test_in_which_two_guests_fall_silent_has_failed() {
    let (outcomes, given) = run(vec![
        vec![started("a")],
        vec![started("a")],
        vec![started("b"), passed("b"), done()],
    ]);
    let why = format!("t::a: {SILENT}: its last line");
    assert_eq!(outcomes.unwrap(), [why.as_str(), "t::b: Passed"]);
    assert_eq!(given, [vec!["a", "b"], vec!["a", "b"], vec!["b"]]);
}

#[test]
fn only_one_guest_of_a_run_may_fall_silent() {
    let (ran, given) = run_on(
        vec![
            vec![started("a")],
            vec![started("a"), passed("a"), started("b")],
        ],
        None,
    );
    let why = format!("t::b: {SILENT}: its last line");
    assert_eq!(ran.unwrap(), (vec!["t::a: Passed".to_owned(), why], 1));
    assert_eq!(given.len(), 2);
}

#[test]
fn a_guest_that_falls_silent_between_tests_is_counted() {
    let scripts = vec![
        vec![started("a"), passed("a")],
        vec![started("b"), passed("b"), done()],
    ];
    let (ran, _) = run_on(scripts, None);
    let passed = ["t::a: Passed", "t::b: Passed"].map(str::to_owned);
    assert_eq!(ran.unwrap(), (passed.to_vec(), 1));
}

#[test]
fn a_guest_whose_kernel_complains_before_it_falls_silent_is_not_forgiven() {
    let scripts = vec![vec![started("a")], vec![started("b"), passed("b"), done()]];
    let (ran, _) = run_on(scripts, Some("BUG: it"));
    let why = format!("t::a: {SILENT}, after \"BUG: it\"");
    assert_eq!(ran.unwrap(), (vec![why, "t::b: Passed".to_owned()], 0));
}

#[test]
fn what_the_kernel_says_after_a_verdict_fails_the_run() {
    let log = vec!["WARNING: late".to_owned()];
    let complained = Message::Event(Event::Complained { log });
    let (outcomes, _) = run(vec![vec![
        started("a"),
        passed("a"),
        started("b"),
        passed("b"),
        complained,
        done(),
    ]]);
    let late = "after t::b: the kernel log says: WARNING: late";
    assert_eq!(outcomes.unwrap(), ["t::a: Passed", "t::b: Passed", late]);
}

#[test]
fn a_guest_that_ends_between_tests_fails_the_run() {
    let broken = |why: &str| {
        Message::Event(Event::Broken {
            why: why.to_owned(),
        })
    };
    for end in [gone(), broken("the guest's kernel panicked")] {
        let (outcomes, _) = run(vec![
            vec![started("a"), passed("a"), end],
            vec![started("b"), passed("b"), done()],
        ]);
        let end = "after t::a: the guest's kernel panicked";
        assert_eq!(outcomes.unwrap(), ["t::a: Passed", end, "t::b: Passed"]);
    }
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
