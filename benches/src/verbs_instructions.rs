//! Instructions of a request and its completion: ours against the same in C, and beside sideway and ibverbs.
//!
//! All sides post to and poll the same stand-in for libibverbs, through the same function pointers.

use std::ffi::OsString;
use std::path::Path;

use anyhow::{Context as _, Result};

use crate::callgrind;
use crate::row::{Measure, Row};
use crate::scratch::Scratch;
use crate::tools::Tools;

/// The most instructions that a request and its completion may cost beyond those of the peer in C.
const GOAL: f64 = 90.0;

/// What is posted and polled; and which of the other two can do it, too.
struct Variant {
    name: &'static str,
    others: &'static [&'static str],
}

const VARIANTS: &[Variant] = &[
    Variant {
        name: "send",
        others: &["sideway", "ibverbs"],
    },
    Variant {
        name: "recv",
        others: &["sideway", "ibverbs"],
    },
    Variant {
        name: "write",
        others: &["sideway"],
    },
    // Of sixteen sends, each posted by itself, one is signalled.
    Variant {
        name: "selective",
        others: &["sideway"],
    },
    // Sixteen sends with one doorbell, each signalled.
    Variant {
        name: "batch",
        others: &["sideway"],
    },
];

/// Requests of the two lengths: what a program does once is in both, and not in the difference.
const SHORT: u32 = 1_600;
const LONG: u32 = 8_000;

pub(crate) fn run(tools: &Tools) -> Result<Vec<Row>> {
    let scratch = Scratch::new()?;
    let (ours, in_c) = (Tools::our_verbs()?, tools.verbs("c")?);
    let mut rows = Vec::new();
    for Variant { name, others } in VARIANTS {
        let each = |program: &Path| per_request(tools, &scratch, program, name);
        let ours = each(&ours).context("ours")?;
        let extra = |peer_name: &str, peer: f64| (peer_name.to_owned(), peer, ours - peer);
        let (peer_name, peer, result) = extra("C", each(&in_c).context("C")?);
        rows.push(Row {
            name: format!("verbs-instructions/{name}"),
            ours,
            peer,
            peer_name,
            measure: Measure::Difference,
            result,
            goal: GOAL,
            holds: result <= GOAL,
        });
        for other in *others {
            let program = tools.verbs(other)?;
            if !program.exists() {
                println!("  verbs-instructions/{name}-{other}: {other} could not be built here");
                continue;
            }
            let (peer_name, peer, result) = extra(other, each(&program).context(*other)?);
            // ibverbs leaves to the caller what the others check, and is no more than the floor.
            let goal = if *other == "sideway" { 0.0 } else { GOAL };
            rows.push(Row {
                name: format!("verbs-instructions/{name}-{other}"),
                ours,
                peer,
                peer_name,
                measure: Measure::Difference,
                result,
                goal,
                holds: result <= goal,
            });
        }
    }
    Ok(rows)
}

fn per_request(tools: &Tools, scratch: &Scratch, program: &Path, variant: &str) -> Result<f64> {
    let count = |requests: u32| {
        let file = scratch.path().join("profile");
        let mut words = callgrind::words(tools.callgrind()?, &file)?;
        words.extend([program.into(), variant.into(), requests.to_string().into()]);
        run_to_its_end(&words)?;
        callgrind::instructions(&file)
    };
    Ok((count(LONG)? - count(SHORT)?) / f64::from(LONG - SHORT))
}

fn run_to_its_end(words: &[OsString]) -> Result<()> {
    let (program, arguments) = words.split_first().context("nothing to run")?;
    let mut command = std::process::Command::new(program);
    let output = command.args(arguments).output();
    let output = output.with_context(|| format!("cannot run {words:?}"))?;
    let said = String::from_utf8_lossy(&output.stderr);
    anyhow::ensure!(
        output.status.success(),
        "{words:?}: {}: {said}",
        output.status
    );
    Ok(())
}
