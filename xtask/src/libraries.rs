//! `lab/libraries.toml`: the libraries' own tests that run in the guests too.

use anyhow::{Context, Result};
use serde::Deserialize;
use std::fs;
use std::path::Path;

/// The list.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Libraries {
    #[serde(rename = "library")]
    pub(crate) libraries: Vec<Library>,
}

/// Tests of one library.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Library {
    /// Its package.
    pub(crate) package: String,
    /// Its test targets, by name.
    pub(crate) tests: Vec<String>,
    /// Of the tests in its own modules, those whose name starts with one of these.
    #[serde(default)]
    pub(crate) unit_tests: Vec<String>,
}

impl Libraries {
    /// Reads the list of this checkout.
    pub(crate) fn read(checkout: &Path) -> Result<Libraries> {
        let path = checkout.join("lab/libraries.toml");
        let text =
            fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        toml::from_str(&text).with_context(|| format!("cannot understand {}", path.display()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_of_this_checkout_names_targets_there_are() {
        let checkout = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let libraries = Libraries::read(&checkout).unwrap().libraries;
        assert!(!libraries.is_empty());
        for Library { package, tests, .. } in libraries {
            let folder = checkout.join(package).join("tests");
            for test in tests {
                let file = folder.join(format!("{test}.rs"));
                let main = folder.join(&test).join("main.rs");
                assert!(file.exists() || main.exists(), "{test}");
            }
        }
    }
}
