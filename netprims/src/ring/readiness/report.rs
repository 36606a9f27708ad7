use std::fmt;
use std::io;

use nix::net::if_::if_nametoindex;

use super::ethtool::Ethtool;
use super::finding::{Finding, Verdict};
use super::judge::{self, Device, Sights};
use crate::caller::{Caller, Capability};
use crate::sys::steering;
use crate::sys::uring::knows_receive_queues;
use crate::sysctl::Sysctl;
use crate::{Error, Result};

/// Whether a receive queue of a device is set up for zero-copy receive, and what is missing.
///
/// Checking changes nothing. What no question answers is whether the driver can do it at all: a device that splits
/// headers may still refuse with `EOPNOTSUPP` when the queue is registered.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Readiness {
    findings: Vec<Finding>,
}

impl Readiness {
    /// Looks at a receive queue of an interface of the calling thread's network namespace. Needs no privilege.
    ///
    /// # Errors
    ///
    /// [`Error::System`] if the kernel has no netlink family `ethtool` (Linux 5.6), or there is no socket to ask with.
    ///
    /// Source: `Documentation/networking/iou-zcrx.rst`, `Documentation/networking/ethtool-netlink.rst`.
    pub fn check(interface: &str, queue: u32) -> Result<Self> {
        let mut ethtool = Ethtool::open()
            .map_err(|error| Error::system("CTRL_CMD_GETFAMILY", "ethtool", error))?;
        let sights = Sights {
            interface: interface.to_owned(),
            queue,
            knows_queues: knows_receive_queues(),
            release: Sysctl::new("kernel.osrelease").read().ok().flatten(),
            is_capable: Caller::look().has(Capability::NetAdmin),
            device: if_nametoindex(interface)
                .map(|index| look(&mut ethtool, interface, index))
                .map_err(|errno| errno as i32),
        };
        let findings = judge::findings(&sights);
        Ok(Self { findings })
    }

    /// Whether nothing is known to be missing.
    pub fn is_ready(&self) -> bool {
        self.missing().next().is_none()
    }

    /// Everything that was looked at.
    pub fn findings(&self) -> &[Finding] {
        &self.findings
    }

    /// What is missing.
    pub fn missing(&self) -> impl Iterator<Item = &Finding> {
        let findings = self.findings.iter();
        findings.filter(|finding| finding.verdict == Verdict::Unmet)
    }
}

impl fmt::Display for Readiness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (nth, finding) in self.findings.iter().enumerate() {
            let end = if nth == 0 { "" } else { "\n" };
            write!(f, "{end}{finding}")?;
        }
        Ok(())
    }
}

fn look(ethtool: &mut Ethtool, interface: &str, index: u32) -> Device {
    let rules = steering::rules(interface).map(|rules| {
        let with_table = |rule: steering::Rule| {
            let table = ethtool.spread(index, rule.context).ok().flatten();
            (rule, table.unwrap_or_default())
        };
        rules.into_iter().map(with_table).collect()
    });
    Device {
        rules: rules.map_err(errno),
        queues: ethtool.queues(index).map_err(errno),
        rings: ethtool.rings(index).map_err(errno),
        spread: ethtool.spread(index, 0).map_err(errno),
    }
}

fn errno(error: io::Error) -> i32 {
    error.raw_os_error().unwrap_or(libc::EIO)
}
