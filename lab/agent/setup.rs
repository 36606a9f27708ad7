//! What every guest has before its work begins: loopback, a veth pair, an rxe and (where the
//! kernel has it) a siw device on it, and the kernel's modules where `modprobe` looks for them.

use anyhow::{Context, Result, bail};
use lab::Job;
use std::fs;
use std::process::Command;

/// Sets the machine up; returns what this kernel lacks.
pub(crate) fn prepare(job: &Job) -> Result<Vec<String>> {
    fs::create_dir_all("/lib/modules").context("create /lib/modules")?;
    let modules = job.modules.display().to_string();
    sh(&["mount", "--bind", &modules, "/lib/modules"])?;
    sh(&["ip", "link", "set", "lo", "up"])?;
    sh(&[
        "ip", "link", "add", "v0", "type", "veth", "peer", "name", "v1",
    ])?;
    sh(&["ip", "addr", "add", "10.9.0.1/24", "dev", "v0"])?;
    sh(&["ip", "addr", "add", "10.9.1.1/24", "dev", "v1"])?;
    sh(&["ip", "link", "set", "v0", "up"])?;
    sh(&["ip", "link", "set", "v1", "up"])?;
    let mut missing = Vec::new();
    for (kind, netdev) in [("rxe", "v0"), ("siw", "v1")] {
        let name = format!("{kind}0");
        let added = sh(&["rdma", "link", "add", &name, "type", kind, "netdev", netdev]);
        if let Err(error) = added {
            missing.push(format!("{name} ({error:#})"));
        }
    }
    if fs::metadata("/sys/bus/netdevsim").is_err() {
        missing.push("netdevsim".to_owned());
    }
    let pfs = fs::read_dir("/sys/bus/pci/drivers/igb")
        .map(|entries| {
            entries
                .flatten()
                .filter(|e| e.path().join("sriov_totalvfs").exists())
                .count()
        })
        .unwrap_or(0);
    if pfs < 2 {
        missing.push(format!("igb ({pfs} of 2 PFs)"));
    }
    let pair = fs::read_dir("/sys/bus/virtio/drivers/virtio_net")
        .map(|entries| {
            entries
                .flatten()
                .filter(|e| e.path().join("net").exists())
                .count()
        })
        .unwrap_or(0);
    if pair < 2 {
        missing.push(format!("virtio-net ({pair} of 2 NICs)"));
    }
    Ok(missing)
}

/// `uname -r`.
pub(crate) fn release() -> Result<String> {
    let text =
        fs::read_to_string("/proc/sys/kernel/osrelease").context("read the kernel's release")?;
    Ok(text.trim().to_owned())
}

/// Milliseconds since the kernel started.
pub(crate) fn uptime_ms() -> Result<u64> {
    let text = fs::read_to_string("/proc/uptime").context("read /proc/uptime")?;
    let seconds = text.split_whitespace().next().unwrap_or_default();
    let (whole, hundredths) = seconds.split_once('.').unwrap_or((seconds, "0"));
    Ok(whole.parse::<u64>()? * 1000 + hundredths.parse::<u64>()? * 10)
}

fn sh(argv: &[&str]) -> Result<()> {
    let line = argv.join(" ");
    let output = Command::new(argv[0])
        .args(&argv[1..])
        .output()
        .with_context(|| format!("run {line}"))?;
    if !output.status.success() {
        bail!("{line}: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(())
}
