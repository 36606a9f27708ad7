//! Kernel modules: those built out of tree, and the order in which a set of them loads.

use super::manifest::BuildSpec;
use crate::apt::{self, Apt};
use crate::run;
use anyhow::{Context, Result, bail};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::thread;

/// The packages that a module is built with: headers, their scripts, and the source.
pub(super) fn build_packages(apt: &Apt, release: &str) -> Result<Vec<String>> {
    let headers = format!("linux-headers-{release}");
    let parts = apt.depends(&headers)?.into_iter();
    let mut packages: Vec<String> = parts
        .filter(|p| p.starts_with("linux-headers-") || p.starts_with("linux-kbuild-"))
        .collect();
    packages.push(headers);
    let source = apt
        .depends("linux-source")?
        .into_iter()
        .find(|p| p.starts_with("linux-source-"));
    packages.push(source.context("the metapackage linux-source names no source")?);
    Ok(packages)
}

/// Builds folders of the kernel's source as modules; returns the modules' names.
pub(super) fn build(
    source: &Path,
    tree: &Path,
    release: &str,
    specs: &[BuildSpec],
    work: &Path,
) -> Result<Vec<String>> {
    let headers = tree
        .join("usr/src")
        .join(format!("linux-headers-{release}"));
    prepare_headers(&headers, tree)?;
    let sources = extract(source, specs, work)?;
    let updates = modules_folder(tree, release)?.join("updates");
    fs::create_dir_all(&updates).context("cannot create the folder for built modules")?;
    let mut built = Vec::new();
    for spec in specs {
        let folder = sources.join(&spec.folder);
        let name = folder
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        let jobs = thread::available_parallelism().map_or(1, |n| n.get());
        // The headers ask for the compiler the kernel was built with; another one serves.
        let own = run::find("x86_64-linux-gnu-gcc-12").is_some();
        let compiler = ["CC=cc", "HOSTCC=cc"].iter().filter(|_| !own);
        run::quiet(
            run::program("make")
                .args(compiler)
                .arg("-s")
                .arg(format!("-j{jobs}"))
                .arg("-C")
                .arg(&headers)
                .arg(format!("M={}", folder.display()))
                .args([&format!("{}=m", spec.config), "modules"]),
        )
        .with_context(|| format!("cannot build {name}"))?;
        let module = format!("{name}.ko");
        fs::copy(folder.join(&module), updates.join(&module))
            .with_context(|| format!("make built no {module}"))?;
        built.push(name);
    }
    Ok(built)
}

/// The headers name other packages by absolute path, and carry a vmlinux only for BTF.
fn prepare_headers(headers: &Path, tree: &Path) -> Result<()> {
    let path = headers.join("Makefile");
    let makefile =
        fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    let here = makefile.replace("/usr/src/", &format!("{}/usr/src/", tree.display()));
    fs::write(&path, here).with_context(|| format!("cannot write {}", path.display()))?;
    // With a vmlinux the build insists on pahole to add type information nothing here reads.
    let vmlinux = headers.join("vmlinux");
    if vmlinux.exists() {
        fs::remove_file(&vmlinux).context("cannot remove the headers' vmlinux")?;
    }
    Ok(())
}

/// Extracts these folders of the source package.
fn extract(source: &Path, specs: &[BuildSpec], work: &Path) -> Result<PathBuf> {
    let unpacked = work.join("source-package");
    apt::unpack(source, &unpacked, &["./usr/share"])?;
    let packed = unpacked.join("usr/src");
    let entries = fs::read_dir(&packed).context("the source package holds no usr/src")?;
    let archive = entries
        .flatten()
        .map(|entry| entry.path())
        .find(|path| path.to_string_lossy().ends_with(".tar.xz"))
        .context("the source package holds no archive")?;
    let top = archive
        .file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .replace(".tar.xz", "");
    let into = work.join("source");
    fs::create_dir_all(&into).context("cannot create the source folder")?;
    let members = specs.iter().map(|spec| format!("{top}/{}", spec.folder));
    run::quiet(
        run::program("tar")
            .arg("-xJf")
            .arg(&archive)
            .arg("-C")
            .arg(&into)
            .args(members),
    )?;
    Ok(into.join(top))
}

