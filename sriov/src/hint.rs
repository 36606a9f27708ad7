use std::fmt;

use nix::errno::Errno;

use crate::selector::PfId;
use crate::spec::VfAttribute;

/// What most likely stands behind an error, and what to do about it.
///
/// The kernel gives few error numbers for many causes; a hint names the causes that drivers are
/// known to have for this number at this place. Prints as one clause without a full stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Hint {
    /// The file belongs to root.
    NeedsRoot,
    /// `/sys` is mounted read-only, as in most containers.
    SysfsReadOnly,
    /// No driver that can make VFs is bound to the PF (the kernel says ENOENT).
    NoSriovDriver,
    /// VFs appeared in the meantime, or the device is resetting.
    VfsExistOrResetting,
    /// No room in the address space or among the bus numbers for the VFs.
    NoAddressSpace,
    /// The simulated device's own limit.
    NetdevsimLimit,
    /// The device has no interrupt vectors left.
    MsixExhausted,
    /// The driver's own limit, lower than the device's, or kernel lockdown.
    DriverLimit,
    /// The number is above what the device has.
    AboveTotal,
    /// The driver refuses in its present state.
    DriverRefuses,
    /// The firmware and the SR-IOV capability disagree.
    FirmwareMisreports,
    /// A function this one depends on is missing.
    DependencyMissing,
    /// The driver is busy with another operation on the device.
    DriverBusy,
    /// The driver answered success and did nothing, as bnxt does while the PF is down.
    PfDown,
    /// The caller may not administer the network here.
    NeedsNetAdmin,
    /// The driver cannot set this attribute.
    AttributeUnsupported,
    /// The driver knows only 802.1Q.
    Only8021Q,
    /// The VF is resetting.
    VfResetting,
    /// The driver does not take this value.
    ValueRefused,
    /// The device went away.
    DeviceGone,
    /// The kernel reports the VF's settings only while the VF is not resetting.
    VfNotReported,
    /// Another write to a PF holds the locks this one needs.
    StuckWriter,
}

impl fmt::Display for Hint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NeedsRoot => "run as root: capabilities do not help here",
            Self::SysfsReadOnly => {
                "sysfs is read-only here, as in most containers; mount the host's /sys writable \
                 and point Host::builder().sysfs_root() at it"
            }
            Self::NoSriovDriver => {
                "no driver that supports SR-IOV is bound to the PF; bind one first"
            }
            Self::VfsExistOrResetting => {
                "VFs appeared in the meantime, or the device is resetting; look again before \
                 retrying"
            }
            Self::NoAddressSpace => {
                "no room for the VFs' BARs or bus numbers; enable SR-IOV and ARI in the firmware \
                 setup, or boot with pci=realloc"
            }
            Self::NetdevsimLimit => {
                "above the simulated device's max_vfs (4 unless raised in \
                 /sys/kernel/debug/netdevsim/netdevsimN/max_vfs)"
            }
            Self::MsixExhausted => {
                "the device has too few MSI-X vectors left; create fewer VFs or give the PF fewer \
                 queues"
            }
            Self::DriverLimit => {
                "the driver's own limit is lower than the device's (igb: 7, and MSI-X needed), or \
                 kernel lockdown forbids it"
            }
            Self::AboveTotal => "above the number of VFs the device has; see sriov_totalvfs",
            Self::DriverRefuses => {
                "the driver refuses in the device's present state (safe mode, VFs assigned to \
                 guests, eswitch mode); the kernel log may say which"
            }
            Self::FirmwareMisreports => {
                "the device's firmware reports an impossible number of VFs; update it"
            }
            Self::DependencyMissing => {
                "the function this one depends on (SR-IOV function dependency link) is missing"
            }
            Self::DriverBusy => "the driver is busy with the device; try again",
            Self::PfDown => {
                "some drivers (bnxt) answer success and do nothing while the PF is down or its \
                 firmware resets; bring the PF up and try again"
            }
            Self::NeedsNetAdmin => "needs CAP_NET_ADMIN in the network namespace that holds the PF",
            Self::AttributeUnsupported => {
                "the driver cannot set this, or the eswitch is in switchdev mode, where devlink \
                 port functions take its place"
            }
            Self::Only8021Q => "the driver tags VFs with 802.1q only",
            Self::VfResetting => "the VF is resetting; try again",
            Self::ValueRefused => "the driver does not take this value for this VF",
            Self::DeviceGone => "the device went away",
            Self::VfNotReported => {
                "the kernel leaves a VF out of its list while the VF resets; look again later"
            }
            Self::StuckWriter => {
                "another write to this or another PF holds the kernel's locks, possibly the \
                 removal of a VF that is open in vfio; find the process in state D, and note that \
                 this process too cannot end before the kernel answers"
            }
        })
    }
}

