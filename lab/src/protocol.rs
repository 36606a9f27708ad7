use serde::{Deserialize, Serialize};
use std::path::PathBuf;
use std::time::Duration;

/// Where the writable folder shared with the host is mounted in the guest.
pub const SHARE: &str = "/run/lab";

/// The variable that tells a test's process where to leave its [`GateReport`].
pub const REPORT_ENV: &str = "LAB_REPORT";

/// Set for a test's process when the run is one of full volume (`cargo xtask test --full`).
pub const FULL_ENV: &str = "LAB_FULL";

/// How often the guest gives a sign of life.
pub const HEARTBEAT: Duration = Duration::from_secs(1);

/// What one boot of the guest is for.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Job {
    /// Kernel-log fragments that fail the test during which they appear.
    pub fatal_log: Vec<String>,
    /// The folder of the kernel's modules, the same path on host and guest.
    pub modules: PathBuf,
    /// What to do.
    pub work: Work,
}

/// The work of a [`Job`].
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum Work {
    /// Run one command, its output streamed to the host.
    Command {
        /// The program and its arguments.
        argv: Vec<String>,
        /// The working directory.
        cwd: PathBuf,
        /// Seconds after which the command is killed.
        deadline_s: u64,
    },
    /// Give the host's terminal a shell.
    Shell {
        /// The working directory.
        cwd: PathBuf,
    },
    /// Run tests.
    Tests {
        /// The tests, in order.
        cases: Vec<TestCase>,
        /// Whether they run at full volume.
        full: bool,
    },
}

/// How a test is run and judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Harness {
    /// A process of its own, the body inside the gate of the lab's harness, which leaves a
    /// [`GateReport`].
    Gate,
    /// A library's own test, which knows nothing of the lab. Those of a binary that stand together
    /// run in one process, one after the other. What libtest says of each counts, how the process
    /// ended, what the kernel's log says, and what is left on the machine after it.
    Libtest,
}

/// One test of one test binary.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TestCase {
    /// How it is run and judged.
    pub harness: Harness,
    /// The test binary's path, the same on host and guest.
    pub binary: PathBuf,
    /// The binary's short name.
    pub target: String,
    /// The test's name as the test binary knows it.
    pub name: String,
    /// Seconds after which the test is killed.
    pub deadline_s: u64,
}

impl TestCase {
    /// `target::name`, as shown to people.
    pub fn id(&self) -> String {
        format!("{}::{}", self.target, self.name)
    }
}

/// What the guest says, one JSON object a line.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum Event {
    /// The guest is set up.
    Up {
        /// `uname -r`.
        release: String,
        /// Milliseconds since the kernel started.
        uptime_ms: u64,
        /// What of the usual set-up this kernel lacks.
        missing: Vec<String>,
        /// Fatal lines the kernel's log held by then.
        log: Vec<String>,
    },
    /// A sign of life: one every [`HEARTBEAT`], whatever else happens.
    Alive,
    /// A test begins.
    Started {
        /// Its [`TestCase::id`].
        id: String,
    },
    /// A test ended.
    Finished {
        /// Its [`TestCase::id`].
        id: String,
        /// The verdict.
        verdict: Verdict,
        /// How long it took.
        ms: u64,
        /// What it printed, the end of it if there was much.
        output: String,
    },
    /// The kernel's log held fatal lines that no test can answer for any more: they came after the
    /// verdict on the last one that ended.
    Complained {
        /// The lines.
        log: Vec<String>,
    },
    /// The command ended.
    Exited {
        /// Its exit code; 128 plus the signal's number if one killed it.
        code: i32,
    },
    /// The guest could not do its job.
    Broken {
        /// Why.
        why: String,
    },
    /// Nothing more will come. Tests that have no verdict by then need another guest: one that
    /// failed has spoiled this one.
    Done,
}

/// How a test ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Verdict {
    /// It passed, and so did every gate.
    Passed,
    /// It failed.
    Failed {
        /// Which gate, and what was seen.
        why: String,
    },
    /// It says it cannot run here.
    Skipped {
        /// The reason it gave; the host looks it up in the list of allowed skips.
        reason: String,
    },
}

/// What the harness inside a test's process leaves behind for the agent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum GateReport {
    /// The body is running (or the process died in it).
    Entered,
    /// The body returned and left nothing behind.
    Clean,
    /// The body returned and left kernel objects behind.
    Leaked(String),
    /// The body says it cannot run here.
    Skipped(String),
}
