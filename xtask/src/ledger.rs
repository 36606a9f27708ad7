//! What a full run has seen pass, so that it can be resumed; it names the commit it is about.

use crate::run;
use anyhow::{Context, Result};
use lab::Verdict;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// The result file of a full run.
pub(crate) struct Ledger {
    path: PathBuf,
    record: Record,
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct Record {
    commit: String,
    results: BTreeMap<String, Verdict>,
}

impl Ledger {
    /// Opens the ledger of the checkout's commit. Another commit starts from nothing, and so does
    /// a checkout with uncommitted changes: nothing says that they are still the same.
    pub(crate) fn open(checkout: &Path, folder: &Path) -> Result<Ledger> {
        let git = |args: &[&str]| {
            run::text(run::program("git").args(args).current_dir(checkout))
                .context("--full names the commit it is about, and needs git for it")
        };
        fs::create_dir_all(folder).context("cannot create the target folder")?;
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

    /// How this ended at this commit, unless it failed or has not run.
    pub(crate) fn settled(&self, what: &str) -> Option<&Verdict> {
        let verdict = self.record.results.get(what);
        verdict.filter(|verdict| !matches!(verdict, Verdict::Failed { .. }))
    }

    /// Writes down how something ended.
    pub(crate) fn note(&mut self, what: &str, verdict: &Verdict) -> Result<()> {
        self.record.results.insert(what.to_owned(), verdict.clone());
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
