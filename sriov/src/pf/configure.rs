use std::num::NonZeroU32;
use std::thread;
use std::time::{Duration, Instant};

use nix::errno::Errno;

use super::Pf;
use crate::error::{Error, Operation, Refusal};
use crate::hint::Hint;
use crate::netlink::{VfList, set_vf};
use crate::spec::VfSpec;
use crate::vf::VfIndex;

impl Pf {
    /// Configures VFs and reads back what the kernel then says of them.
    ///
    /// Each attribute is one request, because the kernel applies several in one request until the
    /// first that fails and does not undo the others. They are set in the order given, and for one
    /// VF: MAC address, VLAN. When one is refused, those before it stay set and those after it are
    /// not tried.
    ///
    /// Needs CAP_NET_ADMIN in the PF's network namespace.
    ///
    /// # Errors
    ///
    /// - [`Error::NoSuchVf`] if there is no such VF, and [`Error::InvalidValue`] if one is named
    ///   twice; nothing was written.
    /// - [`Error::NoNetdev`] if the PF has no network device in this namespace.
    /// - [`Error::Refused`] if the kernel refuses. EPERM: CAP_NET_ADMIN is missing; EOPNOTSUPP: the
    ///   driver cannot set this; EPROTONOSUPPORT: not this VLAN protocol; EINVAL: not this value;
    ///   EAGAIN, EBUSY: the VF is resetting.
    /// - [`Error::NotApplied`] if the kernel reports success and then shows another value, or shows
    ///   none within [`HostBuilder::patience`](crate::HostBuilder::patience).
    #[doc(alias = "IFLA_VFINFO_LIST")]
    #[doc(alias = "RTM_SETLINK")]
    pub fn configure_vfs(&self, vfs: &[(VfIndex, VfSpec)]) -> Result<(), Error> {
        let operation = Operation::ConfigureVfs;
        let ifindex = self.netdev(operation)?.ifindex;
        self.check_indices(vfs, self.vf_list(operation, ifindex)?.count)?;
        for (vf, spec) in vfs {
            for attribute in spec.attributes() {
                self.host.command(
                    operation,
                    |session| set_vf(session, ifindex, *vf, attribute),
                    |refusal| Error::Refused {
                        pf: self.id,
                        vf: *vf,
                        attribute,
                        refusal: Refusal {
                            hint: Hint::for_attribute(attribute, Errno::from_raw(refusal.errno)),
                            ..refusal
                        },
                    },
                )?;
            }
        }
        self.verify(vfs, &self.settled_list(vfs, ifindex)?)
    }

    fn check_indices(&self, vfs: &[(VfIndex, VfSpec)], existing: u16) -> Result<(), Error> {
        let mut indices: Vec<VfIndex> = vfs.iter().map(|(vf, _)| *vf).collect();
        indices.sort_unstable();
        if let Some(twice) = indices.windows(2).find(|pair| pair[0] == pair[1]) {
            return Err(Error::InvalidValue {
                what: "list of VFs",
                value: twice[0].to_string(),
                rule: "each VF may be named once",
            });
        }
        match indices.last() {
            Some(vf) if vf.value() >= existing => Err(Error::NoSuchVf {
                pf: self.id,
                vf: *vf,
                existing,
            }),
            _ => Ok(()),
        }
    }

    /// Reads the list of VFs, and again as long as one of `vfs` is missing from it: some drivers
    /// (i40e, ice) reset a VF to configure it, and the kernel leaves it out meanwhile.
    fn settled_list(
        &self,
        vfs: &[(VfIndex, VfSpec)],
        ifindex: NonZeroU32,
    ) -> Result<VfList, Error> {
        let start = Instant::now();
        let mut pause = Duration::from_millis(1);
        loop {
            let list = self.vf_list(Operation::ConfigureVfs, ifindex)?;
            let settled = vfs.iter().all(|(vf, _)| list.config(*vf).is_some());
            if settled || start.elapsed() >= self.host.patience() {
                return Ok(list);
            }
            thread::sleep(pause);
            pause = (pause * 2).min(Duration::from_millis(200));
        }
    }

    fn verify(&self, vfs: &[(VfIndex, VfSpec)], list: &VfList) -> Result<(), Error> {
        for (vf, spec) in vfs {
            let config = list.config(*vf);
            for attribute in spec.attributes() {
                if config.is_some_and(|config| attribute.is_in(config)) {
                    continue;
                }
                return Err(Error::NotApplied {
                    pf: self.id,
                    vf: *vf,
                    wanted: attribute,
                    reported: config.map_or_else(
                        || "nothing of this VF".to_owned(),
                        |config| attribute.reported(config),
                    ),
                    hint: config.is_none().then_some(Hint::VfNotReported),
                });
            }
        }
        Ok(())
    }
}
