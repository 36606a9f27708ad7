//! `cargo xtask bench`: ratios against named peers, both sides in one run.

use crate::lab::{Lab, target_folder};
use crate::run;
use crate::ui;
use crate::vm::Output;
use anyhow::{Context, Result, bail};
use serde_json::Value;
use std::fs;
use std::path::Path;
use std::time::Duration;

const KERNEL: &str = "6.12";
const DEADLINE: Duration = Duration::from_secs(1200);

/// The benchmarks there are. Each runs in the guest.
const NAMES: &[&str] = &["verbs-pingpong"];

/// Runs the named benchmarks, or all.
pub(crate) fn run(checkout: &Path, names: &[String], json: Option<&Path>) -> Result<i32> {
    if let Some(unknown) = names.iter().find(|name| !NAMES.contains(&name.as_str())) {
        bail!("no benchmark {unknown:?}: there are {}", NAMES.join(", "));
    }
    let lab = Lab::provide(checkout, KERNEL)?;
    ui::step("build both sides", || {
        let mut cargo = run::cargo(checkout);
        let packages = ["--package", "netprims-examples", "--package", "benches"];
        cargo.args(["build", "--quiet", "--release"]).args(packages);
        run::shown(&mut cargo)
    })?;
    let programs = target_folder(checkout)?.join("release");
    let mut rows: Vec<Value> = Vec::new();
    for name in NAMES
        .iter()
        .filter(|name| names.is_empty() || names.iter().any(|n| n == *name))
    {
        let argv = [
            programs.join("benches").display().to_string(),
            (*name).to_owned(),
            "--ours".to_owned(),
            programs.join("rc_pingpong").display().to_string(),
        ];
        let (code, output) = ui::step(name, || lab.command(&argv, DEADLINE, Output::Kept))?;
        let mut found = Vec::new();
        for line in output.lines() {
            match line.strip_prefix("@row ") {
                Some(row) => {
                    found.push(serde_json::from_str(row).context("a benchmark's row is no JSON")?)
                }
                None => println!("  {line}"),
            }
        }
        if code != 0 || found.is_empty() {
            bail!("{name} ended with {code} and {} rows", found.len());
        }
        rows.extend(found);
    }
    show(&rows);
    if let Some(path) = json {
        let text = serde_json::to_vec_pretty(&rows).context("cannot write the rows")?;
        fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(0)
}

fn show(rows: &[Value]) {
    let head = ["name", "ours", "peer", "", "ratio", "goal", ""]
        .map(str::to_owned)
        .to_vec();
    let mut lines = vec![head];
    for row in rows {
        let text = |key: &str| match &row[key] {
            Value::String(text) => text.clone(),
            Value::Number(number) => number
                .as_f64()
                .map_or(number.to_string(), |n| format!("{n:.3}")),
            other => other.to_string(),
        };
        let holds = if row["holds"] == Value::Bool(true) {
            "holds"
        } else {
            "short"
        };
        let keys = ["name", "ours", "peer", "peer_name", "ratio", "goal"];
        lines.push([&keys.map(text)[..], &[holds.to_owned()]].concat());
    }
    ui::table(&lines);
}
