//! What a full run has seen pass, so that it can be resumed; it names the commit it is about.

use crate::run;
use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The result file of a full run.
pub(crate) struct Ledger {
    path: PathBuf,
    record: Record,
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct Record {
    commit: String,
    passed: BTreeSet<String>,
    failed: BTreeSet<String>,
}

impl Ledger {
    /// Opens the ledger of the checkout's commit. Uncommitted changes and other commits start
    /// from nothing.
    pub(crate) fn open(checkout: &Path, folder: &Path) -> Result<Ledger> {
        let git = |args: &[&str]| run::text(Command::new("git").args(args).current_dir(checkout));
        let commit = git(&["rev-parse", "HEAD"])?.trim().to_owned();
        let clean = git(&["status", "--porcelain"])?.trim().is_empty();
        let commit = if clean {
            commit
        } else {
            format!("{commit} with changes")
        };
        let path = folder.join("full-results.json");
        let before = fs::read(&path)
            .ok()
            .and_then(|bytes| serde_json::from_slice::<Record>(&bytes).ok());
        let record = match before {
            Some(record) if clean && record.commit == commit => record,
            _ => Record {
                commit,
                ..Record::default()
            },
        };
        Ok(Ledger { path, record })
    }

    /// Whether this was seen to pass at this commit.
    pub(crate) fn has_passed(&self, what: &str) -> bool {
        self.record.passed.contains(what)
    }

    /// Writes down how something ended.
    pub(crate) fn note(&mut self, what: &str, passed: bool) -> Result<()> {
        if passed {
            self.record.failed.remove(what);
            self.record.passed.insert(what.to_owned());
        } else {
            self.record.failed.insert(what.to_owned());
        }
        let json = serde_json::to_vec_pretty(&self.record).context("cannot write down a result")?;
        let partial = self.path.with_extension("partial");
        fs::write(&partial, json).context("cannot write the result file")?;
        fs::rename(&partial, &self.path).context("cannot write the result file")
    }

    /// Where the results are.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}
