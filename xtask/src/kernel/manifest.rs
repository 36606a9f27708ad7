use anyhow::{Context, Result};
use serde::Deserialize;
use std::fs;
use std::path::Path;

/// `lab/kernels.toml`.
#[derive(Debug, Deserialize)]
pub(crate) struct Manifest {
    /// The kernels, oldest first.
    #[serde(rename = "kernel")]
    pub(crate) kernels: Vec<KernelSpec>,
    /// Modules loaded in every guest; `?` marks those a kernel may lack.
    pub(crate) modules: Vec<String>,
    /// Kernel-log fragments that fail a test.
    pub(crate) fatal_log: Vec<String>,
}

/// One kernel.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct KernelSpec {
    /// What people call it, the prefix of its version.
    pub(crate) name: String,
    /// The Debian suite whose metapackage names it.
    pub(crate) suite: String,
    /// Folders of the kernel's source to build as modules out of tree.
    pub(crate) build: Vec<BuildSpec>,
}

/// A module to build.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct BuildSpec {
    /// Its folder in the kernel's source; the module has the folder's name.
    pub(crate) folder: String,
    /// The option that asks for it.
    pub(crate) config: String,
}

impl Manifest {
    /// Reads the manifest of this checkout.
    pub(crate) fn read(checkout: &Path) -> Result<Manifest> {
        let path = checkout.join("lab/kernels.toml");
        let text =
            fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        toml::from_str(&text).with_context(|| format!("cannot understand {}", path.display()))
    }

    /// The kernel of this name.
    pub(crate) fn kernel(&self, name: &str) -> Result<&KernelSpec> {
        let known: Vec<&str> = self.kernels.iter().map(|k| k.name.as_str()).collect();
        self.kernels
            .iter()
            .find(|kernel| kernel.name == name)
            .with_context(|| format!("no kernel {name:?}: the lab has {}", known.join(", ")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_manifest_of_this_checkout_reads_and_an_unknown_kernel_is_named() {
        let checkout = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        let manifest = Manifest::read(checkout).unwrap();
        assert_eq!(manifest.kernel("6.12").unwrap().suite, "bookworm-backports");
        let error = manifest.kernel("5.4").unwrap_err().to_string();
        assert_eq!(error, "no kernel \"5.4\": the lab has 6.1, 6.12, 7.2");
    }
}
