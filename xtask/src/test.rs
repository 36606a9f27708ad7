//! `cargo xtask test`: what every landing and every newcomer runs.

use crate::checks;
use crate::count::Count;
use crate::guests::{Outcome, Ran};
use crate::host_tests;
use crate::lab::{Lab, target_folder};
use crate::ledger::Ledger;
use crate::outside;
use crate::selftest::{self, Stall};
use crate::skips::Skips;
use crate::suite;
use crate::ui;
use anyhow::{Context, Result, bail};
use lab::{TestCase, Verdict};
use std::path::Path;

/// Seconds one lab test may take, reduced and at full volume.
const DEADLINE: u64 = 60;
const FULL_DEADLINE: u64 = 1800;

/// The kernels of the fast tier, and those `--full` adds.
const KERNELS: &[&str] = &["6.12", "7.2"];
const MORE_KERNELS: &[&str] = &["6.1"];

/// Runs everything; `filter` narrows it to lab tests whose name contains it.
pub(crate) fn run(
    checkout: &Path,
    full: bool,
    filter: Option<&str>,
    kernels: &[String],
) -> Result<i32> {
    let named: Vec<&str> = kernels.iter().map(String::as_str).collect();
    let kernels = match (named.is_empty(), full) {
        (false, _) => named,
        (true, false) => KERNELS.to_vec(),
        (true, true) => [KERNELS, MORE_KERNELS].concat(),
    };
    // Whatever is missing on this machine is said before anything takes long.
    let labs = kernels
        .iter()
        .map(|name| Lab::provide(checkout, name))
        .collect::<Result<Vec<_>>>()?;
    let mut ledger = match full {
        true => Some(Ledger::open(checkout, &target_folder(checkout)?)?),
        false => None,
    };
    let skips = Skips::read(checkout)?;
    let mut counts = Vec::new();
    if filter.is_none() {
        checks::run(checkout)?;
        counts.push(("host".to_owned(), host_tests::run(checkout, full)?));
        ui::step("a project outside the workspace", || {
            outside::check(checkout)
        })?;
        let one = Count {
            passed: 1,
            ..Count::default()
        };
        counts.push(("outside".to_owned(), one));
    }
    let binaries = ui::step("build the lab's tests", || suite::build(checkout))?;
    let deadline = if full { FULL_DEADLINE } else { DEADLINE };
    let mut cases: Vec<TestCase> = Vec::new();
    let mut faults: Vec<TestCase> = Vec::new();
    for binary in &binaries {
        if selftest::is_of(&binary.target) {
            faults.extend(suite::cases(binary, selftest::deadline)?);
        } else {
            cases.extend(suite::cases(binary, |_| deadline)?);
        }
    }
    let stale = skips.stale(&cases);
    if !stale.is_empty() {
        bail!(
            "lab/skips.toml names no test there is: {}",
            stale.join(", ")
        );
    }
    let wanted = |case: &TestCase| filter.is_none_or(|filter| case.id().contains(filter));
    let cases: Vec<TestCase> = cases.into_iter().filter(wanted).collect();
    let itself = filter.is_none_or(selftest::has);
    if cases.is_empty() && !itself {
        bail!(
            "no lab test has {:?} in its name",
            filter.unwrap_or_default()
        );
    }
    for lab in labs.iter().filter(|_| !cases.is_empty()) {
        let count = lab_tests(lab, &cases, &skips, full, ledger.as_mut())?;
        counts.push((lab.kernel.resolved.release.clone(), count));
    }
    if itself {
        // The fault that leaves a VF needs a device that only this kernel has.
        let able = labs.iter().find(|lab| lab.kernel.has("netdevsim"));
        let lab = able.context("the lab's test of itself needs the kernel that has netdevsim")?;
        counts.push(("lab itself".to_owned(), lab_itself(lab, &faults, &skips)?));
    }
    Ok(sum_up(&counts, ledger.as_ref()))
}

