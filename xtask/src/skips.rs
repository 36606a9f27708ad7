//! `lab/skips.toml`: which tests may say that they cannot run, where, and why.

use crate::guests::Outcome;
use anyhow::{Context, Result};
use lab::{TestCase, Verdict};
use serde::Deserialize;
use std::fs;
use std::path::Path;

/// The list.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Skips {
    #[serde(default, rename = "skip")]
    skips: Vec<Skip>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Skip {
    test: String,
    kernels: Vec<String>,
    reason: String,
}

impl Skip {
    fn names(&self, id: &str) -> bool {
        match self.test.strip_suffix('*') {
            Some(start) => id.starts_with(start),
            None => id == self.test,
        }
    }

    fn covers(&self, id: &str, kernel: &str) -> bool {
        self.names(id) && self.kernels.iter().any(|listed| listed == kernel)
    }
}

impl Skips {
    /// Reads the list of this checkout.
    pub(crate) fn read(checkout: &Path) -> Result<Skips> {
        let path = checkout.join("lab/skips.toml");
        let text =
            fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        toml::from_str(&text).with_context(|| format!("cannot understand {}", path.display()))
    }

    /// Turns a skip that is not listed, or listed for another reason, into a failure; and a pass
    /// that is listed as a skip.
    pub(crate) fn judge(&self, kernel: &str, outcome: &mut Outcome) {
        let listed = self
            .skips
            .iter()
            .find(|skip| skip.covers(&outcome.id, kernel));
        let why = match (&outcome.verdict, listed) {
            (Verdict::Skipped { reason }, Some(skip)) if *reason == skip.reason => return,
            (Verdict::Skipped { reason }, Some(skip)) => {
                format!(
                    "skipped because {reason:?}; lab/skips.toml lists it for {:?}",
                    skip.reason
                )
            }
            (Verdict::Skipped { reason }, None) => {
                format!("skipped without being listed in lab/skips.toml: {reason}")
            }
            (Verdict::Passed, Some(_)) => {
                "lab/skips.toml lists it as skipped, and it ran".to_owned()
            }
            _ => return,
        };
        outcome.verdict = Verdict::Failed { why };
    }

    /// The lines that name no test there is.
    pub(crate) fn stale(&self, cases: &[TestCase]) -> Vec<&str> {
        let unknown = |skip: &&Skip| !cases.iter().any(|case| skip.names(&case.id()));
        self.skips
            .iter()
            .filter(unknown)
            .map(|skip| skip.test.as_str())
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIST: &str = "[[skip]]\ntest = 'a::x*'\nkernels = ['7.2']\nreason = 'no device'\n";

    fn judged(kernel: &str, id: &str, verdict: Verdict) -> Verdict {
        let skips: Skips = toml::from_str(LIST).unwrap();
        let mut outcome = Outcome {
            id: id.to_owned(),
            verdict,
            ms: 1,
            output: String::new(),
        };
        skips.judge(kernel, &mut outcome);
        outcome.verdict
    }

    fn skipped(reason: &str) -> Verdict {
        Verdict::Skipped {
            reason: reason.to_owned(),
        }
    }

    #[test]
    fn a_skip_counts_for_the_listed_test_kernel_and_reason_only() {
        assert_eq!(
            judged("7.2", "a::xy", skipped("no device")),
            skipped("no device")
        );
        for (kernel, id, reason) in [
            ("6.12", "a::xy", "no device"),
            ("7.2", "b::x", "no device"),
            ("7.2", "a::xy", "no time"),
        ] {
            let verdict = judged(kernel, id, skipped(reason));
            assert!(
                matches!(verdict, Verdict::Failed { .. }),
                "{kernel} {id} {reason}"
            );
        }
    }

    #[test]
    fn a_listed_test_that_passes_is_a_failure() {
        let verdict = judged("7.2", "a::x", Verdict::Passed);
        assert!(matches!(verdict, Verdict::Failed { why } if why.contains("and it ran")));
    }

    #[test]
    fn a_line_without_a_test_is_stale() {
        let skips: Skips = toml::from_str(LIST).unwrap();
        assert_eq!(skips.stale(&[]), ["a::x*"]);
    }
}
