mod configure;
mod create;
mod observe;

#[cfg(test)]
mod tests;

use std::fmt;

use crate::error::{Error, Operation};
use crate::host::Host;
use crate::netdev::Netdev;
use crate::netlink;
use crate::selector::PfId;
use crate::vf::VfState;

/// A physical function: a device that can have VFs.
///
/// A handle that holds nothing but where the device is; each method looks anew. Cheap to clone.
#[derive(Clone)]
pub struct Pf {
    host: Host,
    id: PfId,
}

/// A PF as it was when it was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PfState {
    /// Which device it is.
    pub id: PfId,
    /// The driver bound to it.
    pub driver: Option<String>,
    /// Its network device; `None` if it has none in this namespace.
    pub netdev: Option<Netdev>,
    /// How many VFs it can have. `None` where the device has no such number (netdevsim).
    #[doc(alias = "sriov_totalvfs")]
    pub total_vfs: Option<u16>,
    /// How many VFs it has.
    #[doc(alias = "sriov_numvfs")]
    pub num_vfs: u16,
    /// Its VFs, by ascending index. Fewer than [`num_vfs`](Self::num_vfs) while some are being
    /// destroyed: their functions go first, and the number last.
    pub vfs: Vec<VfState>,
}

impl Pf {
    pub(crate) const fn new(host: Host, id: PfId) -> Self {
        Self { host, id }
    }

    /// Which device it is.
    #[must_use]
    pub const fn id(&self) -> PfId {
        self.id
    }

    /// Sets the PF's network device administratively up.
    ///
    /// Worth doing before VFs are created: igb and ixgbe hand an assigned MAC address to a VF only
    /// if the PF is up while the VF's driver probes, and bnxt makes no VFs at all while it is down.
    /// Returns when the device is up, which does not mean that it has a link.
    ///
    /// Needs CAP_NET_ADMIN.
    ///
    /// # Errors
    ///
    /// - [`Error::NoNetdev`] if the PF has no network device in this namespace.
    /// - [`Error::Netlink`] if the kernel refuses.
    #[doc(alias = "IFF_UP")]
    pub fn bring_up(&self) -> Result<(), Error> {
        let operation = Operation::BringUp;
        let netdev = self.netdev(operation)?;
        self.host.ask(operation, Some(self.id), |session| {
            netlink::bring_up(session, netdev.ifindex)
        })
    }

    /// The network device through which the PF is configured.
    fn netdev(&self, operation: Operation) -> Result<Netdev, Error> {
        self.host
            .links(operation)?
            .of_pf(self.id)
            .cloned()
            .ok_or(Error::NoNetdev {
                operation,
                pf: self.id,
            })
    }
}

impl fmt::Debug for Pf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pf")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}
