//! netprims-rdma with its feature `link`, which is built against libraries: those of the oldest rdma-core, and libclang
//! for the bindings of rdma-sys, unpacked in the cache. Nothing is installed.

use crate::apt::{self, Apt};
use crate::cache::Cache;
use crate::host;
use crate::run;
use crate::ui;
use crate::verbs;
use anyhow::{Context, Result};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// libclang, with what it needs beyond any Debian's base system; and the packages that the one of libibverbs says it
/// needs.
const SUITE: &str = "bookworm";
const PACKAGES: &[&str] = &[
    "libclang1-14",
    "libllvm14",
    "libz3-4",
    "libedit2",
    "libbsd0",
    "libmd0",
    "libxml2",
    "libicu72",
    "libffi8",
    "libnl-3-dev",
    "libnl-route-3-dev",
];
const WITHOUT: &[&str] = &["./usr/share", "*.a"];
const MIB: u64 = 300;
const FOLDER: &str = "linking";

/// The tests of netprims-rdma that are run in a program that is linked with the library, too: what is found, what is
/// told, and work of each kind; by what their names start with.
pub(crate) const TESTS: &[&str] = &["device_events::", "the_device_", "work::"];

/// Where rdma-sys is told to look.
pub(crate) struct Libraries {
    verbs: PathBuf,
    clang: PathBuf,
}

impl Libraries {
    /// Fetches what is not in the cache.
    pub(crate) fn provide() -> Result<Libraries> {
        host::provide_programs(&["cc", "pkg-config"])?;
        let verbs = verbs::provide(&verbs::OLDEST)?;
        let cache = Cache::open()?;
        let mut clang = cache.root().join(FOLDER);
        if !clang.exists() {
            cache.require_free(MIB)?;
            clang = cache.publish(FOLDER, |partial| fill(&cache, partial))?;
        }
        Ok(Libraries { verbs, clang })
    }

    /// Has a cargo find them.
    pub(crate) fn tell(&self, cargo: &mut Command) -> Result<()> {
        let triple = format!("{}-linux-gnu", std::env::consts::ARCH);
        let library = |root: &Path| root.join("usr/lib").join(&triple);
        let configs = [&self.verbs, &self.clang].map(|root| library(root).join("pkgconfig"));
        let join =
            |folders: &[PathBuf]| std::env::join_paths(folders).context("a path has a colon");
        cargo.env("PKG_CONFIG_PATH", join(&configs)?);
        cargo.env("PKG_CONFIG_SYSROOT_DIR", &self.verbs);
        cargo.env("LIBRARY_PATH", library(&self.verbs));
        cargo.env("LIBCLANG_PATH", self.clang.join("usr/lib/llvm-14/lib"));
        cargo.env("LD_LIBRARY_PATH", library(&self.clang));
        // The headers of the compiler itself are gcc's: clang's are in a package of their own.
        let own = run::text(run::program("cc").arg("-print-file-name=include"))?;
        let include = self.verbs.join("usr/include");
        let include = include.display();
        let arguments = format!("-isystem {} -isystem {include}", own.trim());
        cargo.env("BINDGEN_EXTRA_CLANG_ARGS", arguments);
        Ok(())
    }
}

fn fill(cache: &Cache, partial: &Path) -> Result<()> {
    let apt = Apt::with_suites(&cache.root().join("apt").join(SUITE), &[SUITE], false)?;
    ui::step(&format!("package lists of {SUITE}"), || apt.update())?;
    let packages = PACKAGES.iter().map(|package| (*package).to_owned());
    let folder = partial.join("debs");
    for deb in apt.download(&packages.collect::<Vec<_>>(), &folder)? {
        apt::unpack(&deb, partial, WITHOUT)?;
    }
    fs::remove_dir_all(&folder).context("cannot remove the packages")
}

/// Lints of the crate with the feature.
pub(crate) fn check(checkout: &Path) -> Result<()> {
    let libraries = Libraries::provide()?;
    let mut cargo = run::cargo(checkout);
    libraries.tell(&mut cargo)?;
    cargo.args(["clippy", "--quiet", "--profile", crate::suite::PROFILE]);
    cargo.args([
        "--package",
        "netprims-rdma",
        "--features",
        "link",
        "--",
        "-D",
        "warnings",
    ]);
    ui::step("lints of netprims-rdma --features link", || {
        run::shown(&mut cargo)
    })
}
