//! Whether what netprims-rdma has written down of libibverbs is what rdma-core's headers say, as a C compiler sees them:
//! the oldest and the newest of Debian's releases, unpacked in the cache.

use crate::apt::{self, Apt};
use crate::cache::Cache;
use crate::headers::compile;
use crate::host;
use crate::run;
use crate::ui;
use anyhow::{Context, Result, bail};
use std::fs;
use std::path::{Path, PathBuf};

/// A version of rdma-core.
pub(crate) struct RdmaCore {
    /// What its package's version starts with.
    version: &'static str,
    /// The release of Debian that has it.
    suite: &'static str,
    /// Headers, and the libraries that the links beside them point to.
    packages: &'static [&'static str],
}

/// The oldest, which the lab also links with, and the newest.
pub(crate) const OLDEST: RdmaCore = RdmaCore {
    version: "44.",
    suite: "bookworm",
    packages: &[
        "libibverbs-dev",
        "librdmacm-dev",
        "libibverbs1",
        "librdmacm1",
    ],
};
const NEWEST: RdmaCore = RdmaCore {
    version: "56.",
    suite: "trixie",
    packages: &[
        "libibverbs-dev",
        "librdmacm-dev",
        "libibverbs1",
        "librdmacm1t64",
    ],
};

const WITHOUT: &[&str] = &["./usr/share/doc", "./usr/share/man", "*.a"];
const MIB: u64 = 50;

/// What is to compile: one assertion a line, each about a struct, a number or a function.
const PROGRAM: &str = "rdma/src/sys/ffi/layout/layout.c";

/// Lies, one of each kind: what a line begins with, and what is put for a part of it.
const LIES: &[(&str, &str, &str)] = &[
    ("WHOLE(struct ibv_mr,", "48, 8", "56, 8"),
    ("FIELD(struct ibv_mr, lkey,", "36, 4", "32, 4"),
    ("TYPE(struct ibv_mr, pd,", "ibv_pd", "ibv_qp"),
    ("UNSIGNED(struct ibv_mr, lkey", "UNSIGNED", "SIGNED"),
    (
        "TYPE(struct ibv_context_ops, poll_cq,",
        "struct ibv_wc *",
        "struct ibv_qp *",
    ),
    (
        "FIELD(struct verbs_context, query_port,",
        "sizeof(struct verbs_context) - ",
        "8 + ",
    ),
    ("CONSTANT(IBV_WR_SEND,", "2", "3"),
    (
        "FUNCTION(ibv_query_qp,",
        "int, struct",
        "unsigned int, struct",
    ),
    ("FUNCTION(ibv_close_device,", "int (*)", "void (*)"),
];

/// Compiles it with both, and looks for each function under its version in both libraries.
pub(crate) fn check(checkout: &Path) -> Result<()> {
    host::provide_programs(&["cc"])?;
    let program = checkout.join(PROGRAM);
    for core in [&OLDEST, &NEWEST] {
        let root = provide(core)?;
        let macros = [format!("RDMA_CORE={}", core.version.trim_end_matches('.'))];
        ui::step(
            &format!(
                "verbs.h of rdma-core {}",
                core.version.trim_end_matches('.')
            ),
            || {
                compile(&root, &program, &macros)?;
                are_noticed(&root, &program, &macros)?;
                are_exported(&root, &program)
            },
        )?;
    }
    Ok(())
}

/// Where its headers and libraries are.
pub(crate) fn provide(core: &RdmaCore) -> Result<PathBuf> {
    let name = format!("rdma-core-{}", core.version.trim_end_matches('.'));
    let cache = Cache::open()?;
    let root = cache.root().join(&name);
    if root.exists() {
        return Ok(root);
    }
    cache.require_free(MIB)?;
    cache.publish(&name, |partial| fill(&cache, core, partial))
}

fn fill(cache: &Cache, core: &RdmaCore, partial: &Path) -> Result<()> {
    let RdmaCore {
        version,
        suite,
        packages,
    } = core;
    let apt = Apt::with_suites(&cache.root().join("apt").join(suite), &[suite], false)?;
    ui::step(&format!("package lists of {suite}"), || apt.update())?;
    let mut wanted = Vec::new();
    for package in *packages {
        let versions = apt.versions(package)?;
        let found = versions
            .into_iter()
            .find(|found| found.starts_with(version));
        let found = found.with_context(|| format!("{suite} has no {package} {version}"))?;
        wanted.push(format!("{package}={found}"));
    }
    let folder = partial.join("debs");
    for deb in apt.download(&wanted, &folder)? {
        apt::unpack(&deb, partial, WITHOUT)?;
    }
    fs::remove_dir_all(&folder).context("cannot remove the packages")
}

/// Fails unless each of the lies is refused: else the headers are not asked.
fn are_noticed(root: &Path, program: &Path, macros: &[String]) -> Result<()> {
    let text = fs::read_to_string(program).context("cannot read the assertions")?;
    let folder = tempfile::tempdir().context("cannot make a folder")?;
    let changed = folder.path().join("changed.c");
    for (start, part, other) in LIES {
        let lie = told(&text, start, part, other);
        let lie = lie.with_context(|| format!("no line {start} … {part}"))?;
        fs::write(&changed, lie).context("cannot write the changed assertions")?;
        if compile(root, &changed, macros).is_ok() {
            bail!("{other} for {part} in {start} … would not be noticed");
        }
    }
    Ok(())
}

/// The text with `other` for `part` in the line that begins with `start`.
fn told(text: &str, start: &str, part: &str, other: &str) -> Option<String> {
    let line = text.lines().find(|line| line.starts_with(start))?;
    let lie = line.replacen(part, other, 1);
    (lie != line).then(|| text.replacen(line, &lie, 1))
}

/// That the library has each function under the symbol version that is asked for, and that this is the one a program is
/// linked with.
fn are_exported(root: &Path, program: &Path) -> Result<()> {
    let library = root
        .join("usr/lib")
        .join(format!("{}-linux-gnu", std::env::consts::ARCH))
        .join("libibverbs.so.1");
    let symbols = run::text(
        run::program("readelf")
            .args(["-W", "--dyn-syms"])
            .arg(library),
    )?;
    let symbols: Vec<&str> = symbols.split_whitespace().collect();
    let text = fs::read_to_string(program).context("cannot read the assertions")?;
    let functions = text
        .lines()
        .filter_map(|line| line.strip_prefix("FUNCTION("));
    let mut count = 0;
    for function in functions {
        let name = function.split(',').next().unwrap_or_default();
        let version = function
            .split("/* ")
            .nth(1)
            .and_then(|rest| rest.split(' ').next());
        let symbol = format!("{name}@@{}", version.unwrap_or_default());
        if !symbols.contains(&symbol.as_str()) {
            bail!("the library has no {symbol}");
        }
        count += 1;
    }
    if count == 0 {
        bail!("no function was looked for");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lie_changes_one_line() {
        let text = "A(1);\nB(1);\nB(2);\n";
        assert_eq!(
            told(text, "B(1", "1", "7").unwrap(),
            "A(1);\nB(7);\nB(2);\n"
        );
        assert_eq!(told(text, "C", "1", "7"), None);
        assert_eq!(told(text, "A", "3", "7"), None);
    }
}
