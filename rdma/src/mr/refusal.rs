//! Why memory was not registered.

use std::fs;

use nix::sys::resource::{RLIM_INFINITY, Resource, getrlimit};

use crate::error::{Error, Result};
use crate::qp::RemoteAccess;
use crate::sys::{AccessOptions, Errno, Lacking, PdHandle};

/// `RXE_VENDOR_ID` of the kernel's `rxe_param.h`.
const SOFT_ROCE: u32 = 0xff_ffff;

/// What was to be registered, to say why it was not.
#[derive(Debug)]
pub(super) struct Refusal<'a> {
    pd: &'a PdHandle,
    operation: &'static str,
    object: String,
    /// How much was to be pinned.
    pinned: usize,
    is_on_demand: bool,
    access: RemoteAccess,
}

impl<'a> Refusal<'a> {
    pub(super) fn of_memory(
        pd: &'a PdHandle,
        object: String,
        bytes: usize,
        options: AccessOptions,
        access: RemoteAccess,
    ) -> Self {
        Refusal {
            pd,
            operation: "ibv_reg_mr",
            object,
            pinned: bytes,
            is_on_demand: options.is_on_demand(),
            access,
        }
    }

    pub(super) fn of_buffer(pd: &'a PdHandle, object: String) -> Self {
        Refusal {
            pd,
            operation: "ibv_reg_dmabuf_mr",
            object,
            pinned: 0,
            is_on_demand: false,
            access: RemoteAccess::NONE,
        }
    }

    pub(super) fn too_long(&self) -> Error {
        self.error(Errno::new(libc::ENOMEM))
    }

    /// Refuses what the driver would take, and do wrongly: by Soft-RoCE's paging on demand, a message of a few
    /// packets arrives with other bytes than it was sent with (seen on Linux 7.2).
    pub(super) fn check(&self) -> Result<()> {
        if !self.is_on_demand {
            return Ok(());
        }
        let context = self.pd.context();
        let limits = context.query_device();
        if !limits.is_ok_and(|limits| limits.attr.vendor_id == SOFT_ROCE) {
            return Ok(());
        }
        let extras = context.query_extras();
        let has_paging = extras.is_ok_and(|extras| extras.has_paging_on_demand());
        Err(Error::Unsupported {
            feature: "paging on demand",
            device: String::from(context.device()),
            lacking: match has_paging {
                true => Lacking::Faulty,
                false => Lacking::Device,
            },
        })
    }

    pub(super) fn error(&self, errno: Errno) -> Error {
        let device = String::from(self.pd.context().device());
        match self.lacks(errno) {
            Some((feature, lacking)) => Error::Unsupported {
                feature,
                device,
                lacking,
            },
            None => Error::Verb {
                operation: self.operation,
                object: format!("{} on {device}", self.object),
                source: errno.into_io(),
                hint: self.hint(errno),
            },
        }
    }

    /// Whether it is for want of something that not every device has.
    fn lacks(&self, errno: Errno) -> Option<(&'static str, Lacking)> {
        if self.operation == "ibv_reg_dmabuf_mr" {
            let lacks = errno.number() == libc::EOPNOTSUPP;
            return lacks.then_some(("regions over buffers of other devices", Lacking::Somewhere));
        }
        let asked = |flush| self.access.contains(flush);
        let global = asked(RemoteAccess::FLUSH_GLOBAL);
        let persistent = asked(RemoteAccess::FLUSH_PERSISTENT);
        if !(global || persistent || self.is_on_demand) {
            return None;
        }
        let extras = self.pd.context().query_extras().ok()?;
        let lacks_flush = (global && !extras.has_global_flush())
            || (persistent && !extras.has_persistent_flush());
        let lacks_paging = self.is_on_demand && !extras.has_paging_on_demand();
        match (lacks_flush, lacks_paging) {
            (true, _) => Some(("flushes", Lacking::Device)),
            (_, true) => Some(("paging on demand", Lacking::Device)),
            (false, false) => None,
        }
    }

    fn hint(&self, errno: Errno) -> String {
        match errno.number() {
            libc::ENOMEM if self.pinned > 0 && !self.is_on_demand => {
                match getrlimit(Resource::RLIMIT_MEMLOCK) {
                    Ok((soft, _)) => memlock_hint(self.pinned, pinned_already(), soft),
                    Err(_) => String::new(),
                }
            }
            _ => String::new(),
        }
    }
}

/// How many bytes this process has pinned, as the kernel counts them.
fn pinned_already() -> Option<u64> {
    pinned_in(&fs::read_to_string("/proc/self/status").ok()?)
}

fn pinned_in(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmPin:"));
    let kilobytes = line?
        .trim()
        .strip_suffix("kB")?
        .trim()
        .parse::<u64>()
        .ok()?;
    kilobytes.checked_mul(1024)
}

/// What to do about memory that could not be pinned; nothing where no limit can be the reason.
fn memlock_hint(wanted: usize, pinned: Option<u64>, limit: u64) -> String {
    if limit == RLIM_INFINITY {
        return String::new();
    }
    let beside = match pinned {
        Some(pinned) => format!(" beside {pinned} that are"),
        None => String::new(),
    };
    format!(
        " ({wanted} bytes to pin{beside}, and the memlock limit is {limit}; raise it with `ulimit -l` or \
         LimitMEMLOCK=, or grant CAP_IPC_LOCK)"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_memlock_limit_is_named_only_where_there_is_one() {
        let hint = memlock_hint(1 << 20, Some(4096), 65_536);
        assert!(
            hint.contains("1048576 bytes to pin beside 4096 that are")
                && hint.contains("limit is 65536;"),
            "{hint}"
        );
        assert_eq!(memlock_hint(1 << 20, None, RLIM_INFINITY), "");
    }

    #[test]
    fn what_is_pinned_is_read_from_the_status() {
        let status = "Name:\tcat\nVmLck:\t       8 kB\nVmPin:\t      12 kB\nVmHWM:\t 1 kB\n";
        assert_eq!(pinned_in(status), Some(12_288));
        assert_eq!(pinned_in("VmPin:\t x kB\n"), None);
        assert_eq!(pinned_already(), Some(0));
    }
}
