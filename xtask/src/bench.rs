//! `cargo xtask bench`: ratios against named peers, both sides in one run.

use crate::lab::{HAND_OVER, Lab, target_folder};
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
    let wanted = |name: &&&str| names.is_empty() || names.iter().any(|n| n == **name);
    for name in NAMES.iter().filter(wanted) {
        let program = |name: &str| programs.join(name).display().to_string();
        let argv = [
            program("benches"),
            (*name).to_owned(),
            "--ours".to_owned(),
            program("rc_pingpong"),
            "--json".to_owned(),
            HAND_OVER.to_owned(),
        ];
        let done = lab.command(&argv, DEADLINE, Output::Shown)?;
        let file = done.file.unwrap_or_default();
        if done.code != 0 || file.is_empty() {
            bail!(
                "{name} ended with {} and {} bytes of rows",
                done.code,
                file.len()
            );
        }
        let found: Vec<Value> =
            serde_json::from_slice(&file).context("a benchmark's rows are no JSON")?;
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
