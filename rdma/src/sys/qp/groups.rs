//! Groups whose messages a queue pair receives, too.

use super::super::errno::Errno;
use super::super::ffi;
use super::QpHandle;

/// A group, as the library names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct GroupNumbers {
    pub(crate) gid: [u8; 16],
    pub(crate) lid: u16,
}

/// Why a queue pair was not attached to a group, or detached from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AttachError {
    /// It is not attached to that group.
    NotAttached,
    Errno(Errno),
}

impl GroupNumbers {
    fn raw_gid(self) -> ffi::Gid {
        ffi::Gid { raw: self.gid }
    }
}

impl QpHandle {
    /// Attaches the queue pair to a group; nothing where it is attached already, at whatever LID: where LIDs mean nothing,
    /// the kernel has one entry for both, and would detach it once.
    pub(crate) fn attach(&mut self, group: GroupNumbers) -> Result<(), AttachError> {
        if self.groups.iter().any(|other| other.gid == group.gid) {
            return Ok(());
        }
        let verbs = self.pd.context().verbs();
        // SAFETY: the QP exists (invariant: `rooms` is `Some` outside of `end`).
        unsafe { verbs.attach_mcast(self.raw, &group.raw_gid(), group.lid) }
            .map_err(AttachError::Errno)?;
        self.groups.push(group);
        Ok(())
    }

    pub(crate) fn detach(&mut self, group: GroupNumbers) -> Result<(), AttachError> {
        let found = self.groups.iter().position(|other| other.gid == group.gid);
        let index = found.ok_or(AttachError::NotAttached)?;
        let group = self.groups.get(index).copied().unwrap_or(group);
        let verbs = self.pd.context().verbs();
        // SAFETY: as in `attach`.
        unsafe { verbs.detach_mcast(self.raw, &group.raw_gid(), group.lid) }
            .map_err(AttachError::Errno)?;
        self.groups.swap_remove(index);
        Ok(())
    }

    /// Detaches it from every group: the kernel does not destroy one that is attached. If that is
    /// refused, so is the destruction.
    pub(super) fn leave_groups(&mut self) {
        for group in std::mem::take(&mut self.groups) {
            let verbs = self.pd.context().verbs();
            // SAFETY: called by `end`, before the QP is destroyed.
            let _ = unsafe { verbs.detach_mcast(self.raw, &group.raw_gid(), group.lid) };
        }
    }
}
