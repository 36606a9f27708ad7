//! A network of this process's own: what a benchmark makes or sends stays in it, and a host's firewall rules and
//! neighbours are not part of what is measured.

use std::fs;
use std::process::Command;

use anyhow::{Context as _, Result, bail, ensure};
use nix::errno::Errno;
use nix::sched::{CloneFlags, unshare};
use nix::unistd::{getgid, getuid};

/// The address behind [`black_hole`].
pub(crate) const NOWHERE: &str = "10.7.0.2:4711";

/// Moves this process, while it has one thread, to a fresh network namespace whose loopback device is up. Without
/// privilege it gets a user namespace with it.
pub(crate) fn enter() -> Result<()> {
    match unshare(CloneFlags::CLONE_NEWNET) {
        Ok(()) => {}
        Err(Errno::EPERM) => enter_as_user()?,
        Err(error) => return Err(error).context("cannot make a network namespace"),
    }
    ip("link set lo up")
}

fn enter_as_user() -> Result<()> {
    let (user, group) = (getuid(), getgid());
    let flags = CloneFlags::CLONE_NEWUSER | CloneFlags::CLONE_NEWNET;
    if let Err(error) = unshare(flags) {
        bail!(
            "the ring's benchmarks run in a network namespace of their own, and this process may make neither one nor a \
             user namespace ({error}): run this as root, or allow unprivileged user namespaces (user.max_user_namespaces, \
             kernel.unprivileged_userns_clone, kernel.apparmor_restrict_unprivileged_userns)"
        );
    }
    for (file, line) in [
        ("setgroups", String::from("deny")),
        ("uid_map", format!("0 {user} 1")),
        ("gid_map", format!("0 {group} 1")),
    ] {
        let path = format!("/proc/self/{file}");
        fs::write(&path, line).with_context(|| format!("cannot write {path}"))?;
    }
    Ok(())
}

/// Makes a device that takes everything without a copy and delivers nothing, with a neighbour behind it. Which of the two
/// kinds there is depends on the kernel's configuration.
pub(crate) fn black_hole() -> Result<()> {
    ip("link add hole type ifb")
        .or_else(|_| ip("link add hole type dummy"))
        .context("this kernel has neither ifb nor dummy devices")?;
    ip("link set hole mtu 65535 up")?;
    ip("addr add 10.7.0.1/24 dev hole")?;
    ip("neigh add 10.7.0.2 lladdr 02:00:00:00:00:02 dev hole")
}

fn ip(arguments: &str) -> Result<()> {
    let output = Command::new("ip")
        .args(arguments.split(' '))
        .output()
        .context("cannot run ip, of iproute2")?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "ip {arguments}: {}", said.trim());
    Ok(())
}
