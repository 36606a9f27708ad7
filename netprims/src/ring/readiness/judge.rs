//! What the sights say about each requirement. Pure.

use std::io;

use super::ethtool::Rings;
use super::finding::Requirement::{
    HeaderSplit, Interface, Kernel, OutOfSpread, Privilege, Queue, SplitThreshold, SteeringRule,
};
use super::finding::{Finding, Requirement, Verdict};
use crate::ring::release;
use crate::sys::steering::Rule;

/// What there is to see of a queue. An `Err` is the errno of the question.
#[derive(Clone, Debug)]
pub(super) struct Sights {
    pub(super) interface: String,
    pub(super) queue: u32,
    /// Whether the kernel knows how to register queues, as far as it says.
    pub(super) knows_queues: Option<bool>,
    /// The kernel's release.
    pub(super) release: Option<String>,
    pub(super) is_capable: Option<bool>,
    /// The interface's number, and what the kernel says of it.
    pub(super) device: Result<Device, i32>,
}

#[derive(Clone, Debug)]
pub(super) struct Device {
    pub(super) queues: Result<u32, i32>,
    pub(super) rings: Result<Rings, i32>,
    /// The queues that packets are spread to.
    pub(super) spread: Result<Option<Vec<u32>>, i32>,
    /// The rules, each with the table of its context if it has one.
    pub(super) rules: Result<Vec<(Rule, Vec<u32>)>, i32>,
}

// Flags and kinds of a flow. Source: `include/uapi/linux/ethtool.h`.
const FLOW_FLAGS: u32 = 0xe000_0000;
const FLOW_HAS_CONTEXT: u32 = 0x2000_0000;
const TCP_V4: u32 = 1;
const TCP_V6: u32 = 5;
const IP_V4_USER: u32 = 0x0d;
const IP_V6_USER: u32 = 0x0e;
const IP_V4: u32 = 0x10;
const IP_V6: u32 = 0x11;
const ETHERNET: u32 = 0x12;

pub(super) fn findings(sights: &Sights) -> Vec<Finding> {
    let mut all = vec![kernel(sights), privilege(sights)];
    let name = &sights.interface;
    match &sights.device {
        Err(errno) => all.push(unseen(Interface, *errno, Some("see: ip link".into()))),
        Ok(device) => {
            all.push(met(Interface, format!("{name} is there")));
            all.push(queue(sights, device));
            all.extend(splitting(sights, device));
            all.push(spread(sights, device));
            all.push(steering(sights, device));
        }
    }
    all
}

fn kernel(sights: &Sights) -> Finding {
    let release = sights.release.as_deref().unwrap_or("of unknown release");
    let seen = format!("Linux {release}");
    let has = release::knows_receive_queues(sights.knows_queues, sights.release.as_deref());
    let remedy = "zero-copy receive needs Linux 6.15".into();
    judged(Kernel, has, seen, Some(remedy))
}

fn privilege(sights: &Sights) -> Finding {
    let seen = match sights.is_capable {
        Some(true) => "CAP_NET_ADMIN is held",
        Some(false) => "CAP_NET_ADMIN is not held in the first user namespace",
        None => "/proc does not show what the process may",
    };
    let remedy = "run as root, or: setcap cap_net_admin+ep PROGRAM".into();
    judged(Privilege, sights.is_capable, seen.into(), Some(remedy))
}

fn queue(sights: &Sights, device: &Device) -> Finding {
    let Sights {
        interface, queue, ..
    } = sights;
    let count = match device.queues {
        Ok(count) => count,
        Err(errno) => return unseen(Queue, errno, None),
    };
    let seen = format!("{interface} has {count} receive queues, numbered from 0");
    let needed = queue.saturating_add(1).max(2);
    let remedy = format!("run: ethtool -L {interface} combined {needed}");
    judged(Queue, Some(*queue < count), seen, Some(remedy))
}

