//! One line of a result.

use std::fmt;
use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};
use serde::Serialize;

/// One comparison: what was measured on either side, and whether the goal holds.
#[derive(Debug, Serialize)]
pub(crate) struct Row {
    pub(crate) name: String,
    pub(crate) ours: f64,
    pub(crate) peer: f64,
    pub(crate) peer_name: String,
    pub(crate) ratio: f64,
    pub(crate) goal: f64,
    pub(crate) holds: bool,
}

impl Row {
    pub(crate) fn write_all(rows: &[Row], path: &Path) -> Result<()> {
        let json = serde_json::to_string_pretty(rows)?;
        fs::write(path, json + "\n").with_context(|| format!("writing {}", path.display()))
    }
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Row {
            name,
            ours,
            peer,
            peer_name,
            ratio,
            goal,
            holds,
        } = self;
        let verdict = if *holds { "holds" } else { "short" };
        write!(
            f,
            "{name}: ours {ours:.2}, {peer_name} {peer:.2}, ratio {ratio:.3}, "
        )?;
        write!(f, "goal {goal:.2}: {verdict}")
    }
}
