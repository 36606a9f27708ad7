//! What a queue pair must know to receive anything at all.

use std::ops::BitOr;

use crate::port::PortNum;

/// What a queue pair must know to receive anything at all: which port it uses, and what the peer
/// may do.
#[derive(Clone, Copy, Debug)]
pub struct InitAttr {
    pub(super) port: PortNum,
    pub(super) pkey_index: u16,
    pub(super) access: RemoteAccess,
}

impl InitAttr {
    /// To use `port`.
    #[must_use]
    pub const fn new(port: PortNum) -> Self {
        InitAttr {
            port,
            pkey_index: 0,
            access: RemoteAccess::NONE,
        }
    }

    /// The line of the port's P_Key table that both sides must have alike. Default: 0.
    #[must_use]
    pub const fn pkey_index(mut self, index: u16) -> Self {
        self.pkey_index = index;
        self
    }

    /// What the peer may do by this queue pair, to memory whose own rights allow it too. Default:
    /// nothing.
    #[doc(alias = "qp_access_flags")]
    #[must_use]
    pub const fn access(mut self, access: RemoteAccess) -> Self {
        self.access = access;
        self
    }
}

/// What a peer may do to memory.
#[doc(alias = "ibv_access_flags")]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RemoteAccess(u32);

impl RemoteAccess {
    /// Nothing.
    pub const NONE: RemoteAccess = RemoteAccess(0);
    /// Write.
    #[doc(alias = "IBV_ACCESS_REMOTE_WRITE")]
    pub const WRITE: RemoteAccess = RemoteAccess(1 << 1);
    /// Read.
    #[doc(alias = "IBV_ACCESS_REMOTE_READ")]
    pub const READ: RemoteAccess = RemoteAccess(1 << 2);
    /// Compare-and-swap, fetch-and-add.
    #[doc(alias = "IBV_ACCESS_REMOTE_ATOMIC")]
    pub const ATOMIC: RemoteAccess = RemoteAccess(1 << 3);
    /// Of memory: windows may be bound to parts of it.
    #[doc(alias = "IBV_ACCESS_MW_BIND")]
    pub const WINDOWS: RemoteAccess = RemoteAccess(1 << 4);
    /// Flush what was written to where all of this machine sees it. Not all devices have it.
    #[doc(alias = "IBV_ACCESS_FLUSH_GLOBAL")]
    pub const FLUSH_GLOBAL: RemoteAccess = RemoteAccess(1 << 8);
    /// Flush what was written to memory that outlives the power, which the memory must be. Not all
    /// devices have it.
    #[doc(alias = "IBV_ACCESS_FLUSH_PERSISTENT")]
    pub const FLUSH_PERSISTENT: RemoteAccess = RemoteAccess(1 << 9);
    /// Write, read and atomics.
    pub const ALL: RemoteAccess = RemoteAccess(0b1110);

    /// Whether all of `other` is allowed.
    #[must_use]
    pub const fn contains(self, other: RemoteAccess) -> bool {
        self.0 & other.0 == other.0
    }

    pub(crate) const fn bits(self) -> u32 {
        self.0
    }
}

impl BitOr for RemoteAccess {
    type Output = RemoteAccess;

    fn bitor(self, other: RemoteAccess) -> RemoteAccess {
        RemoteAccess(self.0 | other.0)
    }
}
