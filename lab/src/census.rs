use anyhow::{Context, Result, bail};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

/// The kernel objects that exist at one moment: those of this process and those of the machine.
///
/// Taken before and after a test's body, inside its process: once the process has exited the
/// kernel has cleaned up after it and a count proves nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Census {
    own: BTreeMap<String, u64>,
    machine: BTreeMap<String, u64>,
    settings: BTreeMap<String, String>,
}

/// What one census has more (or less) of than another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference(Vec<(String, String, String)>);

impl Census {
    /// Counts the objects of this process and of the machine, and reads the machine's settings.
    ///
    /// # Errors
    ///
    /// If something cannot be counted: a count of nothing would pass for a clean one.
    pub fn of_process() -> Result<Census> {
        Ok(Census {
            own: own_objects()?,
            machine: machine_objects()?,
            settings: settings()?,
        })
    }

    /// As [`Census::of_process`], without this process's own objects.
    ///
    /// # Errors
    ///
    /// As [`Census::of_process`].
    pub fn of_machine() -> Result<Census> {
        Ok(Census {
            own: BTreeMap::new(),
            machine: machine_objects()?,
            settings: settings()?,
        })
    }

    /// What changed from `self` to `later`; `None` when nothing did. Of the machine's objects only
    /// growth counts: what a predecessor left to die may die at any moment.
    pub fn difference(&self, later: &Census) -> Option<Difference> {
        let mut changes = Vec::new();
        for (before, after, growth_only) in [
            (&self.own, &later.own, false),
            (&self.machine, &later.machine, true),
        ] {
            let keys: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
            for key in keys {
                let count = |map: &BTreeMap<String, u64>| map.get(key).copied().unwrap_or(0);
                let (before, after) = (count(before), count(after));
                if after > before || (after < before && !growth_only) {
                    changes.push((key.clone(), before.to_string(), after.to_string()));
                }
            }
        }
        let keys: BTreeSet<&String> = self.settings.keys().chain(later.settings.keys()).collect();
        for key in keys {
            let value = |census: &Census| match census.settings.get(key) {
                Some(value) => value.clone(),
                None => "nothing".to_owned(),
            };
            let (before, after) = (value(self), value(later));
            if before != after {
                changes.push((key.clone(), before, after));
            }
        }
        (!changes.is_empty()).then_some(Difference(changes))
    }

    /// The difference to a later census, taken again for a while as long as there is one: the
    /// kernel releases some objects a moment after it was asked to.
    ///
    /// # Errors
    ///
    /// If a census cannot be taken.
    pub fn settled_difference(
        &self,
        take: impl Fn() -> Result<Census>,
    ) -> Result<Option<Difference>> {
        let end = Instant::now() + Duration::from_millis(1500);
        loop {
            let difference = self.difference(&take()?);
            if difference.is_none() || Instant::now() >= end {
                return Ok(difference);
            }
            thread::sleep(Duration::from_millis(100));
        }
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, (what, before, after)) in self.0.iter().enumerate() {
            let comma = if i == 0 { "" } else { ", " };
            write!(f, "{comma}{what}: {before} before, {after} after")?;
        }
        Ok(())
    }
}

/// File descriptors, special mappings and locked memory of this process.
fn own_objects() -> Result<BTreeMap<String, u64>> {
    let mut found: BTreeMap<String, u64> = BTreeMap::new();
    // The descriptor that lists this folder is among them, each time.
    for entry in fs::read_dir("/proc/self/fd")?.flatten() {
        if let Ok(target) = fs::read_link(entry.path()) {
            *found
                .entry(format!("fd {}", kind_of_fd(&target)))
                .or_default() += 1;
        }
    }
    let threads = fs::read_dir("/proc/self/task")?.count();
    found.insert("threads".to_owned(), u64::try_from(threads)?);
    let smaps = fs::read_to_string("/proc/self/smaps")?;
    for mapping in special_mappings(&smaps) {
        *found.entry(format!("mapping {mapping}")).or_default() += 1;
    }
    let status = fs::read_to_string("/proc/self/status")?;
    for line in status.lines() {
        if let Some((key @ ("VmLck" | "VmPin"), rest)) = line.split_once(':') {
            let kib = rest.split_whitespace().next().and_then(|n| n.parse().ok());
            found.insert(format!("{key} kB"), kib.unwrap_or(0));
        }
    }
    Ok(found)
}

