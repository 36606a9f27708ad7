//! What the ring is measured against and with: other runtimes, a server in C, and the program that counts instructions.

use crate::apt::{self, Apt};
use crate::cache::Cache;
use crate::host;
use crate::lab::target_folder;
use crate::run;
use crate::ui;
use anyhow::{Context, Result, bail};
use std::fs;
use std::path::{Path, PathBuf};

const SUITE: &str = "trixie";

/// liburing is newer than the kernel headers of older releases, so they come with it. valgrind is the same everywhere,
/// since what it counts is compared.
const PACKAGES: &[&str] = &["liburing-dev", "linux-libc-dev", "valgrind"];
const WITHOUT: &[&str] = &["./usr/share"];
const MIB: u64 = 300;

/// The programs, built and unpacked.
pub(super) struct Peers {
    /// The folder with the echo servers.
    pub(super) servers: PathBuf,
    /// valgrind's tool that counts instructions.
    pub(super) callgrind: PathBuf,
}

impl Peers {
    /// Sees to it that they are there.
    pub(super) fn provide(checkout: &Path) -> Result<Peers> {
        let cache = Cache::open()?;
        host::provide_programs(&["cc", "ip"])?;
        let name = "bench-peers";
        let mut packages = cache.root().join(name);
        if !packages.exists() {
            cache.require_free(MIB)?;
            packages = cache.publish(name, |partial| fill(&cache, partial))?;
        }
        drop(cache);
        let target = target_folder(checkout)?.join("bench-peers");
        let servers = target.join("release");
        ui::step("build the peers", || {
            let mut cargo = run::cargo(checkout);
            cargo.current_dir(checkout.join("benches/peers"));
            cargo.args(["build", "--quiet", "--locked", "--release", "--target-dir"]);
            run::shown(cargo.arg(&target))?;
            compile(checkout, &packages, &servers.join("echo_liburing"))
        })?;
        let machine = triple()?.1;
        let callgrind = packages.join(format!("usr/libexec/valgrind/callgrind-{machine}-linux"));
        Ok(Peers { servers, callgrind })
    }
}

/// The server in C, with liburing in it.
fn compile(checkout: &Path, packages: &Path, program: &Path) -> Result<()> {
    let triple = triple()?.0;
    let include = packages.join("usr/include");
    let mut cc = run::program("cc");
    cc.args(["-O2", "-Wall", "-Wextra", "-Werror", "-o"])
        .arg(program);
    cc.arg("-isystem").arg(&include);
    cc.arg("-isystem").arg(include.join(triple));
    cc.arg(checkout.join("benches/peers/echo_liburing.c"));
    cc.arg(packages.join(format!("usr/lib/{triple}/liburing.a")));
    run::quiet(&mut cc).context("the peer in C")?;
    Ok(())
}

/// This machine, as Debian's folders and as valgrind's tools name it.
fn triple() -> Result<(&'static str, &'static str)> {
    match std::env::consts::ARCH {
        "x86_64" => Ok(("x86_64-linux-gnu", "amd64")),
        "aarch64" => Ok(("aarch64-linux-gnu", "arm64")),
        other => bail!("the ring's benchmarks know no packages for {other}"),
    }
}

fn fill(cache: &Cache, partial: &Path) -> Result<()> {
    let apt = Apt::with_suites(&cache.root().join("apt").join(SUITE), &[SUITE], false)?;
    ui::step(&format!("package lists of {SUITE}"), || apt.update())?;
    let packages: Vec<String> = PACKAGES.iter().map(|name| (*name).to_owned()).collect();
    let folder = partial.join("debs");
    for deb in apt.download(&packages, &folder)? {
        apt::unpack(&deb, partial, WITHOUT)?;
    }
    fs::remove_dir_all(&folder).context("cannot remove the packages")
}
