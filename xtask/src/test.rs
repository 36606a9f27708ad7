//! `cargo xtask test`: what every landing and every newcomer runs.

use crate::lab::{Lab, target_folder};
use crate::ledger::Ledger;
use crate::outside;
use crate::run;
use crate::selftest;
use crate::suite::{self, Outcome, Skips};
use crate::ui;
use crate::unsafety;
use anyhow::{Context, Result, bail};
use lab::{TestCase, Verdict};
use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Seconds one lab test may take, reduced and at full volume.
const DEADLINE: u64 = 60;
const FULL_DEADLINE: u64 = 1800;

/// The kernels of the fast tier, and those `--full` adds.
const KERNELS: &[&str] = &["6.12", "7.2"];
const MORE_KERNELS: &[&str] = &["6.1"];

/// How much of which test ended how.
#[derive(Debug, Default)]
struct Count {
    passed: usize,
    failed: usize,
    skipped: usize,
}

/// Runs everything; `filter` narrows the lab's tests to those whose name contains it.
pub(crate) fn run(
    checkout: &Path,
    full: bool,
    filter: Option<&str>,
    kernels: &[String],
) -> Result<i32> {
    let mut rows = vec![
        ["where", "passed", "failed", "skipped"]
            .map(str::to_owned)
            .to_vec(),
    ];
    let mut total = Count::default();
    let mut add = |place: &str, count: Count| {
        let numbers = [count.passed, count.failed, count.skipped].map(|n| n.to_string());
        rows.push([&[place.to_owned()], &numbers[..]].concat());
        total.passed += count.passed;
        total.failed += count.failed;
        total.skipped += count.skipped;
    };
    if filter.is_none() {
        checks(checkout)?;
        add("host", host_tests(checkout)?);
        ui::step("a project outside the workspace", || {
            outside::check(checkout)
        })?;
        add(
            "outside",
            Count {
                passed: 1,
                ..Count::default()
            },
        );
    }
    let mut ledger = match full {
        true => Some(Ledger::open(checkout, &target_folder(checkout)?)?),
        false => None,
    };
    let skips = Skips::read(checkout)?;
    let named: Vec<&str> = kernels.iter().map(String::as_str).collect();
    let kernels = match (named.is_empty(), full) {
        (false, _) => named,
        (true, false) => KERNELS.to_vec(),
        (true, true) => [KERNELS, MORE_KERNELS].concat(),
    };
    let labs = kernels
        .iter()
        .map(|name| Lab::provide(checkout, name))
        .collect::<Result<Vec<_>>>()?;
    let binaries = ui::step("build the lab's tests", || suite::build(checkout))?;
    for lab in labs.iter().filter(|_| filter != Some(selftest::TARGET)) {
        let count = lab_tests(lab, &binaries, &skips, filter, full, ledger.as_mut())?;
        add(&lab.kernel.resolved.release, count);
    }
    let itself = filter.is_none_or(|filter| filter == selftest::TARGET);
    if let (true, Some(lab)) = (itself, labs.first()) {
        add("lab itself", lab_itself(lab, &binaries, &skips)?);
    }
    println!();
    ui::table(&rows);
    if let Some(ledger) = &ledger {
        println!("  results: {}", ledger.path().display());
    }
    println!(
        "{} passed, {} failed, {} skipped",
        total.passed, total.failed, total.skipped
    );
    Ok(if total.failed == 0 { 0 } else { 1 })
}

fn cargo(checkout: &Path) -> Command {
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(checkout);
    cargo
}

/// Formatting, lints, documentation, and where `unsafe` may stand.
fn checks(checkout: &Path) -> Result<()> {
    ui::step("where unsafe stands", || unsafety::check(checkout))?;
    ui::step("formatting", || {
        run::quiet(cargo(checkout).args(["fmt", "--all", "--check"]))
    })?;
    let clippy = [
        "clippy",
        "--quiet",
        "--workspace",
        "--all-targets",
        "--",
        "-D",
        "warnings",
    ];
    ui::step("lints", || run::shown(cargo(checkout).args(clippy)))?;
    for features in [
        &["--no-default-features"][..],
        &["--no-default-features", "--features", "serde"],
        &["--all-features"],
    ] {
        let what = format!("lints of netprims {}", features.join(" "));
        let args = [
            "clippy",
            "--quiet",
            "--package",
            "netprims",
            "--all-targets",
        ];
        ui::step(&what, || {
            run::shown(
                cargo(checkout)
                    .args(args)
                    .args(features)
                    .args(["--", "-D", "warnings"]),
            )
        })?;
    }
    let doc = [
        "doc",
        "--quiet",
        "--workspace",
        "--no-deps",
        "--all-features",
    ];
    ui::step("documentation", || {
        run::shown(cargo(checkout).args(doc).env("RUSTDOCFLAGS", "-D warnings"))
    })
}

