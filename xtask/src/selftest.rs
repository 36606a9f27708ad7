//! The lab's test of itself: seeded faults, and the verdict each must get.

use crate::guests::Outcome;
use crate::lab::{BOOT, Lab, finish};
use crate::vm::{Output, Terminal};
use anyhow::Result;
use lab::{Verdict, Work};
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// The test target whose faults run in a process each, under the harness's gate.
const ITSELF: &str = "lab_itself";

/// The one whose faults run in one process, as a library's tests do.
pub(crate) const TOGETHER: &str = "lab_together";

/// Seconds a test may take unless its fault is to take all of them.
const DEADLINE: u64 = 20;

/// A test that must fail.
struct Fault {
    id: &'static str,
    seconds: u64,
    /// What its failure must say.
    words: &'static [&'static str],
}

const fn fault(id: &'static str, words: &'static [&'static str]) -> Fault {
    Fault {
        id,
        seconds: DEADLINE,
        words,
    }
}

const fn slow(id: &'static str, seconds: u64, words: &'static [&'static str]) -> Fault {
    Fault { id, seconds, words }
}

const FAULTS: &[Fault] = &[
    fault("lab_itself::exits_in_the_middle", &["exited in the middle"]),
    slow("lab_itself::hangs", 8, &["ran over its 8 s and was killed"]),
    fault("lab_itself::leaks_a_descriptor", &["leaked: fd /proc/"]),
    fault(
        "lab_itself::leaks_a_memory_region",
        &["VmPin kB: 0 before", "rxe0 mr: 0 before"],
    ),
    fault(
        "lab_itself::leaks_a_queue_pair",
        &[
            "rxe0 qp: 1 before, 2 after",
            "mapping /dev/infiniband/uverbs0: 0 before",
        ],
    ),
    fault("lab_itself::leaves_memory_locked", &["VmLck kB: 0 before"]),
    fault(
        "lab_itself::leaves_a_process_and_a_namespace",
        &["process sleep: 0 before, 1 after", "netns left: 0 before"],
    ),
    fault(
        "lab_itself::leaves_a_vf",
        &[
            "leaked: ",
            "VFs of netdevsim",
            "netdev eth",
            "netdevsim device",
        ],
    ),
    fault("lab_itself::panics_the_guest", &["kernel panicked"]),
    fault(
        "lab_itself::provokes_a_kernel_warning",
        &["the kernel log says: WARNING: CPU: 0"],
    ),
    fault(
        "lab_itself::runs_outside_the_gate",
        &["did not run under the harness's gate"],
    ),
    fault("lab_itself::skips_without_leave", &["without being listed"]),
    fault(
        "lab_together::aborts",
        &["its process ended in the middle of it: signal: 6"],
    ),
    fault(
        "lab_together::complains_in_the_kernel_log",
        &["the kernel log says: WARNING: CPU: 0"],
    ),
    fault(
        "lab_together::exits_in_the_middle",
        &["its process ended in the middle of it: exit status: 0"],
    ),
    fault(
        "lab_together::exits_unnoticed_after_a_good_copy",
        &["its process ended in the middle of it: exit status: 0"],
    ),
    fault("lab_together::fails", &["it failed"]),
    slow(
        "lab_together::hangs",
        5,
        &["ran over its 5 s and was killed"],
    ),
    slow(
        "lab_together::hangs_in_the_kernel",
        8,
        &["ran over its 8 s and hangs in the kernel"],
    ),
    fault("lab_together::is_ignored", &["counts as failed"]),
    fault(
        "lab_together::leaves_a_child",
        &["left behind by it", "process tail: 0 before, 1 after"],
    ),
    fault(
        "lab_together::leaves_a_kernel_warning",
        &["after its process ended the kernel log says: WARNING: CPU: 0"],
    ),
    fault(
        "lab_together::leaves_a_mount",
        &[
            "left behind by it",
            "mount /run/left: nothing before, tmpfs after",
        ],
    ),
    fault(
        "lab_together::leaves_a_process",
        &["left behind by it", "process sleep: 0 before, 1 after"],
    ),
    fault(
        "lab_together::leaves_a_sysctl_changed",
        &[
            "left behind by it",
            "sysctl net.core.somaxconn: 4096 before, 4711 after",
        ],
    ),
];

/// The fault-free tests among them, which the faults beside them must not spoil.
const GOOD: &[&str] = &[
    "lab_itself::zz_still_works_after_all_that",
    "lab_together::after_one_that_aborted",
    "lab_together::good",
];

/// Whether a test target is the lab's own.
pub(crate) fn is_of(target: &str) -> bool {
    [ITSELF, TOGETHER].contains(&target)
}

/// Whether these words find any of its tests.
pub(crate) fn has(filter: &str) -> bool {
    [ITSELF, TOGETHER]
        .iter()
        .any(|target| target.contains(filter))
}

/// Seconds a test of it may take.
pub(crate) fn deadline(id: &str) -> u64 {
    let fault = FAULTS.iter().find(|fault| fault.id == id);
    fault.map_or(DEADLINE, |fault| fault.seconds)
}

/// Compares the outcomes with what must have come out; returns what is wrong.
pub(crate) fn judge(outcomes: &[Outcome]) -> Vec<String> {
    let mut wrong = Vec::new();
    for Fault { id, seconds, words } in FAULTS {
        let seen = outcomes.iter().find(|outcome| outcome.id == *id);
        match seen.map(|outcome| (&outcome.verdict, outcome.ms)) {
            Some((Verdict::Failed { why }, ms)) if words.iter().all(|word| why.contains(word)) => {
                if ms > (seconds + 10) * 1000 {
                    wrong.push(format!("{id} was found out only after {ms} ms"));
                }
            }
            Some((verdict, _)) => wrong.push(format!(
                "{id} must fail with {words:?}, and got {verdict:?}"
            )),
            None => wrong.push(format!("{id} did not run")),
        }
    }
    for good in GOOD {
        match outcomes.iter().find(|outcome| outcome.id == *good) {
            Some(outcome) if outcome.verdict == Verdict::Passed => {}
            other => wrong.push(format!("{good} must pass, and got {other:?}")),
        }
    }
    for Outcome { id, .. } in outcomes {
        if !GOOD.contains(&id.as_str()) && !FAULTS.iter().any(|fault| fault.id == id) {
            wrong.push(format!("{id} is not in the list of faults"));
        }
    }
    wrong
}

/// What came of a guest that stalls.
pub(crate) enum Stall {
    /// It was found out, in these words.
    Noticed(String),
    /// It was not; what was seen instead.
    Missed(String),
}

/// Boots a guest whose agent is stopped: as seen from here, one that stalls as a whole.
pub(crate) fn stall(lab: &Lab) -> Result<Stall> {
    // Only a lab that does not notice gets that far.
    const FAR: Duration = Duration::from_secs(120);
    // It must come to this anyway: a machine under load may only make it come earlier.
    const SILENCE: Duration = Duration::from_secs(5);
    let work = Work::Command {
        argv: ["sh", "-c", "kill -STOP $PPID; sleep 3600"]
            .map(str::to_owned)
            .to_vec(),
        cwd: PathBuf::from("/"),
        deadline_s: FAR.as_secs(),
    };
    let mut vm = lab.boot(work, Terminal::Detached, Output::Kept)?;
    vm.wait_up(Instant::now() + BOOT)?;
    vm.allow_silence(SILENCE);
    Ok(match finish(&mut vm, Instant::now() + FAR) {
        Err(error) if error.to_string().contains("no sign of life for 5 s") => {
            Stall::Noticed(error.to_string())
        }
        Err(error) => Stall::Missed(error.to_string()),
        Ok(code) => Stall::Missed(format!("its command ended with {code}")),
    })
}
