//! `cargo xtask bench`: ratios against named peers, both sides in one run.

mod peers;
mod verbs_peers;

use crate::lab::{HAND_OVER, Lab, target_folder};
use crate::run;
use crate::ui;
use crate::vm::Output;
use anyhow::{Context, Result, bail};
use peers::Peers;
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;
use verbs_peers::VerbsPeers;

const KERNEL: &str = "6.12";
const DEADLINE: Duration = Duration::from_secs(1200);

/// A benchmark, by its name.
struct Benchmark {
    name: &'static str,
    place: Place,
}

impl Benchmark {
    /// Whether it posts to the stand-in for libibverbs.
    fn needs_verbs_peers(&self) -> bool {
        ["allocations", "verbs-instructions"].contains(&self.name)
    }
}

/// Where a benchmark runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// In the lab's guest, where the device is.
    Lab,
    /// On this machine, in a network namespace of its own: an emulator would be what is measured.
    Here,
}

const fn benchmark(name: &'static str, place: Place) -> Benchmark {
    Benchmark { name, place }
}

const BENCHMARKS: &[Benchmark] = &[
    benchmark("ring-echo-instructions", Place::Here),
    benchmark("ring-echo-cpu", Place::Here),
    benchmark("zc-udp-64k", Place::Here),
    benchmark("zc-auto-small", Place::Here),
    benchmark("zc-auto-loopback", Place::Here),
    benchmark("spin-latency", Place::Here),
    benchmark("allocations", Place::Here),
    benchmark("verbs-instructions", Place::Here),
    benchmark("verbs-pingpong", Place::Lab),
    benchmark("verbs-syscalls", Place::Lab),
];

/// Runs the named benchmarks, or all.
pub(crate) fn run(checkout: &Path, names: &[String], json: Option<&Path>) -> Result<i32> {
    let known = |name: &String| BENCHMARKS.iter().any(|benchmark| benchmark.name == *name);
    if let Some(unknown) = names.iter().find(|name| !known(name)) {
        let known: Vec<&str> = BENCHMARKS.iter().map(|benchmark| benchmark.name).collect();
        bail!("no benchmark {unknown:?}: there are {}", known.join(", "));
    }
    let wanted: Vec<&Benchmark> = BENCHMARKS
        .iter()
        .filter(|benchmark| names.is_empty() || names.iter().any(|name| name == benchmark.name))
        .collect();
    let runs_in = |place| wanted.iter().any(|benchmark| benchmark.place == place);
    let lab = match runs_in(Place::Lab) {
        true => Some(Lab::provide(checkout, KERNEL)?),
        false => None,
    };
    let peers = match runs_in(Place::Here) {
        true => Some(Peers::provide(checkout)?),
        false => None,
    };
    let verbs_peers = match wanted.iter().any(|benchmark| benchmark.needs_verbs_peers()) {
        true => Some(VerbsPeers::provide(checkout)?),
        false => None,
    };
    ui::step("build our side", || {
        let mut cargo = run::cargo(checkout);
        cargo.args(["build", "--quiet", "--release", "--package", "benches"]);
        if lab.is_some() {
            cargo.args(["--package", "netprims-examples"]);
        }
        run::shown(&mut cargo)
    })?;
    let programs = target_folder(checkout)?.join("release");
    let mut rows: Vec<Value> = Vec::new();
    for Benchmark { name, .. } in wanted.iter().filter(|one| one.place == Place::Here) {
        let peers = peers.as_ref().context("the peers were not built")?;
        rows.extend(here(&programs, peers, verbs_peers.as_ref(), name)?);
    }
    for Benchmark { name, .. } in wanted.iter().filter(|one| one.place == Place::Lab) {
        let lab = lab.as_ref().context("the lab was not set up")?;
        rows.extend(in_lab(&programs, lab, name)?);
    }
    show(&rows);
    if let Some(path) = json {
        let text = serde_json::to_vec_pretty(&rows).context("cannot write the rows")?;
        fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(0)
}

/// Runs one on this machine.
fn here(
    programs: &Path,
    peers: &Peers,
    verbs_peers: Option<&VerbsPeers>,
    name: &str,
) -> Result<Vec<Value>> {
    let folder = tempfile::tempdir().context("cannot create a folder for the rows")?;
    let file = folder.path().join("rows.json");
    let mut command = Command::new(programs.join("benches"));
    command.arg(name).arg("--json").arg(&file);
    command.arg("--peers").arg(&peers.servers);
    command.arg("--callgrind").arg(&peers.callgrind);
    if let Some(verbs) = verbs_peers {
        command.arg("--verbs-peers").arg(&verbs.programs);
        // Instead of the machine's libibverbs, if it has one.
        command.env("LD_LIBRARY_PATH", &verbs.provider);
    }
    run::shown(&mut command)?;
    parse(&fs::read(&file).context("a benchmark left no rows")?)
}

/// Runs one in the lab's guest.
fn in_lab(programs: &Path, lab: &Lab, name: &str) -> Result<Vec<Value>> {
    let program = |name: &str| PathBuf::from(programs).join(name).display().to_string();
    let argv = [
        program("benches"),
        name.to_owned(),
        "--ours".to_owned(),
        program("rc_pingpong"),
        "--json".to_owned(),
        HAND_OVER.to_owned(),
    ];
    let done = lab.command(&argv, DEADLINE, Output::Shown)?;
    let file = done.file.unwrap_or_default();
    if done.code != 0 || file.is_empty() {
        let (code, len) = (done.code, file.len());
        bail!("{name} ended with {code} and {len} bytes of rows");
    }
    parse(&file)
}

fn parse(rows: &[u8]) -> Result<Vec<Value>> {
    serde_json::from_slice(rows).context("a benchmark's rows are no JSON")
}

fn show(rows: &[Value]) {
    let head = ["name", "ours", "peer", "", "", "", "goal", ""]
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
        let keys = [
            "name",
            "ours",
            "peer",
            "peer_name",
            "measure",
            "result",
            "goal",
        ];
        lines.push([&keys.map(text)[..], &[holds.to_owned()]].concat());
    }
    ui::table(&lines);
}
