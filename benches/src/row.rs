//! One line of a result.

use std::fmt;
use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};
use serde::Serialize;

use crate::stats::{median, median_ratio};

/// How the two sides are compared.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Measure {
    /// Ours as a multiple of the peer's.
    Ratio,
    /// Ours less the peer's.
    Difference,
}

/// One comparison: what was measured on either side, and whether the goal holds.
#[derive(Debug, Serialize)]
pub(crate) struct Row {
    pub(crate) name: String,
    pub(crate) ours: f64,
    pub(crate) peer: f64,
    pub(crate) peer_name: String,
    pub(crate) measure: Measure,
    /// What the goal is about.
    pub(crate) result: f64,
    pub(crate) goal: f64,
    pub(crate) holds: bool,
}

impl Row {
    /// Ours must be at least so many times as much as the peer's: throughput.
    pub(crate) fn at_least(name: &str, ours: &[f64], peer: (&str, &[f64]), goal: f64) -> Self {
        let row = Self::at_most(name, ours, peer, goal);
        Row {
            holds: row.result >= goal,
            ..row
        }
    }

    /// Ours must be at most so many times as much as the peer's: time. Each of ours was measured right after, or right
    /// before, the peer's at the same place.
    pub(crate) fn at_most(name: &str, ours: &[f64], peer: (&str, &[f64]), goal: f64) -> Self {
        let (peer_name, peer) = peer;
        let result = median_ratio(ours, peer);
        Row {
            name: name.to_owned(),
            ours: median(ours),
            peer: median(peer),
            peer_name: peer_name.to_owned(),
            measure: Measure::Ratio,
            result,
            goal,
            holds: result <= goal,
        }
    }

    pub(crate) fn write_all(rows: &[Row], path: &Path) -> Result<()> {
        let json = serde_json::to_string_pretty(rows)?;
        fs::write(path, json + "\n").with_context(|| format!("writing {}", path.display()))
    }
}

impl fmt::Display for Measure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ratio => "ratio",
            Self::Difference => "difference",
        })
    }
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Row {
            name,
            ours,
            peer,
            peer_name,
            measure,
            result,
            goal,
            holds,
        } = self;
        let verdict = if *holds { "holds" } else { "short" };
        write!(
            f,
            "{name}: ours {ours:.2}, {peer_name} {peer:.2}, {measure} {result:.3}, "
        )?;
        write!(f, "goal {goal:.2}: {verdict}")
    }
}