impl Hint {
    /// For a failed write to `sriov_numvfs`.
    pub(crate) fn for_creation(pf: PfId, errno: Errno) -> Option<Self> {
        Some(match errno {
            Errno::EACCES => Self::NeedsRoot,
            Errno::EROFS => Self::SysfsReadOnly,
            Errno::ENOENT => Self::NoSriovDriver,
            Errno::EBUSY => Self::VfsExistOrResetting,
            Errno::ENOMEM if matches!(pf, PfId::Netdevsim(_)) => Self::NetdevsimLimit,
            Errno::ENOMEM => Self::NoAddressSpace,
            Errno::ENOSPC => Self::MsixExhausted,
            Errno::EPERM => Self::DriverLimit,
            Errno::ERANGE => Self::AboveTotal,
            Errno::EINVAL | Errno::EOPNOTSUPP => Self::DriverRefuses,
            Errno::EIO => Self::FirmwareMisreports,
            Errno::ENODEV | Errno::ENOSYS => Self::DependencyMissing,
            Errno::EAGAIN => Self::DriverBusy,
            _ => return None,
        })
    }

    /// For a refused attribute of a VF.
    pub(crate) fn for_attribute(attribute: VfAttribute, errno: Errno) -> Option<Self> {
        Some(match errno {
            Errno::EPERM | Errno::EACCES => Self::NeedsNetAdmin,
            Errno::EPROTONOSUPPORT if matches!(attribute, VfAttribute::Vlan(_)) => Self::Only8021Q,
            Errno::EOPNOTSUPP => Self::AttributeUnsupported,
            Errno::EAGAIN | Errno::EBUSY => Self::VfResetting,
            Errno::EINVAL | Errno::ERANGE => Self::ValueRefused,
            Errno::ENODEV | Errno::ENXIO => Self::DeviceGone,
            _ => return None,
        })
    }

    /// For any other refused request over netlink.
    pub(crate) fn for_link(errno: Errno) -> Option<Self> {
        Some(match errno {
            Errno::EPERM | Errno::EACCES => Self::NeedsNetAdmin,
            Errno::ENODEV | Errno::ENXIO => Self::DeviceGone,
            _ => return None,
        })
    }

    /// For any other failed access to sysfs.
    pub(crate) fn for_sysfs(errno: Errno) -> Option<Self> {
        Some(match errno {
            Errno::EACCES | Errno::EPERM => Self::NeedsRoot,
            Errno::EROFS => Self::SysfsReadOnly,
            Errno::ENODEV | Errno::ENXIO => Self::DeviceGone,
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case(Errno::EACCES, Hint::NeedsRoot)]
    #[case(Errno::EROFS, Hint::SysfsReadOnly)]
    #[case(Errno::ENOENT, Hint::NoSriovDriver)]
    #[case(Errno::EBUSY, Hint::VfsExistOrResetting)]
    #[case(Errno::ENOMEM, Hint::NoAddressSpace)]
    #[case(Errno::ENOSPC, Hint::MsixExhausted)]
    #[case(Errno::EPERM, Hint::DriverLimit)]
    #[case(Errno::ERANGE, Hint::AboveTotal)]
    #[case(Errno::EINVAL, Hint::DriverRefuses)]
    #[case(Errno::EIO, Hint::FirmwareMisreports)]
    #[case(Errno::EAGAIN, Hint::DriverBusy)]
    fn every_errno_of_sriov_numvfs_has_a_hint(#[case] errno: Errno, #[case] hint: Hint) {
        let pf = PfId::Pci("0000:01:00.0".parse().unwrap());
        assert_eq!(Hint::for_creation(pf, errno), Some(hint));
    }

    #[test]
    fn netdevsim_means_its_own_limit_by_enomem() {
        assert_eq!(
            Hint::for_creation(PfId::Netdevsim(1), Errno::ENOMEM),
            Some(Hint::NetdevsimLimit)
        );
    }

    #[test]
    fn an_unknown_errno_gets_no_made_up_hint() {
        assert_eq!(Hint::for_creation(PfId::Netdevsim(1), Errno::EXDEV), None);
        let vlan = VfAttribute::Vlan(None);
        assert_eq!(Hint::for_attribute(vlan, Errno::EXDEV), None);
        assert_eq!(
            Hint::for_attribute(vlan, Errno::EPROTONOSUPPORT),
            Some(Hint::Only8021Q)
        );
        let mac = VfAttribute::Mac("02:00:00:00:00:01".parse().unwrap());
        assert_eq!(Hint::for_attribute(mac, Errno::EPROTONOSUPPORT), None);
    }
}