/// `socket:[4711]`, `anon_inode:[io_uring]` and `/dev/infiniband/uverbs0` as kinds that compare
/// equal over time.
fn kind_of_fd(target: &Path) -> String {
    let text = target.to_string_lossy();
    match text.split_once(":[") {
        Some((kind, rest)) if rest.starts_with(|c: char| c.is_ascii_digit()) => kind.to_owned(),
        _ => text.into_owned(),
    }
}

/// The mappings a network library owns: devices, memfds, rings, and anonymous memory kept from
/// children (`dc` in `VmFlags`) or given to them as zeroes (`wf`). Heap, stacks and libraries come
/// and go on their own. A single page of zeroes is not counted: netprims keeps one for good.
fn special_mappings(smaps: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut name = String::new();
    let mut bytes = 0;
    for line in smaps.lines() {
        if let Some(flags) = line.strip_prefix("VmFlags:") {
            let special = ["/dev/", "/memfd:", "anon_inode:"];
            if special.iter().any(|prefix| name.starts_with(prefix)) {
                found.push(name.clone());
            } else if name.is_empty()
                && flags
                    .split_whitespace()
                    .any(|flag| flag == "dc" || flag == "wf" && bytes > 4096)
            {
                found.push("kept from children".to_owned());
            }
        } else if let Some(path) = mapping_path(line) {
            name = path;
            bytes = mapping_bytes(line).unwrap_or(0);
        }
    }
    found
}

/// The length of a mapping, from its header line.
fn mapping_bytes(line: &str) -> Option<u64> {
    let (from, to) = line.split_whitespace().next()?.split_once('-')?;
    let [from, to] = [from, to].map(|text| u64::from_str_radix(text, 16).ok());
    to?.checked_sub(from?)
}

/// The path of a mapping's header line (empty when anonymous); `None` for other lines.
fn mapping_path(line: &str) -> Option<String> {
    let mut words = line.split_whitespace();
    let (from, to) = words.next()?.split_once('-')?;
    let hex = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_hexdigit());
    (hex(from) && hex(to)).then(|| words.skip(4).collect::<Vec<_>>().join(" "))
}

/// RDMA resources, virtual functions, processes, network namespaces and network devices.
fn machine_objects() -> Result<BTreeMap<String, u64>> {
    let mut found = BTreeMap::new();
    let rdma = Command::new("rdma")
        .args(["-j", "resource", "show"])
        .output()
        .context("run rdma")?;
    if !rdma.status.success() {
        bail!(
            "rdma resource show: {}",
            String::from_utf8_lossy(&rdma.stderr).trim()
        );
    }
    count_rdma(&String::from_utf8_lossy(&rdma.stdout), &mut found)?;
    for bus in ["pci", "netdevsim"] {
        let devices = format!("/sys/bus/{bus}/devices");
        for entry in fs::read_dir(devices).into_iter().flatten().flatten() {
            let text = fs::read_to_string(entry.path().join("sriov_numvfs"));
            if let Some(count) = text.ok().and_then(|text| text.trim().parse().ok()) {
                if count > 0 {
                    let device = entry.file_name();
                    found.insert(format!("VFs of {}", device.to_string_lossy()), count);
                }
            }
        }
    }
    for process in processes() {
        *found.entry(format!("process {process}")).or_default() += 1;
    }
    for (folder, what) in [
        ("/run/netns", "netns"),
        ("/sys/class/net", "netdev"),
        ("/sys/class/infiniband", "RDMA device"),
        ("/sys/bus/netdevsim/devices", "netdevsim device"),
    ] {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            found.insert(format!("{what} {}", entry.file_name().to_string_lossy()), 1);
        }
    }
    Ok(found)
}

