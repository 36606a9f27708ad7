//! SR-IOV provisioning: find physical functions (PFs), create their virtual functions (VFs),
//! configure them, and read everything back.
//!
//! ```no_run
//! use netprims_sriov::{Host, VfCount, VfIndex, VfSpec};
//!
//! let host = Host::open()?;
//! let pf = host.pf(&"ens1f0".parse()?)?;
//! pf.bring_up()?;
//! pf.create_vfs(VfCount::new(4)?)?;
//! pf.configure_vfs(&[(
//!     VfIndex::new(0),
//!     VfSpec::new().mac("02:00:00:00:00:01".parse()?).vlan("100".parse()?),
//! )])?;
//! for vf in pf.snapshot()?.vfs {
//!     println!("{}: {:?}", vf.index, vf.config);
//! }
//! # Ok::<(), netprims_sriov::Error>(())
//! ```
//!
//! A [`Host`] finds a [`Pf`] on PCI or on netdevsim, the kernel's simulated device. A PF is its
//! place on its bus and never the name of its network device, which can change at any moment.
//! [`Pf::snapshot`] says how things are, [`Pf::create_vfs`] and [`Pf::configure_vfs`] change them,
//! and each change is read back: drivers are known to report success for what they did not do.
//! [`Error`] names the operation, the object, the kernel's error number and what to do.
//!
//! # What it does not do
//!
//! It never destroys a VF, and so never changes the number of VFs of a PF that has some. It sets
//! nothing that was not asked for, such as the PF's link or another VF.
//!
//! # What it needs
//!
//! Linux with sysfs mounted; tested on 6.1, 6.12 and 7.2. Looking needs no privilege. Creating VFs
//! needs root (sysfs goes by the file's owner), configuring them CAP_NET_ADMIN in the PF's network
//! namespace. No library is linked and no program is run.

mod config;
mod error;
mod hint;
mod host;
mod mac;
mod netdev;
mod netlink;
mod pci;
mod pf;
mod selector;
mod spec;
#[expect(
    unsafe_code,
    reason = "the edge to the kernel: netlink options that no safe wrapper offers"
)]
mod sys;
mod sysfs;
mod vf;
mod vlan;

pub use config::{LinkState, VfConfig, VfMac, VfVlan};
pub use error::{Error, NotAPf, Operation, Refusal};
pub use hint::Hint;
pub use host::{Host, HostBuilder};
pub use mac::MacAddr;
pub use netdev::{IfName, Netdev};
pub use pci::PciAddress;
pub use pf::{Pf, PfState};
pub use selector::{PfId, PfSelector};
pub use spec::{VfAttribute, VfSpec};
pub use vf::{VfCount, VfIndex, VfNetdev, VfState};
pub use vlan::{Qos, Vlan, VlanId, VlanProto};
