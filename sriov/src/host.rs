use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use nix::errno::Errno;

use crate::error::{Error, NotAPf, Operation, Refusal};
use crate::hint::Hint;
use crate::netlink::{Failure, Link, Links, Malformed, Session};
use crate::pf::Pf;
use crate::selector::{PfId, PfSelector, netdevsim_id};
use crate::sys::{RouteSocket, SysfsFiles};
use crate::sysfs::Tree;

/// The machine: its sysfs, and the network namespace the host was opened in.
///
/// Cheap to clone; clones share one netlink socket.
///
/// # Examples
///
/// ```no_run
/// for pf in netprims_sriov::Host::open()?.pfs()? {
///     let state = pf.snapshot()?;
///     println!("{}: {} VFs of {:?}", state.id, state.num_vfs, state.total_vfs);
/// }
/// # Ok::<(), netprims_sriov::Error>(())
/// ```
#[derive(Clone)]
pub struct Host(Arc<Inner>);

struct Inner {
    tree: Tree,
    session: Mutex<Session>,
    patience: Duration,
}

impl Host {
    /// Opens this machine with `/sys` and the calling thread's network namespace.
    ///
    /// # Errors
    ///
    /// As [`HostBuilder::open`].
    pub fn open() -> Result<Self, Error> {
        Self::builder().open()
    }

    /// Opens a machine that is reached in another way.
    #[must_use]
    pub fn builder() -> HostBuilder {
        HostBuilder::default()
    }

    /// Every PF on PCI and netdevsim, ordered by bus and place, whether or not it has VFs, a driver
    /// or a network device.
    ///
    /// # Errors
    ///
    /// [`Error::Sysfs`] if sysfs cannot be read.
    pub fn pfs(&self) -> Result<Vec<Pf>, Error> {
        let ids = self.0.tree.pfs()?;
        Ok(ids
            .into_iter()
            .map(|id| Pf::new(self.clone(), id))
            .collect())
    }

    /// The PF that `selector` names.
    ///
    /// # Errors
    ///
    /// - [`Error::NotFound`] if no device answers to it.
    /// - [`Error::Ambiguous`] if several PFs do, as when two have one MAC address in a bond.
    /// - [`Error::NotAPf`] if the device exists and offers no VFs.
    /// - [`Error::Sysfs`], [`Error::Socket`] or [`Error::Answer`] if the kernel cannot be asked.
    pub fn pf(&self, selector: &PfSelector) -> Result<Pf, Error> {
        let id = match selector {
            PfSelector::Pci(address) => self.offering_vfs(PfId::Pci(*address), selector)?,
            PfSelector::Netdevsim(id) => self.offering_vfs(PfId::Netdevsim(*id), selector)?,
            PfSelector::Netdev(name) => {
                let links = self.links(Operation::FindPfs)?;
                let link = links
                    .named(name.as_str())
                    .ok_or_else(|| not_found(selector))?;
                let id = device_of(link).ok_or_else(|| Error::NotAPf {
                    device: selector.to_string(),
                    reason: NotAPf::Virtual,
                })?;
                self.offering_vfs(id, selector)?
            }
            PfSelector::Mac(mac) => {
                let links = self.links(Operation::FindPfs)?;
                let mut found = self.pfs_among(links.with_permanent_mac(*mac))?;
                if found.is_empty() {
                    found = self.pfs_among(links.with_mac(*mac))?;
                }
                match found[..] {
                    [] => return Err(not_found(selector)),
                    [id] => id,
                    _ => {
                        return Err(Error::Ambiguous {
                            selector: selector.clone(),
                            candidates: found,
                        });
                    }
                }
            }
        };
        Ok(Pf::new(self.clone(), id))
    }

    pub(crate) fn tree(&self) -> &Tree {
        &self.0.tree
    }

    pub(crate) fn patience(&self) -> Duration {
        self.0.patience
    }

    /// The network devices of the namespace, each with the device it belongs to.
    pub(crate) fn links(&self, operation: Operation) -> Result<Links, Error> {
        let mut links = self.ask(operation, None, Links::read)?;
        links.complete(|netdev| {
            let name = netdev.name.parse().ok()?;
            self.0.tree.parent(&name, netdev.ifindex.get())
        });
        Ok(links)
    }

    /// Asks the kernel over netlink.
    pub(crate) fn ask<T>(
        &self,
        operation: Operation,
        pf: Option<PfId>,
        ask: impl FnOnce(&mut Session) -> Result<T, Failure>,
    ) -> Result<T, Error> {
        ask(&mut self.session()).map_err(|failure| {
            described(operation, failure, |refusal| Error::Netlink {
                operation,
                pf,
                refusal: Refusal {
                    hint: Hint::for_link(Errno::from_raw(refusal.errno)),
                    ..refusal
                },
            })
        })
    }

