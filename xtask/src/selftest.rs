//! The lab's test of itself: seeded faults, and the verdict each must get.

use crate::suite::Outcome;
use lab::Verdict;

/// Seconds a seeded fault may take: the fault that hangs takes all of them.
pub(crate) const DEADLINE: u64 = 20;

/// The test target that holds the faults.
pub(crate) const TARGET: &str = "lab_itself";

/// Each fault, and words its failure must contain.
const FAULTS: &[(&str, &str)] = &[
    ("exits_in_the_middle", "exited in the middle"),
    ("hangs", "ran over its 20 s"),
    ("leaks_a_descriptor", "leaked: fd /proc/"),
    ("leaks_a_queue_pair", "rxe0 qp: 1 before, 2 after"),
    (
        "leaves_a_process",
        "leaked: process sleep: 0 before, 1 after",
    ),
    ("leaves_a_vf", "leaked: VFs of netdevsim"),
    ("panics_the_guest", "kernel panicked"),
    (
        "provokes_a_kernel_warning",
        "the kernel log says: WARNING: CPU: 0",
    ),
    (
        "runs_outside_the_gate",
        "did not run under the harness's gate",
    ),
    ("skips_without_leave", "without being listed"),
];

/// The fault-free test among them.
const GOOD: &str = "zz_still_works_after_all_that";

/// Compares the outcomes with what must have come out; returns what is wrong.
pub(crate) fn judge(outcomes: &[Outcome]) -> Vec<String> {
    let mut wrong = Vec::new();
    for (name, words) in FAULTS {
        let id = format!("{TARGET}::{name}");
        let seen = outcomes.iter().find(|outcome| outcome.id == id);
        match seen.map(|outcome| (&outcome.verdict, outcome.ms)) {
            Some((Verdict::Failed { why }, ms)) if why.contains(words) => {
                let limit = (DEADLINE + 10) * 1000;
                if ms > limit {
                    wrong.push(format!("{id} was found out only after {ms} ms"));
                }
            }
            Some((verdict, _)) => wrong.push(format!(
                "{id} must fail with {words:?}, and got {verdict:?}"
            )),
            None => wrong.push(format!("{id} did not run")),
        }
    }
    let good = format!("{TARGET}::{GOOD}");
    match outcomes.iter().find(|outcome| outcome.id == good) {
        Some(outcome) if outcome.verdict == Verdict::Passed => {}
        other => wrong.push(format!("{good} must pass, and got {other:?}")),
    }
    for outcome in outcomes {
        let name = outcome
            .id
            .trim_start_matches(TARGET)
            .trim_start_matches("::");
        if name != GOOD && !FAULTS.iter().any(|(fault, _)| *fault == name) {
            wrong.push(format!("{} is not in the list of faults", outcome.id));
        }
    }
    wrong
}
