//! Whether the libraries build with the oldest Rust they say they do. Clippy knows which functions came
//! when, but not what an older compiler makes of lifetimes, so that compiler itself is asked: the one
//! Debian has, unpacked in the cache together with the libraries it runs on.

use crate::apt::{self, Apt};
use crate::cache::Cache;
use crate::features;
use crate::lab::target_folder;
use crate::run;
use crate::ui;
use anyhow::{Context, Result, bail};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

const SUITE: &str = "trixie";
const PACKAGES: &[&str] = &[
    "rustc",
    "libstd-rust-dev",
    "libstd-rust-1.85",
    "libllvm19",
    "libc6",
    "libgcc-s1",
    "libstdc++6",
    "libz3-4",
    "zlib1g",
    "libzstd1",
    "libedit2",
    "libxml2",
    "libffi8",
    "libtinfo6",
    "libbsd0",
    "libmd0",
];
const WITHOUT: &[&str] = &["./usr/share", "*/gconv"];
const MIB: u64 = 1024;

/// Runs the unpacked compiler on the unpacked C library: the machine's own may be older.
const WRAPPER: &str = r#"#!/bin/sh
root=${0%/*}
lib=$root/usr/lib/x86_64-linux-gnu
exec "$lib/ld-linux-x86-64.so.2" --argv0 rustc --library-path "$lib" "$root/usr/bin/rustc" --sysroot "$root/usr" "$@"
"#;

/// Checks the three libraries with the compiler of their `rust-version`.
pub(crate) fn check(checkout: &Path) -> Result<()> {
    let declared = env!("CARGO_PKG_RUST_VERSION");
    let name = format!("rust-{declared}");
    let cache = Cache::open()?;
    let mut root = cache.root().join(&name);
    if !root.exists() {
        cache.require_free(MIB)?;
        root = cache.publish(&name, |partial| fill(&cache, partial))?;
    }
    drop(cache);
    let rustc = root.join("rustc");
    let version = run::text(run::program(&rustc.to_string_lossy()).arg("--version"))?;
    if !version.starts_with(&format!("rustc {declared}.")) {
        bail!(
            "{SUITE} has {}, and rust-version is {declared}: name a suite that has it in xtask/src/msrv.rs",
            version.trim()
        );
    }
    let args = ["check", "--quiet"];
    let libraries = [
        "-p",
        "netprims",
        "-p",
        "netprims-rdma",
        "-p",
        "netprims-sriov",
    ];
    ui::step(&format!("libraries with Rust {declared}"), || {
        run::shown(
            run::cargo(checkout)
                .args(args)
                .args(libraries)
                .args(features::ALL)
                .env("RUSTC", &rustc)
                .env("CARGO_TARGET_DIR", target_folder(checkout)?.join("msrv")),
        )
    })
}

fn fill(cache: &Cache, partial: &Path) -> Result<()> {
    let apt = Apt::with_suites(&cache.root().join("apt").join(SUITE), &[SUITE], false)?;
    ui::step(&format!("package lists of {SUITE}"), || apt.update())?;
    let packages: Vec<String> = PACKAGES.iter().map(|name| (*name).to_owned()).collect();
    let folder = partial.join("debs");
    let debs = apt.download(&packages, &folder)?;
    for deb in &debs {
        apt::unpack(deb, partial, WITHOUT)?;
    }
    fs::remove_dir_all(&folder).context("cannot remove the packages")?;
    let rustc = partial.join("rustc");
    fs::write(&rustc, WRAPPER).context("cannot write the compiler's wrapper")?;
    fs::set_permissions(&rustc, fs::Permissions::from_mode(0o755))
        .context("cannot make the wrapper executable")?;
    Ok(())
}