    /// Runs a netlink request whose refusal means something of its own.
    pub(crate) fn command(
        &self,
        operation: Operation,
        command: impl FnOnce(&mut Session) -> Result<(), Failure>,
        refused: impl FnOnce(Refusal) -> Error,
    ) -> Result<(), Error> {
        command(&mut self.session()).map_err(|failure| described(operation, failure, refused))
    }

    fn session(&self) -> std::sync::MutexGuard<'_, Session> {
        // A session keeps nothing between two requests but their numbering.
        self.0
            .session
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn offering_vfs(&self, id: PfId, selector: &PfSelector) -> Result<PfId, Error> {
        let tree = &self.0.tree;
        if tree.can_have_vfs(id)? {
            return Ok(id);
        }
        if !tree.exists(id)? {
            return Err(not_found(selector));
        }
        let physical = match id {
            PfId::Pci(address) => tree.pf_of_vf(address)?,
            PfId::Netdevsim(_) => None,
        };
        Err(Error::NotAPf {
            device: selector.to_string(),
            reason: physical.map_or(NotAPf::NoCapability, |pf| NotAPf::IsVfOf(PfId::Pci(pf))),
        })
    }

    /// The PFs among the devices that network devices belong to, each once.
    fn pfs_among<'a>(&self, links: impl Iterator<Item = &'a Link>) -> Result<Vec<PfId>, Error> {
        let mut found = Vec::new();
        for id in links.filter_map(device_of) {
            if !found.contains(&id) && self.0.tree.can_have_vfs(id)? {
                found.push(id);
            }
        }
        Ok(found)
    }
}

impl fmt::Debug for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Host").finish_non_exhaustive()
    }
}

/// How to reach a machine, and how long to wait for it.
#[derive(Clone, Debug)]
pub struct HostBuilder {
    sysfs_root: PathBuf,
    patience: Duration,
}

impl Default for HostBuilder {
    fn default() -> Self {
        Self {
            sysfs_root: "/sys".into(),
            patience: Duration::from_secs(120),
        }
    }
}

impl HostBuilder {
    /// Where sysfs is mounted. Default: `/sys`.
    ///
    /// In a container that is often the host's, as in `/host/sys`. It should belong to the network
    /// namespace the host is opened in; where they differ, PFs are found and their VFs created,
    /// but without a network device at hand they cannot be configured.
    #[must_use]
    pub fn sysfs_root(mut self, root: impl Into<PathBuf>) -> Self {
        self.sysfs_root = root.into();
        self
    }

    /// How long to wait for one answer of the kernel. Default: two minutes.
    ///
    /// Creating VFs takes a tenth of a second to more than a minute, by driver and number. After
    /// this time the caller gets [`Error::Timeout`]; the kernel goes on with what it was told, and
    /// nothing can make it stop.
    #[must_use]
    pub fn patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// Opens the machine.
    ///
    /// # Errors
    ///
    /// - [`Error::Sysfs`] if no sysfs is mounted at the root.
    /// - [`Error::Socket`] if no netlink socket can be had (file limit, seccomp).
    pub fn open(self) -> Result<Host, Error> {
        let tree = Tree::new(self.sysfs_root, Arc::new(SysfsFiles));
        tree.check()?;
        let socket = RouteSocket::open(self.patience).map_err(|source| Error::Socket {
            operation: Operation::OpenHost,
            source,
        })?;
        let session = Session::new(Box::new(socket));
        Ok(Host::assemble(tree, session, self.patience))
    }
}

impl Host {
    pub(crate) fn assemble(tree: Tree, session: Session, patience: Duration) -> Self {
        Self(Arc::new(Inner {
            tree,
            session: Mutex::new(session),
            patience,
        }))
    }
}

fn device_of(link: &Link) -> Option<PfId> {
    let (bus, device) = link.parent.as_ref()?;
    match bus.as_str() {
        "pci" => device.parse().ok().map(PfId::Pci),
        "netdevsim" => netdevsim_id(device).map(PfId::Netdevsim),
        _ => None,
    }
}

fn not_found(selector: &PfSelector) -> Error {
    Error::NotFound {
        selector: selector.clone(),
    }
}

fn described(
    operation: Operation,
    failure: Failure,
    refused: impl FnOnce(Refusal) -> Error,
) -> Error {
    match failure {
        Failure::Io(source) => Error::Socket { operation, source },
        Failure::Refused(ack) => refused(Refusal {
            errno: ack.errno,
            message: ack.message,
            hint: None,
        }),
        Failure::Malformed(Malformed(problem)) => Error::Answer { operation, problem },
        Failure::Inconsistent => Error::Answer {
            operation,
            problem: "the network devices changed during every attempt to read them",
        },
    }
}
