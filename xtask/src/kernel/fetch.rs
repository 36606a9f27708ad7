//! From a suite's metapackages to an image, its modules, and the modules built beside them.

use super::manifest::KernelSpec;
use super::{Resolved, modules};
use crate::apt::{self, Apt};
use crate::cache::Cache;
use crate::ui;
use anyhow::{Context, Result, bail};
use std::fs;
use std::path::{Path, PathBuf};

/// Modules no network lab loads: left out, they cost neither disk nor depmod's time.
const WITHOUT: &[&str] = &[
    "*/kernel/sound",
    "*/drivers/gpu",
    "*/drivers/media",
    "*/drivers/staging",
    "*/drivers/iio",
    "*/drivers/usb",
    "*/net/wireless",
    "*/drivers/scsi",
    "*/drivers/hwmon",
    "*/drivers/input",
    "*/drivers/mtd",
    "*/drivers/platform",
    "*/drivers/comedi",
    "*/drivers/ata",
    "*/drivers/mfd",
    "*/drivers/bluetooth",
    "*/drivers/isdn",
    "*/drivers/power",
    "*/drivers/leds",
];

/// Fills `partial` with the kernel.
pub(super) fn fill(cache: &Cache, spec: &KernelSpec, partial: &Path) -> Result<()> {
    let apt = Apt::with_suites(
        &cache.root().join("apt").join(&spec.suite),
        &[&spec.suite],
        false,
    )?;
    ui::step(&format!("package lists of {}", spec.suite), || apt.update())?;
    let image = image_package(&apt, spec)?;
    let release = image.trim_start_matches("linux-image-").to_owned();
    let mut packages = vec![image.clone()];
    // From 7.x on the image package is empty and names others for what it used to hold.
    let others = ["binary", "modules", "base"].map(|part| format!("linux-{part}-{release}"));
    let parts = apt.depends(&image)?.into_iter();
    packages.extend(parts.filter(|package| others.contains(package)));
    let sources = match spec.build.is_empty() {
        true => Vec::new(),
        false => modules::build_packages(&apt, &release)?,
    };
    let work = partial.join("work");
    let mut debs = apt.download(
        &[packages.clone(), sources.clone()].concat(),
        &work.join("debs"),
    )?;
    debs.extend(busybox(cache, &work.join("busybox-deb"))?);
    let tree = work.join("tree");
    let (source_debs, debs): (Vec<PathBuf>, Vec<PathBuf>) = debs
        .into_iter()
        .partition(|deb| file_name(deb).starts_with("linux-source-"));
    ui::step("unpack", || {
        debs.iter()
            .try_for_each(|deb| apt::unpack(deb, &tree, WITHOUT))
    })?;
    let mut built = Vec::new();
    if let Some(source) = source_debs.first() {
        let folders: Vec<&str> = spec.build.iter().map(|b| b.folder.as_str()).collect();
        let what = format!("build {}", folders.join(", "));
        built = ui::step(&what, || {
            modules::build(source, &tree, &release, &spec.build, &work)
        })?;
    }
    keep(&tree, &release, partial)?;
    modules::index(partial, &release)?;
    let versions = |path: &PathBuf| file_name(path).trim_end_matches(".deb").replace("%3a", ":");
    let resolved = Resolved {
        release,
        packages: debs.iter().chain(&source_debs).map(versions).collect(),
        built,
        recipe: super::recipe(spec),
    };
    fs::remove_dir_all(&work).context("cannot remove the unpacked packages")?;
    let json =
        serde_json::to_string_pretty(&resolved).context("cannot write down what was resolved")?;
    fs::write(partial.join("resolved.json"), json).context("cannot write resolved.json")?;
    Ok(())
}

/// The image package the suite's metapackage names, checked against the kernel's name.
fn image_package(apt: &Apt, spec: &KernelSpec) -> Result<String> {
    let depends = apt.depends("linux-image-amd64")?;
    let image = depends.into_iter().find(|p| p.starts_with("linux-image-"));
    let image = image.context("the metapackage linux-image-amd64 names no image")?;
    let version = image.trim_start_matches("linux-image-");
    if !version.starts_with(&format!("{}.", spec.name)) {
        bail!(
            "{} has moved on to {version}: change lab/kernels.toml to the kernel you want",
            spec.suite
        );
    }
    Ok(image)
}

/// busybox for the initramfs; the backports suites do not carry it.
fn busybox(cache: &Cache, folder: &Path) -> Result<Vec<PathBuf>> {
    let apt = Apt::with_suites(&cache.root().join("apt/bookworm"), &["bookworm"], false)?;
    apt.update()?;
    apt.download(&["busybox-static".to_owned()], folder)
}

/// Moves what a boot needs out of the unpacked tree.
fn keep(tree: &Path, release: &str, into: &Path) -> Result<()> {
    let first = |choices: &[String]| {
        let found = choices
            .iter()
            .map(|c| tree.join(c))
            .find(|path| path.exists());
        found.with_context(|| format!("the packages hold none of {}", choices.join(", ")))
    };
    let image = first(&[
        format!("boot/vmlinuz-{release}"),
        format!("usr/lib/modules/{release}/vmlinuz"),
        format!("lib/modules/{release}/vmlinuz"),
    ])?;
    fs::rename(&image, into.join("vmlinuz")).context("cannot keep the kernel's image")?;
    let modules = first(&[
        format!("usr/lib/modules/{release}"),
        format!("lib/modules/{release}"),
    ])?;
    fs::create_dir_all(into.join("lib/modules")).context("cannot create lib/modules")?;
    fs::rename(&modules, into.join("lib/modules").join(release))
        .context("cannot keep the modules")?;
    let busybox = first(&["bin/busybox".to_owned(), "usr/bin/busybox".to_owned()])?;
    fs::rename(&busybox, into.join("busybox")).context("cannot keep busybox")?;
    Ok(())
}

fn file_name(path: &Path) -> String {
    path.file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned()
}