fn splitting(sights: &Sights, device: &Device) -> [Finding; 2] {
    let name = &sights.interface;
    let rings = match device.rings {
        Ok(rings) => rings,
        Err(errno) => {
            let without = || format!("{name} tells nothing of its rings: a device without support");
            return [HeaderSplit, SplitThreshold].map(|requirement| match errno {
                libc::EOPNOTSUPP => judged(requirement, Some(false), without(), None),
                errno => unseen(requirement, errno, None),
            });
        }
    };
    let (seen, remedy) = match rings.split {
        Some(true) => ("tcp-data-split is on", None),
        Some(false) => (
            "tcp-data-split is off",
            Some(format!("run: ethtool -G {name} tcp-data-split on")),
        ),
        None => (
            "the device does not split headers, or does not say: one without support",
            Some(format!("try: ethtool -G {name} tcp-data-split on")),
        ),
    };
    let split = judged(
        HeaderSplit,
        Some(rings.split == Some(true)),
        seen.into(),
        remedy,
    );
    let threshold = match rings.threshold {
        None | Some(0) => met(SplitThreshold, "packets of any length are split".into()),
        Some(bytes) => {
            let seen = format!("packets of up to {bytes} bytes are not split");
            let remedy = format!("run: ethtool -G {name} hds-thresh 0");
            judged(SplitThreshold, Some(false), seen, Some(remedy))
        }
    };
    [split, threshold]
}

fn spread(sights: &Sights, device: &Device) -> Finding {
    let Sights {
        interface, queue, ..
    } = sights;
    let queues = device.queues.unwrap_or(0);
    let table = match &device.spread {
        Ok(Some(table)) if !table.is_empty() => table,
        Ok(_) => {
            let seen = format!("{interface} tells of no table");
            return judged(OutOfSpread, None, seen, None);
        }
        Err(errno) => return unseen(OutOfSpread, *errno, None),
    };
    if !table.contains(queue) {
        let seen = format!("queue {queue} gets no packets but those that are steered to it");
        return met(OutOfSpread, seen);
    }
    let remedy = match queue {
        0 if queues < 2 => format!("run: ethtool -L {interface} combined 2"),
        0 => format!(
            "run: ethtool -X {interface} start 1 equal {}",
            queues.saturating_sub(1)
        ),
        queue => format!("run: ethtool -X {interface} equal {queue}"),
    };
    let seen = format!("packets of all kinds are spread to queue {queue}, too");
    judged(OutOfSpread, Some(false), seen, Some(remedy))
}

fn steering(sights: &Sights, device: &Device) -> Finding {
    let Sights {
        interface, queue, ..
    } = sights;
    let remedy = format!(
        "run: ethtool -K {interface} ntuple on && ethtool -N {interface} flow-type tcp4 dst-port PORT action {queue}"
    );
    match &device.rules {
        Ok(rules) => {
            let steers = rules
                .iter()
                .filter(|(rule, table)| leads_to(rule, table, *queue));
            let count = steers.count();
            let seen = format!(
                "{count} of {} rules steer TCP to queue {queue}",
                rules.len()
            );
            judged(SteeringRule, Some(count > 0), seen, Some(remedy))
        }
        Err(libc::EOPNOTSUPP) => {
            let seen = format!("{interface} has no rules: a device without support");
            judged(SteeringRule, Some(false), seen, None)
        }
        Err(errno) => unseen(SteeringRule, *errno, Some(remedy)),
    }
}

/// Whether a rule steers packets of TCP to a queue: by itself, or with the table of its context, to whose queues it adds.
fn leads_to(rule: &Rule, table: &[u32], queue: u32) -> bool {
    let is_tcp = matches!(
        rule.flow & !FLOW_FLAGS,
        TCP_V4 | TCP_V6 | IP_V4 | IP_V6 | IP_V4_USER | IP_V6_USER | ETHERNET
    );
    // The upper half is a virtual function's number, or says that packets are dropped.
    let Ok(action) = u32::try_from(rule.action) else {
        return false;
    };
    let has_context = rule.flow & FLOW_HAS_CONTEXT != 0;
    is_tcp
        && match has_context {
            false => action == queue,
            true => table
                .iter()
                .any(|entry| entry.checked_add(action) == Some(queue)),
        }
}

fn met(requirement: Requirement, seen: String) -> Finding {
    judged(requirement, Some(true), seen, None)
}

fn unseen(requirement: Requirement, errno: i32, remedy: Option<String>) -> Finding {
    let is_met = (errno == libc::ENODEV).then_some(false);
    let seen = io::Error::from_raw_os_error(errno).to_string();
    judged(requirement, is_met, seen, remedy)
}

/// A finding; what is met needs no remedy.
fn judged(
    requirement: Requirement,
    is_met: Option<bool>,
    seen: String,
    remedy: Option<String>,
) -> Finding {
    let verdict = match is_met {
        Some(true) => Verdict::Met,
        Some(false) => Verdict::Unmet,
        None => Verdict::Unknown,
    };
    let remedy = remedy.filter(|_| verdict != Verdict::Met);
    Finding {
        requirement,
        verdict,
        seen,
        remedy,
    }
}

#[cfg(test)]
mod tests;
