//! Instructions per request, ours against a C program on liburing.

use std::ffi::OsString;
use std::path::Path;

use anyhow::{Context as _, Result};

use super::server::Server;
use crate::callgrind;
use crate::cpus::{self, HERE};
use crate::row::{Measure, Row};
use crate::scratch::Scratch;
use crate::stats::median;
use crate::tools::Tools;

/// The most instructions that a request may cost beyond those of the peer.
const GOAL: f64 = 120.0;

const RUNS: usize = 7;

/// Requests of the two lengths: what a server does once is in both, and not in the difference.
const SHORT: u32 = 1_000;
const LONG: u32 = 5_000;

pub(crate) fn run(tools: &Tools) -> Result<Vec<Row>> {
    let scratch = Scratch::new()?;
    let cpus = cpus::Pair::choose()?;
    cpus::pin(HERE, cpus.near)?;
    let count = |program: &Path, requests| {
        let file = scratch.path().join("profile");
        let mut words = callgrind::words(tools.callgrind()?, &file)?;
        words.push(OsString::from(program));
        let mut server = Server::start(&words, cpus.far)?;
        server.serve(requests)?;
        server.finish()?;
        callgrind::instructions(&file)
    };
    let per_request = |program: &Path| {
        let counted = count(program, LONG)? - count(program, SHORT)?;
        Ok::<f64, anyhow::Error>(counted / f64::from(LONG - SHORT))
    };
    let (our_program, peer_program) = (Tools::our_echo()?, tools.echo("liburing")?);
    let (mut ours, mut peer) = (Vec::new(), Vec::new());
    for _ in 0..RUNS {
        ours.push(per_request(&our_program).context("ours")?);
        peer.push(per_request(&peer_program).context("liburing")?);
    }
    println!("ring-echo-instructions: per request, ours {ours:.1?}, liburing {peer:.1?}");
    let (ours, peer) = (median(&ours), median(&peer));
    let extra = ours - peer;
    Ok(vec![Row {
        name: String::from("ring-echo-instructions"),
        ours,
        peer,
        peer_name: String::from("liburing"),
        measure: Measure::Difference,
        result: extra,
        goal: GOAL,
        holds: extra <= GOAL,
    }])
}
