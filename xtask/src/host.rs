//! What this machine itself must have: QEMU, rdma-core's programs, a few tools.

use crate::apt::{self, Apt};
use crate::cache::Cache;
use crate::run;
use crate::ui;
use anyhow::{Result, bail};
use nix::unistd::Uid;
use std::collections::BTreeSet;
use std::path::Path;

const QEMU: &str = "qemu-system-x86_64";
const QEMU_MAJOR: u32 = 8;

/// What must be found, and the Debian package that brings it.
const NEEDS: &[(Need, &str)] = &[
    (Need::Program("ip"), "iproute2"),
    (Need::Program("rdma"), "iproute2"),
    (Need::Program("depmod"), "kmod"),
    (Need::Program("make"), "make"),
    (Need::Program("cc"), "gcc"),
    (Need::Program("xz"), "xz-utils"),
    (Need::Program("setpriv"), "util-linux"),
    (Need::Program("strace"), "strace"),
    (Need::Program("pkg-config"), "pkgconf"),
    (Need::Program("ibv_rc_pingpong"), "ibverbs-utils"),
    (Need::Program("rping"), "rdmacm-utils"),
    (
        Need::File("/etc/libibverbs.d/rxe.driver"),
        "ibverbs-providers",
    ),
    (Need::File("/usr/include/libelf.h"), "libelf-dev"),
    (Need::File(apt::KEYRING), "debian-archive-keyring"),
];

enum Need {
    Program(&'static str),
    File(&'static str),
}

impl Need {
    fn met(&self) -> bool {
        match self {
            Need::Program(name) => run::find(name).is_some(),
            Need::File(path) => Path::new(path).exists(),
        }
    }
}

/// Sees to it that this machine has what the lab needs: installs it when run as root where there
/// is apt (saying what), stops with the list otherwise.
pub(crate) fn provide(cache: &Cache) -> Result<()> {
    if std::env::consts::ARCH != "x86_64" {
        bail!(
            "the lab's kernels are for x86-64, and this machine is {}",
            std::env::consts::ARCH
        );
    }
    let missing = missing_packages(|_| true);
    let qemu = qemu_major();
    let qemu_missing = qemu.is_none_or(|major| major < QEMU_MAJOR);
    if missing.is_empty() && !qemu_missing {
        return Ok(());
    }
    let mut wanted: Vec<String> = missing.iter().map(|p| (*p).to_owned()).collect();
    if qemu_missing {
        let found = qemu.map_or("none found".to_owned(), |major| format!("found {major}"));
        wanted.push(format!("qemu-system-x86 (>= {QEMU_MAJOR}; {found})"));
    }
    may_install(&wanted)?;
    if !missing.is_empty() {
        ui::step("install tools", || apt::install(&missing))?;
    }
    if qemu_missing {
        ui::step("install QEMU", || install_qemu(cache))?;
    }
    let still = missing_packages(|_| true);
    if !still.is_empty() || qemu_major().is_none_or(|major| major < QEMU_MAJOR) {
        bail!(
            "installed, and still missing: {} (QEMU {:?})",
            still.join(", "),
            qemu_major()
        );
    }
    Ok(())
}

/// Sees to it that this machine has some of the programs the lab needs, in the same way.
pub(crate) fn provide_programs(names: &[&str]) -> Result<()> {
    let asked = |need: &Need| matches!(need, Need::Program(name) if names.contains(name));
    let packages = missing_packages(asked);
    if packages.is_empty() {
        return Ok(());
    }
    may_install(&packages)?;
    ui::step("install tools", || apt::install(&packages))?;
    let still = missing_packages(asked);
    if !still.is_empty() {
        bail!("installed, and still missing: {}", still.join(", "));
    }
    Ok(())
}

/// The packages of the needs that are asked for and not met.
fn missing_packages(asked: impl Fn(&Need) -> bool) -> Vec<&'static str> {
    let unmet = NEEDS.iter().filter(|(need, _)| asked(need) && !need.met());
    let packages: BTreeSet<&str> = unmet.map(|(_, package)| *package).collect();
    packages.into_iter().collect()
}

/// Stops with the list where packages cannot be installed; says so, and gets ready, where they can.
fn may_install<Name: AsRef<str>>(packages: &[Name]) -> Result<()> {
    let names: Vec<&str> = packages.iter().map(AsRef::as_ref).collect();
    let names = names.join(", ");
    if !Uid::effective().is_root() || !apt::available() {
        bail!(
            "these Debian packages are needed: {names}; install them, or run this as root on Debian or Ubuntu"
        );
    }
    eprintln!("  installing on this machine: {names}");
    ui::step("package lists", apt::update)
}

/// The distribution's QEMU if it is new enough, else the one of its backports.
fn install_qemu(cache: &Cache) -> Result<()> {
    let new_enough = |version: &String| {
        let upstream = version
            .split_once(':')
            .map_or(version.as_str(), |(_, rest)| rest);
        leading_number(upstream).is_some_and(|major| major >= QEMU_MAJOR)
    };
    if apt::candidate("qemu-system-x86")
        .as_ref()
        .is_some_and(new_enough)
    {
        return apt::install(&["qemu-system-x86"]);
    }
    let codename = apt::os_release("VERSION_CODENAME").unwrap_or_default();
    if codename != "bookworm" {
        bail!("this release ({codename}) has no QEMU {QEMU_MAJOR} or newer: install one by hand");
    }
    let backports = "bookworm-backports";
    let folder = cache.root().join("apt/host");
    let apt = Apt::with_suites(&folder, &["bookworm", backports], true)?;
    apt.update()?;
    apt.install(&["qemu-system-x86"], backports)
}

/// QEMU's major version, if there is a QEMU.
pub(crate) fn qemu_major() -> Option<u32> {
    let said = run::text(run::program(QEMU).arg("--version")).ok()?;
    leading_number(said.split_once("version ")?.1)
}

fn leading_number(text: &str) -> Option<u32> {
    let digits = text.split(|c: char| !c.is_ascii_digit()).next()?;
    digits.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_major_versions() {
        assert_eq!(leading_number("10.0.2+ds"), Some(10));
        assert_eq!(leading_number("7.2"), Some(7));
        assert_eq!(leading_number("x"), None);
    }
}
