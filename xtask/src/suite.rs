//! A set of tests on one kernel: built and listed on the host, run in guests, judged against the
//! list of allowed skips.

use crate::features;
use crate::guests::{Outcome, Ran, in_guests};
use crate::lab::{BOOT, Lab};
use crate::libraries;
use crate::linking::{self, Libraries};
use crate::run;
use crate::selftest;
use crate::skips::Skips;
use crate::vm::{Output, Terminal};
use anyhow::{Context, Result, bail};
use lab::{Harness, TestCase, Work};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

/// The profile lab tests are built with (see the workspace's Cargo.toml).
pub(crate) const PROFILE: &str = "lab";

/// The tests of the host, as cargo is asked for them.
pub(crate) fn host_tests() -> Vec<&'static str> {
    [&["--workspace", "--exclude", "lab-tests"], features::ALL].concat()
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
    /// Which of its tests are run: those whose name starts with one of these. All, if there is none.
    pub(crate) only: Vec<String>,
}

/// A test binary, and what cargo says of it.
struct Built {
    /// The folder of its package.
    folder: PathBuf,
    /// Whether it holds the unit tests of a library.
    is_library: bool,
    binary: Binary,
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
    let mut binaries: Vec<Binary> = build_tests(checkout, &gated, |_| Ok(()))?
        .into_iter()
        .filter(|built| !built.is_library)
        .map(|built| built.binary)
        .collect();
    binaries.push(linked(checkout)?);
    for binary in &mut binaries {
        if binary.target != selftest::TOGETHER {
            binary.harness = Harness::Gate;
        }
    }
    // As the host has them: what is built for it need not be built again.
    let built = build_tests(checkout, &host_tests(), |_| Ok(()))?;
    for library in libraries::Libraries::read(checkout)?.libraries {
        let folder = checkout.join(&library.package);
        for test in &library.tests {
            let found = built.iter().find(|built| {
                !built.is_library && built.folder == folder && built.binary.target == *test
            });
            let found =
                found.with_context(|| format!("cargo built no {test} of {}", library.package))?;
            binaries.push(found.binary.clone());
        }
        if !library.unit_tests.is_empty() {
            let mut units = built
                .iter()
                .filter(|built| built.is_library && built.folder == folder);
            let found = units.next();
            let found = found
                .with_context(|| format!("cargo built no unit tests of {}", library.package))?;
            let mut binary = found.binary.clone();
            binary.target = format!("{}-units", library.package);
            binary.only.clone_from(&library.unit_tests);
            binaries.push(binary);
        }
    }
    let mut names: Vec<&str> = binaries.iter().map(|binary| &*binary.target).collect();
    names.sort_unstable();
    if let Some(twice) = names.windows(2).find(|pair| pair[0] == pair[1]) {
        bail!("two test targets are called {}", twice[0]);
    }
    Ok(binaries)
}

/// Those of netprims-rdma in a program that is linked with the library, built.
fn linked(checkout: &Path) -> Result<Binary> {
    let libraries = Libraries::provide()?;
    let which = [
        "--profile",
        PROFILE,
        "--package",
        "lab-tests",
        "--features",
        "link",
        "--test",
        "rdma",
    ];
    let built = build_tests(checkout, &which, |cargo| libraries.tell(cargo))?;
    let built = built.into_iter().next();
    let mut binary = built
        .context("cargo built no tests that are linked with libibverbs")?
        .binary;
    "rdma-linked".clone_into(&mut binary.target);
    binary.only = linking::TESTS
        .iter()
        .map(|start| (*start).to_owned())
        .collect();
    Ok(binary)
}

/// Builds test targets, by a cargo that is prepared.
fn build_tests(
    checkout: &Path,
    which: &[&str],
    prepare: impl FnOnce(&mut Command) -> Result<()>,
) -> Result<Vec<Built>> {
    let mut cargo = run::cargo(checkout);
    prepare(&mut cargo)?;
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
        let is_library =
            message["target"]["kind"][0] == "lib" && message["profile"]["test"] == true;
        let manifest = message["manifest_path"].as_str().map(Path::new);
        if let (true, Some(name), Some(path), Some(folder)) = (
            is_test || is_library,
            message["target"]["name"].as_str(),
            message["executable"].as_str(),
            manifest.and_then(Path::parent),
        ) {
            let binary = Binary {
                target: name.to_owned(),
                path: PathBuf::from(path),
                harness: Harness::Libtest,
                only: Vec::new(),
            };
            binaries.push(Built {
                folder: folder.to_owned(),
                is_library,
                binary,
            });
        }
    }
    binaries.sort_by(|a, b| a.binary.target.cmp(&b.binary.target));
    Ok(binaries)
}

/// The tests of one binary.
pub(crate) fn cases(binary: &Binary, deadline_s: impl Fn(&str) -> u64) -> Result<Vec<TestCase>> {
    let Binary {
        target,
        path,
        harness,
        only,
    } = binary;
    let listed = run::text(Command::new(path).args(["--list", "--format", "terse"]))?;
    let names = listed
        .lines()
        .filter_map(|line| line.strip_suffix(": test"))
        .filter(|name| only.is_empty() || only.iter().any(|start| name.starts_with(start)));
    let unknown = only
        .iter()
        .find(|start| !names.clone().any(|name| name.starts_with(start.as_str())));
    if let Some(unknown) = unknown {
        bail!("the test binary {target} holds no test of {unknown}");
    }
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
) -> Result<Ran> {
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
