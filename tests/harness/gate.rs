use crate::{Igb, Netdevsim, Rxe, RxePair, VirtioPair};
use lab::{Census, FULL_ENV, GateReport, REPORT_ENV};
use std::cell::RefCell;
use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Runs a test's body; afterwards every descriptor, mapping, RDMA resource, VF, namespace and
/// device that was not there before is a leak and fails the test.
///
/// # Panics
///
/// If the body panics, if it leaves something behind, and outside the lab.
pub fn gate(body: impl FnOnce(&Lab)) {
    let report = env::var_os(REPORT_ENV).map(PathBuf::from);
    let report = report.expect("this test needs the lab's kernel: run it by `cargo xtask test`");
    tell(&report, &GateReport::Entered);
    let lab = Lab {
        skipped: RefCell::new(None),
    };
    let before = Census::of_process().expect("count kernel objects");
    body(&lab);
    let leak = before
        .settled_difference(Census::of_process)
        .expect("count kernel objects");
    if let Some(leak) = leak {
        tell(&report, &GateReport::Leaked(leak.to_string()));
        panic!("leaked: {leak}");
    }
    match lab.skipped.into_inner() {
        Some(reason) => tell(&report, &GateReport::Skipped(reason)),
        None => tell(&report, &GateReport::Clean),
    }
}

/// The guest a test runs in.
#[derive(Debug)]
pub struct Lab {
    skipped: RefCell<Option<String>>,
}

impl Lab {
    /// Says that this test cannot run here; the body must return. A reason that is not listed in
    /// `lab/skips.toml` for this test and kernel fails the run.
    pub fn skip(&self, reason: &str) {
        self.skipped.replace(Some(reason.to_owned()));
    }

    /// `uname -r`.
    pub fn release(&self) -> String {
        let text = fs::read_to_string("/proc/sys/kernel/osrelease").expect("read the release");
        text.trim().to_owned()
    }

    /// The volume of this run: `reduced`, or `full` under `cargo xtask test --full`.
    pub fn volume<T>(&self, reduced: T, full: T) -> T {
        if env::var_os(FULL_ENV).is_some() {
            full
        } else {
            reduced
        }
    }

    /// Runs a shell command and returns what it printed.
    ///
    /// # Panics
    ///
    /// If the command fails, with what it said.
    pub fn sh(&self, line: &str) -> String {
        sh(line)
    }

    /// A copy of a program of this workspace, built beside the tests, that any user may run.
    pub fn program(&self, name: &str) -> PathBuf {
        let test = env::current_exe().expect("the path of this test");
        let folder = test
            .parent()
            .and_then(Path::parent)
            .expect("target/PROFILE");
        self.runnable_by_anybody(&folder.join(name))
    }

    /// A copy of this test's own binary that any user may run.
    pub fn this_test(&self) -> PathBuf {
        self.runnable_by_anybody(&env::current_exe().expect("the path of this test"))
    }

    /// The folders above the build's output may be closed to other users.
    fn runnable_by_anybody(&self, program: &Path) -> PathBuf {
        let folder = Path::new("/run/programs");
        fs::create_dir_all(folder).expect("a folder for programs");
        let copy = folder.join(program.file_name().expect("a file"));
        // One that runs cannot be written to; a guest does not outlive a build.
        if !copy.exists() {
            fs::copy(program, &copy)
                .unwrap_or_else(|error| panic!("{}: {error}", program.display()));
        }
        copy
    }

    /// A fresh rxe device.
    pub fn rxe(&self) -> Rxe {
        Rxe::add()
    }

    /// Two fresh rxe devices that reach each other over the wire.
    pub fn rxe_pair(&self) -> RxePair {
        RxePair::add()
    }

    /// A fresh netdevsim device with this many ports.
    pub fn netdevsim(&self, ports: u32) -> Netdevsim {
        Netdevsim::add(ports)
    }

    /// The two igb PFs.
    pub fn igb(&self) -> Igb {
        Igb::find()
    }

    /// The two virtio-net NICs, back to back, each in a network namespace of its own.
    pub fn virtio_pair(&self) -> VirtioPair {
        VirtioPair::part()
    }
}

fn tell(path: &Path, report: &GateReport) {
    let json = serde_json::to_vec(report).expect("a report is JSON");
    fs::write(path, json).expect("write the report");
}

/// Runs a shell command, panics with its output if it fails.
pub(crate) fn sh(line: &str) -> String {
    let output = Command::new("sh")
        .args(["-c", line])
        .output()
        .expect("run sh");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success(),
        "{line}: {}: {said}{errors}",
        output.status
    );
    said
}