fn modules_folder(tree: &Path, release: &str) -> Result<PathBuf> {
    let choices = ["usr/lib/modules", "lib/modules"].map(|folder| tree.join(folder).join(release));
    let found = choices.into_iter().find(|path| path.exists());
    found.context("the packages hold no modules")
}

/// Runs depmod.
pub(super) fn index(root: &Path, release: &str) -> Result<()> {
    run::quiet(run::program("depmod").arg("-b").arg(root).arg(release))?;
    Ok(())
}

/// What depends on what, as depmod found it.
pub(super) struct Dependencies {
    folder: PathBuf,
    by_name: BTreeMap<String, (String, Vec<String>)>,
    builtin: BTreeSet<String>,
}

impl Dependencies {
    /// Reads depmod's tables in a kernel's modules folder.
    pub(super) fn read(folder: &Path) -> Result<Dependencies> {
        let read = |name: &str| {
            fs::read_to_string(folder.join(name))
                .with_context(|| format!("cannot read {}", folder.join(name).display()))
        };
        let mut by_name = BTreeMap::new();
        for line in read("modules.dep")?.lines() {
            if let Some((path, needs)) = line.split_once(':') {
                let needs = needs.split_whitespace().map(str::to_owned).collect();
                by_name.insert(module_name(path), (path.to_owned(), needs));
            }
        }
        let builtin = read("modules.builtin")?.lines().map(module_name).collect();
        Ok(Dependencies {
            folder: folder.to_owned(),
            by_name,
            builtin,
        })
    }

    /// The files of these modules and of what they need, in an order in which they load.
    /// A module that is neither a file nor built in is an error unless its name ends in `?`.
    pub(super) fn load_order(&self, names: &[String]) -> Result<Vec<PathBuf>> {
        let mut order = Vec::new();
        let mut seen = BTreeSet::new();
        for name in names {
            let required = name.trim_end_matches('?');
            let key = module_name(required);
            match self.by_name.get(&key) {
                // modules.dep lists what a module needs with the deepest need last.
                Some((path, needs)) => {
                    for file in needs.iter().rev().chain([path]) {
                        if seen.insert(file.clone()) {
                            order.push(self.folder.join(file));
                        }
                    }
                }
                None if self.builtin.contains(&key) || required != name => {}
                None => bail!("this kernel has no module {name}"),
            }
        }
        Ok(order)
    }
}

/// A module's bytes, unpacked.
pub(super) fn load(path: &Path) -> Result<Vec<u8>> {
    if path.extension().is_some_and(|extension| extension == "ko") {
        return fs::read(path).with_context(|| format!("cannot read {}", path.display()));
    }
    let mut command = run::program("xz");
    command.args(["-dc"]).arg(path).stdin(Stdio::null());
    Ok(run::quiet(&mut command)?.stdout)
}

/// `kernel/net/foo-bar.ko.xz` and `foo_bar` are the same module.
pub(super) fn module_name(path: &str) -> String {
    let file = path.rsplit('/').next().unwrap_or(path);
    file.split(".ko").next().unwrap_or(file).replace('-', "_")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loads_what_is_needed_first_and_nothing_twice() {
        let folder = tempfile::tempdir().unwrap();
        let dep = "kernel/a.ko.xz:\nkernel/b.ko.xz: kernel/a.ko.xz\nupdates/c-d.ko: kernel/b.ko.xz kernel/a.ko.xz\n";
        fs::write(folder.path().join("modules.dep"), dep).unwrap();
        fs::write(folder.path().join("modules.builtin"), "kernel/in-side.ko\n").unwrap();
        let dependencies = Dependencies::read(folder.path()).unwrap();
        let names = |list: &[&str]| list.iter().map(|n| (*n).to_owned()).collect::<Vec<_>>();
        let order = dependencies
            .load_order(&names(&["c_d", "b", "in_side", "absent?"]))
            .unwrap();
        let expected = ["kernel/a.ko.xz", "kernel/b.ko.xz", "updates/c-d.ko"];
        assert_eq!(order, expected.map(|file| folder.path().join(file)));
        let error = dependencies.load_order(&names(&["gone"])).unwrap_err();
        assert_eq!(error.to_string(), "this kernel has no module gone");
    }
}