/// What is mounted where, and what the sysctls say that tests of sockets are likely to change.
fn settings() -> Result<BTreeMap<String, String>> {
    let mounts = fs::read_to_string("/proc/self/mountinfo").context("read the mounts")?;
    let mut found = mounted(&mounts);
    for (folder, prefix) in [
        ("net/core", ""),
        ("net/ipv4", "tcp_"),
        ("kernel", "io_uring_"),
    ] {
        let path = Path::new("/proc/sys").join(folder);
        let entries = fs::read_dir(&path).with_context(|| format!("list {}", path.display()))?;
        for entry in entries.flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            // A module that is loaded brings its own.
            let brought = name.contains("_congestion_control") && name != "tcp_congestion_control";
            // The kernel makes up a key when it first needs one.
            let made_up = name.ends_with("_key");
            if !name.starts_with(prefix) || brought || made_up {
                continue;
            }
            // Some cannot be read.
            if let Ok(value) = fs::read_to_string(entry.path()) {
                let key = format!("sysctl {}.{name}", folder.replace('/', "."));
                found.insert(key, value.trim().to_owned());
            }
        }
    }
    Ok(found)
}

/// What each line of a `mountinfo` says is mounted: file systems by the place they are at, those of
/// one place one over the other.
fn mounted(mountinfo: &str) -> BTreeMap<String, String> {
    let mut found: BTreeMap<String, String> = BTreeMap::new();
    for line in mountinfo.lines() {
        let place = line.split(' ').nth(4);
        let kind = line
            .split_once(" - ")
            .and_then(|(_, rest)| rest.split(' ').next());
        if let (Some(place), Some(kind)) = (place, kind) {
            let kinds = found.entry(format!("mount {place}")).or_default();
            let over = if kinds.is_empty() { "" } else { " under " };
            *kinds = format!("{kind}{over}{kinds}");
        }
    }
    found
}

/// The names of the processes that live, without the kernel's own threads.
fn processes() -> Vec<String> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = entries
        .map(|entry| entry.path())
        .filter(|path| path.join("cmdline").exists());
    // The kernel's threads and the dead have no command line.
    let living =
        pids.filter(|path| fs::read(path.join("cmdline")).is_ok_and(|line| !line.is_empty()));
    let names = living.filter_map(|path| fs::read_to_string(path.join("comm")).ok());
    names.map(|name| name.trim().to_owned()).collect()
}

