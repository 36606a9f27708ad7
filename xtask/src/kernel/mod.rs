//! The guest's kernels: Debian's stock packages, unpacked in the cache.

mod fetch;
mod initramfs;
mod manifest;
mod modules;

pub(crate) use manifest::{KernelSpec, Manifest};

use crate::apt;
use crate::cache::Cache;
use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use std::fs;
use std::path::{Path, PathBuf};

/// What was resolved and built for one kernel.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Resolved {
    /// `uname -r`.
    pub(crate) release: String,
    /// The packages and their versions.
    pub(crate) packages: Vec<String>,
    /// The modules built out of tree.
    pub(crate) built: Vec<String>,
    /// What it was made from, as [`recipe`] has it: another recipe makes it anew.
    pub(crate) recipe: String,
}

/// A kernel ready to boot.
#[derive(Debug, Clone)]
pub(crate) struct Kernel {
    /// Its name in `lab/kernels.toml`.
    pub(crate) name: String,
    /// What was resolved.
    pub(crate) resolved: Resolved,
    folder: PathBuf,
}

impl Kernel {
    /// The kernel's image.
    pub(crate) fn image(&self) -> PathBuf {
        self.folder.join("vmlinuz")
    }

    /// The folder that serves as `/lib/modules`.
    pub(crate) fn modules(&self) -> PathBuf {
        self.folder.join("lib/modules")
    }

    /// Whether this module was built for it.
    pub(crate) fn has(&self, module: &str) -> bool {
        self.resolved.built.iter().any(|built| built == module)
    }

    /// Writes the initramfs of one boot.
    pub(crate) fn write_initramfs(&self, manifest: &Manifest, path: &Path) -> Result<()> {
        initramfs::write(self, manifest, path)
    }
}

/// The kernel if it is in the cache.
pub(crate) fn cached(root: &Path, spec: &KernelSpec) -> Option<Kernel> {
    let folder = root.join(folder_name(spec));
    let text = fs::read_to_string(folder.join("resolved.json")).ok()?;
    let resolved: Resolved = serde_json::from_str(&text).ok()?;
    let kernel = Kernel {
        name: spec.name.clone(),
        resolved,
        folder,
    };
    let whole = kernel.image().exists() && kernel.modules().exists();
    (whole && kernel.resolved.recipe == recipe(spec)).then_some(kernel)
}

/// What a cached kernel depends on: the manifest's entry and the form of the cache.
fn recipe(spec: &KernelSpec) -> String {
    const FORM: u32 = 1;
    format!("{FORM} {spec:?}")
}

/// The kernel, fetched and built if it is not in the cache.
pub(crate) fn provide(cache: &Cache, spec: &KernelSpec) -> Result<Kernel> {
    if let Some(kernel) = cached(cache.root(), spec) {
        return Ok(kernel);
    }
    eprintln!("  kernel {}: not in the cache yet", spec.name);
    apt::mirror()?;
    cache.require_free(3000)?;
    cache
        .publish(&folder_name(spec), |partial| {
            fetch::fill(cache, spec, partial)
        })
        .with_context(|| format!("kernel {}", spec.name))?;
    cached(cache.root(), spec).context("the kernel just fetched cannot be read back")
}

fn folder_name(spec: &KernelSpec) -> String {
    format!("kernel-{}", spec.name)
}
