//! Whether the kernel's structs that netprims has of its own are those of its headers, as a C compiler sees them. The
//! headers are those of the lab's newest kernel, unpacked in the cache as they were when they were first asked for: the
//! machine's own are older.

use crate::apt::{self, Apt};
use crate::cache::Cache;
use crate::host;
use crate::kernel::{KernelSpec, Manifest};
use crate::run;
use crate::ui;
use anyhow::{Context, Result, bail};
use std::fs;
use std::path::Path;

const PACKAGE: &str = "linux-libc-dev";
const WITHOUT: &[&str] = &["./usr/share"];
const MIB: u64 = 50;

/// What is to compile: one assertion a line, each about a struct or a number of the kernel's.
const PROGRAM: &str = "netprims/src/sys/uring/zcrx/abi/layout.c";

/// Compiles it.
pub(crate) fn check(checkout: &Path) -> Result<()> {
    host::provide_programs(&["cc"])?;
    let manifest = Manifest::read(checkout)?;
    let newest = manifest.kernels.last().context("the lab has no kernel")?;
    let name = format!("headers-{}", newest.name);
    let cache = Cache::open()?;
    let mut root = cache.root().join(&name);
    if !root.exists() {
        cache.require_free(MIB)?;
        root = cache.publish(&name, |partial| fill(&cache, newest, partial))?;
    }
    drop(cache);
    let program = checkout.join(PROGRAM);
    let what = format!("structs of the headers of Linux {}", newest.name);
    ui::step(&what, || {
        compile(&root, &program, &[])?;
        is_noticed(&root, &program)
    })
}

/// Compiles a program with the headers under `root` and these macros, without keeping anything.
pub(crate) fn compile(root: &Path, program: &Path, macros: &[String]) -> Result<()> {
    let include = root.join("usr/include");
    let triple = format!("{}-linux-gnu", std::env::consts::ARCH);
    let mut cc = run::program("cc");
    cc.args(["-fsyntax-only", "-Wall", "-Werror", "-isystem"])
        .arg(&include);
    cc.arg("-isystem").arg(include.join(triple));
    cc.args(macros.iter().map(|name| format!("-D{name}")));
    run::quiet(cc.arg(program))?;
    Ok(())
}

/// Fails unless a program that says something else of one struct is refused: else the headers are not asked.
fn is_noticed(root: &Path, program: &Path) -> Result<()> {
    let text = fs::read_to_string(program).context("cannot read the assertions")?;
    let other = text.replacen("== 16,", "== 17,", 1);
    let folder = tempfile::tempdir().context("cannot make a folder")?;
    let changed = folder.path().join("changed.c");
    fs::write(&changed, &other).context("cannot write the changed assertions")?;
    if other == text || compile(root, &changed, &[]).is_ok() {
        bail!("a struct of another size would not be noticed");
    }
    Ok(())
}

fn fill(cache: &Cache, kernel: &KernelSpec, partial: &Path) -> Result<()> {
    let KernelSpec { name, suite, .. } = kernel;
    let apt = Apt::with_suites(&cache.root().join("apt").join(suite), &[suite], false)?;
    ui::step(&format!("package lists of {suite}"), || apt.update())?;
    let start = format!("{name}.");
    let versions = apt.versions(PACKAGE)?;
    let newest = versions
        .into_iter()
        .find(|version| version.starts_with(&start));
    let newest = newest.with_context(|| format!("{suite} has no {PACKAGE} of {name}"))?;
    let folder = partial.join("debs");
    for deb in apt.download(&[format!("{PACKAGE}={newest}")], &folder)? {
        apt::unpack(&deb, partial, WITHOUT)?;
    }
    fs::remove_dir_all(&folder).context("cannot remove the package")
}