/// The tests any machine can run.
fn host_tests(checkout: &Path) -> Result<Count> {
    let args = [
        "test",
        "--workspace",
        "--exclude",
        "lab-tests",
        "--all-features",
        "--no-fail-fast",
    ];
    let output = ui::step("host tests", || {
        cargo(checkout)
            .args(args)
            .env("RUST_BACKTRACE", "0")
            .output()
            .context("cannot run cargo")
    })?;
    let said = String::from_utf8_lossy(&output.stdout);
    let count = count_results(&said);
    if !output.status.success() || count.failed > 0 {
        println!("{said}{}", String::from_utf8_lossy(&output.stderr));
        bail!("host tests failed");
    }
    if count.skipped > 0 {
        println!("{said}");
        bail!(
            "{} host tests are ignored: an ignored test counts as failed",
            count.skipped
        );
    }
    if count.passed == 0 {
        bail!("no host test ran");
    }
    Ok(count)
}

/// Adds up libtest's closing lines.
fn count_results(said: &str) -> Count {
    let mut count = Count::default();
    for line in said
        .lines()
        .filter_map(|line| line.strip_prefix("test result: "))
    {
        for part in line.split([';', '.']) {
            let mut words = part.split_whitespace();
            let number = words.next().and_then(|word| word.parse::<usize>().ok());
            match (number, words.next()) {
                (Some(n), Some("passed")) => count.passed += n,
                (Some(n), Some("failed")) => count.failed += n,
                (Some(n), Some("ignored")) => count.skipped += n,
                _ => {}
            }
        }
    }
    count
}

fn lab_tests(
    lab: &Lab,
    binaries: &[(String, PathBuf)],
    skips: &Skips,
    filter: Option<&str>,
    full: bool,
    mut ledger: Option<&mut Ledger>,
) -> Result<Count> {
    let kernel = &lab.kernel.name;
    let deadline = if full { FULL_DEADLINE } else { DEADLINE };
    let mut cases: Vec<TestCase> = Vec::new();
    for (target, binary) in binaries
        .iter()
        .filter(|(target, _)| target != selftest::TARGET)
    {
        cases.extend(suite::cases(target, binary, deadline)?);
    }
    cases.retain(|case| filter.is_none_or(|filter| case.id().contains(filter)));
    let key = |id: &str| format!("{kernel} {id}");
    let all = cases.len();
    if let Some(ledger) = &ledger {
        cases.retain(|case| !ledger.has_passed(&key(&case.id())));
    }
    let before = all - cases.len();
    println!(
        "lab tests on {kernel}: {} to run{}",
        cases.len(),
        match before {
            0 => String::new(),
            n => format!(", {n} passed earlier at this commit"),
        }
    );
    let mut outcomes = suite::run(lab, &cases, full, show)?;
    let complaints = skips.judge(kernel, &mut outcomes);
    let mut count = Count {
        passed: before,
        ..Count::default()
    };
    for outcome in &outcomes {
        let passed = match &outcome.verdict {
            Verdict::Passed => {
                count.passed += 1;
                true
            }
            Verdict::Skipped { reason } => {
                println!("  skipped {}: {reason}", outcome.id);
                count.skipped += 1;
                true
            }
            Verdict::Failed { why } => {
                println!(
                    "  FAILED {}: {why}\n{}",
                    outcome.id,
                    indent(&outcome.output)
                );
                count.failed += 1;
                false
            }
        };
        if let Some(ledger) = ledger.as_deref_mut() {
            ledger.note(&key(&outcome.id), passed)?;
        }
    }
    for complaint in complaints {
        println!("  FAILED {complaint}");
        count.failed += 1;
    }
    Ok(count)
}

fn lab_itself(lab: &Lab, binaries: &[(String, PathBuf)], skips: &Skips) -> Result<Count> {
    let (target, binary) = binaries
        .iter()
        .find(|(target, _)| target == selftest::TARGET)
        .context("the lab's test of itself is not built")?;
    let cases = suite::cases(target, binary, selftest::DEADLINE)?;
    println!(
        "the lab itself on {}: {} seeded faults",
        lab.kernel.name,
        cases.len() - 1
    );
    let mut outcomes = suite::run(lab, &cases, false, |_| {})?;
    let wrong = selftest::judge(&lab.kernel.name, skips, &mut outcomes);
    for line in &wrong {
        println!("  FAILED {line}");
    }
    for outcome in &outcomes {
        if let Verdict::Failed { why } = &outcome.verdict {
            println!(
                "  found out {} in {:.1} s: {why}",
                outcome.id,
                seconds(outcome.ms)
            );
        }
    }
    Ok(Count {
        passed: outcomes.len().saturating_sub(wrong.len()),
        failed: wrong.len(),
        skipped: 0,
    })
}

fn show(outcome: &Outcome) {
    let word = match &outcome.verdict {
        Verdict::Passed => "ok",
        Verdict::Failed { .. } => "FAILED",
        Verdict::Skipped { .. } => "skipped",
    };
    println!("  {word:7} {:5.1} s  {}", seconds(outcome.ms), outcome.id);
}

fn seconds(ms: u64) -> f64 {
    std::time::Duration::from_millis(ms).as_secs_f64()
}

fn indent(text: &str) -> String {
    text.lines().map(|line| format!("      {line}\n")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn adds_up_what_libtest_says() {
        let said = "test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.10s\n\
                    noise\ntest result: FAILED. 1 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out\n";
        let count = count_results(said);
        assert_eq!((count.passed, count.failed, count.skipped), (4, 2, 1));
    }
}