/// Adds the counts of `rdma -j resource show`.
fn count_rdma(json: &str, found: &mut BTreeMap<String, u64>) -> Result<()> {
    let devices: Vec<BTreeMap<String, Value>> =
        serde_json::from_str(json).context("understand rdma resource show")?;
    for device in devices {
        let name = device.get("ifname").and_then(Value::as_str).unwrap_or("?");
        for (key, value) in &device {
            if let (Some(count), false) = (value.as_u64(), key == "ifindex") {
                if count > 0 {
                    found.insert(format!("{name} {key}"), count);
                }
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sees_an_open_file_and_its_close() {
        // Other tests open files in this process too: only this one is looked at.
        let path = std::env::temp_dir().join(format!("census-{}", std::process::id()));
        let key = format!("fd {}", path.display());
        let count = || own_objects().unwrap().get(&key).copied();
        let file = fs::File::create(&path).unwrap();
        assert_eq!(count(), Some(1));
        drop(file);
        assert_eq!(count(), None);
        fs::remove_file(&path).unwrap();
    }

    #[test]
    fn growth_of_the_machine_is_a_leak_and_its_shrinking_is_not() {
        let with = |count| Census {
            own: BTreeMap::new(),
            machine: BTreeMap::from([("rxe0 qp".to_owned(), count)]),
            settings: BTreeMap::new(),
        };
        let grown = with(1)
            .difference(&with(2))
            .expect("growth is a difference");
        assert_eq!(grown.to_string(), "rxe0 qp: 1 before, 2 after");
        assert_eq!(with(2).difference(&with(1)), None);
    }

    #[test]
    fn a_changed_setting_is_a_difference_both_ways() {
        let with = |settings: &[(&str, &str)]| {
            let owned = settings
                .iter()
                .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()));
            Census {
                settings: owned.collect(),
                ..Census::default()
            }
        };
        let (one, two) = (with(&[("a", "1")]), with(&[("a", "2"), ("b", "3")]));
        let said = |from: &Census, to: &Census| from.difference(to).map(|d| d.to_string());
        let forth = "a: 1 before, 2 after, b: nothing before, 3 after";
        assert_eq!(said(&one, &two).as_deref(), Some(forth));
        let back = "a: 2 before, 1 after, b: 3 before, nothing after";
        assert_eq!(said(&two, &one).as_deref(), Some(back));
        assert_eq!(said(&two, &two), None);
    }

    #[test]
    fn names_the_file_systems_of_each_place() {
        let mountinfo = "22 1 0:20 / /proc rw,relatime - proc proc rw\n\
                         23 1 0:21 / /run rw shared:5 master:2 - tmpfs tmpfs rw\n\
                         24 23 0:22 / /run rw - ext4 /dev/loop0 rw\n";
        let expected = [("mount /proc", "proc"), ("mount /run", "ext4 under tmpfs")];
        let expected = expected.map(|(place, kinds)| (place.to_owned(), kinds.to_owned()));
        assert_eq!(mounted(mountinfo), BTreeMap::from(expected));
    }

    #[test]
    fn reads_this_machines_settings() {
        let settings = settings().unwrap();
        assert!(settings.contains_key("mount /"));
        assert!(settings.contains_key("sysctl net.core.somaxconn"));
        assert!(settings.contains_key("sysctl net.ipv4.tcp_rmem"));
    }

    #[test]
    fn names_the_mappings_that_count() {
        let smaps = "7f00-7f10 rw-p 00000000 00:00 0 \nVmFlags: rd wr dc\n\
                     7f20-7f30 rw-s 00000000 00:0f 77 /memfd:pool (deleted)\nVmFlags: rd wr sh\n\
                     7f40-7f50 rw-p 00000000 00:00 0 \nVmFlags: rd wr\n\
                     7f60-7f70 r-xp 00000000 08:01 9 /usr/lib/libc.so.6\nVmFlags: rd ex dc\n\
                     8000-9000 rw-p 00000000 00:00 0 \nVmFlags: rd wr wf\n\
                     a000-c000 rw-p 00000000 00:00 0 \nVmFlags: rd wr wf\n";
        assert_eq!(
            special_mappings(smaps),
            [
                "kept from children",
                "/memfd:pool (deleted)",
                "kept from children"
            ]
        );
    }

    #[test]
    fn rings_and_sockets_are_told_apart() {
        let kind = |text| kind_of_fd(Path::new(text));
        assert_eq!(kind("socket:[4711]"), "socket");
        assert_eq!(kind("anon_inode:[io_uring]"), "anon_inode:[io_uring]");
    }

    #[test]
    fn what_rdma_says_must_be_understood() {
        assert!(count_rdma("oops", &mut BTreeMap::new()).is_err());
    }

    #[test]
    fn counts_rdma_resources_per_device() {
        let mut found = BTreeMap::new();
        count_rdma(
            r#"[{"ifindex":0,"ifname":"rxe0","pd":1,"cq":0,"qp":2,"mr":0}]"#,
            &mut found,
        )
        .unwrap();
        let expected = [("rxe0 pd".to_owned(), 1), ("rxe0 qp".to_owned(), 2)];
        assert_eq!(found, BTreeMap::from(expected));
    }
}