/// Prints the counts; the exit code says whether anything failed.
fn sum_up(counts: &[(String, Count)], ledger: Option<&Ledger>) -> i32 {
    let mut rows = vec![
        ["where", "passed", "failed", "skipped", "retried"]
            .map(str::to_owned)
            .to_vec(),
    ];
    let mut total = Count::default();
    for (place, count) in counts {
        let numbers = [count.passed, count.failed, count.skipped, count.retried];
        let numbers = numbers.map(|n| n.to_string());
        rows.push([std::slice::from_ref(place), &numbers[..]].concat());
        total.passed += count.passed;
        total.failed += count.failed;
        total.skipped += count.skipped;
        total.retried += count.retried;
    }
    println!();
    ui::table(&rows);
    if let Some(ledger) = ledger {
        println!("  results: {}", ledger.path().display());
    }
    println!(
        "{} passed, {} failed, {} skipped{}",
        total.passed,
        total.failed,
        total.skipped,
        match total.retried {
            0 => String::new(),
            n => format!("; {n} guests stalled and were replaced"),
        }
    );
    if total.failed == 0 { 0 } else { 1 }
}

fn lab_tests(
    lab: &Lab,
    cases: &[TestCase],
    skips: &Skips,
    full: bool,
    mut ledger: Option<&mut Ledger>,
) -> Result<Count> {
    let kernel = &lab.kernel.name;
    // Another build of the same kernel is another kernel.
    let release = &lab.kernel.resolved.release;
    let key = |id: &str| format!("{release} {id}");
    let mut count = Count::default();
    let mut left = Vec::new();
    for case in cases {
        let settled = ledger
            .as_ref()
            .and_then(|ledger| ledger.settled(&key(&case.id())));
        match settled {
            Some(verdict) => count.add(verdict),
            None => left.push(case.clone()),
        }
    }
    println!(
        "lab tests on {kernel}: {} of {} to run",
        left.len(),
        cases.len()
    );
    let ran = suite::run(lab, &left, full, skips, |outcome| {
        show(outcome);
        count.add(&outcome.verdict);
        match ledger.as_deref_mut() {
            Some(ledger) => ledger.note(&key(&outcome.id), &outcome.verdict),
            None => Ok(()),
        }
    })?;
    count.retried = ran.retried;
    Ok(count)
}

fn lab_itself(lab: &Lab, faults: &[TestCase], skips: &Skips) -> Result<Count> {
    println!(
        "the lab itself on {}: {} tests, nearly all seeded faults",
        lab.kernel.name,
        faults.len()
    );
    let Ran { outcomes, retried } = suite::run(lab, faults, false, skips, |outcome| {
        let seconds = seconds(outcome.ms);
        match &outcome.verdict {
            Verdict::Failed { why } => {
                println!("  found out {} in {seconds:.1} s: {why}", outcome.id)
            }
            verdict => println!("  {verdict:?} {}", outcome.id),
        }
        Ok(())
    })?;
    let mut wrong = selftest::judge(&outcomes);
    match selftest::stall(lab)? {
        Stall::Noticed(why) => println!("  found out a guest that stalls: {why}"),
        Stall::Missed(what) => wrong.push(format!("a guest that stalls was not noticed: {what}")),
    }
    for line in &wrong {
        println!("  FAILED {line}");
    }
    let tests = outcomes.len() + 1;
    Ok(Count {
        passed: tests.saturating_sub(wrong.len()),
        failed: wrong.len(),
        skipped: 0,
        retried,
    })
}

fn show(outcome: &Outcome) {
    let seconds = seconds(outcome.ms);
    match &outcome.verdict {
        Verdict::Passed => println!("  ok      {seconds:5.1} s  {}", outcome.id),
        Verdict::Skipped { reason } => {
            println!("  skipped {seconds:5.1} s  {}: {reason}", outcome.id);
        }
        Verdict::Failed { why } => {
            println!(
                "  FAILED  {seconds:5.1} s  {}: {why}\n{}",
                outcome.id,
                indent(&outcome.output)
            );
        }
    }
}

fn seconds(ms: u64) -> f64 {
    std::time::Duration::from_millis(ms).as_secs_f64()
}

fn indent(text: &str) -> String {
    text.lines().map(|line| format!("      {line}\n")).collect()
}
