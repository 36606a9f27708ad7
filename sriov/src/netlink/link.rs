//! Network devices: which there are, and which device on a bus each belongs to.

use std::num::NonZeroU32;

use super::session::{Failure, Session};
use super::wire::{
    Attribute, Attributes, Malformed, Message, NLM_F_ACK, NLM_F_DUMP, Request, read_array,
    read_u16, read_u32,
};
use crate::mac::MacAddr;
use crate::netdev::Netdev;
use crate::pci::PciAddress;
use crate::selector::PfId;

pub(super) const RTM_NEWLINK: u16 = 16;
pub(super) const RTM_GETLINK: u16 = 18;
pub(super) const RTM_SETLINK: u16 = 19;

pub(super) const IFLA_ADDRESS: u16 = 1;
pub(super) const IFLA_IFNAME: u16 = 3;
pub(super) const IFLA_PHYS_PORT_NAME: u16 = 38;
pub(super) const IFLA_PROP_LIST: u16 = 52;
pub(super) const IFLA_ALT_IFNAME: u16 = 53;
pub(super) const IFLA_PERM_ADDRESS: u16 = 54;
pub(super) const IFLA_PARENT_DEV_NAME: u16 = 56;
pub(super) const IFLA_PARENT_DEV_BUS_NAME: u16 = 57;

pub(super) const IFF_UP: u32 = 1;
const ARPHRD_ETHER: u16 = 1;

/// `struct ifinfomsg` (`rtnetlink(7)`).
pub(super) struct IfInfo {
    pub(super) hardware: u16,
    pub(super) ifindex: NonZeroU32,
    pub(super) flags: u32,
}

impl IfInfo {
    pub(super) const SIZE: usize = 16;

    /// The header of a reply, and what follows it.
    pub(super) fn parse<'a>(message: &Message<'a>) -> Result<(Self, &'a [u8]), Malformed> {
        if message.kind != RTM_NEWLINK {
            return Err(Malformed("a message other than RTM_NEWLINK"));
        }
        let header = || {
            let info = Self {
                hardware: read_u16(message.payload, 2)?,
                ifindex: NonZeroU32::new(read_u32(message.payload, 4)?)?,
                flags: read_u32(message.payload, 8)?,
            };
            Some((info, message.payload.get(Self::SIZE..)?))
        };
        header().ok_or(Malformed("RTM_NEWLINK without a device"))
    }

    /// The header of a request about a device (or, with 0, about all).
    pub(super) fn of(ifindex: u32, flags: u32, change: u32) -> [u8; Self::SIZE] {
        let mut bytes = [0; Self::SIZE];
        bytes[4..8].copy_from_slice(&ifindex.to_ne_bytes());
        bytes[8..12].copy_from_slice(&flags.to_ne_bytes());
        bytes[12..16].copy_from_slice(&change.to_ne_bytes());
        bytes
    }

    pub(super) const fn is_ethernet(&self) -> bool {
        self.hardware == ARPHRD_ETHER
    }
}

/// What one network device says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Link {
    pub(crate) netdev: Netdev,
    pub(crate) permanent_mac: Option<MacAddr>,
    pub(crate) alternative_names: Vec<String>,
    /// The name of its port: `p0` on a PF, `pf0vf1` on what stands for a VF in switchdev mode.
    pub(crate) port: Option<String>,
    /// Bus and name of the device it belongs to. Linux 5.14 and later say it.
    pub(crate) parent: Option<(String, String)>,
}

impl Link {
    pub(super) fn parse(message: &Message<'_>) -> Result<Self, Malformed> {
        let (info, attributes) = IfInfo::parse(message)?;
        let mut link = Self {
            netdev: Netdev {
                ifindex: info.ifindex,
                name: String::new(),
                mac: None,
                up: info.flags & IFF_UP != 0,
            },
            permanent_mac: None,
            alternative_names: Vec::new(),
            port: None,
            parent: None,
        };
        let (mut bus, mut device) = (None, None);
        for attribute in Attributes(attributes) {
            let attribute = attribute?;
            let text = || attribute.text().map(str::to_owned);
            match attribute.kind {
                IFLA_IFNAME => link.netdev.name = text().unwrap_or_default(),
                IFLA_ADDRESS if info.is_ethernet() => link.netdev.mac = mac(&attribute),
                IFLA_PERM_ADDRESS if info.is_ethernet() => link.permanent_mac = mac(&attribute),
                IFLA_PHYS_PORT_NAME => link.port = text(),
                IFLA_PARENT_DEV_BUS_NAME => bus = text(),
                IFLA_PARENT_DEV_NAME => device = text(),
                IFLA_PROP_LIST => {
                    for property in attribute.attributes() {
                        let property = property?;
                        if property.kind == IFLA_ALT_IFNAME {
                            link.alternative_names
                                .extend(property.text().map(str::to_owned));
                        }
                    }
                }
                _ => {}
            }
        }
        link.parent = bus.zip(device);
        Ok(link)
    }

    fn is_called(&self, name: &str) -> bool {
        self.netdev.name == name || self.alternative_names.iter().any(|other| other == name)
    }

    /// Whether it stands for a VF or a subfunction (`pf0vf1`, `c1pf0vf1`, `pf0sf7`) rather than for
    /// the PF. `devlink-port(8)` and `__devlink_port_phys_port_name_get` in `net/devlink/port.c`.
    fn is_representor(&self) -> bool {
        let Some(port) = &self.port else {
            return false;
        };
        let tail = port.trim_end_matches(|c: char| c.is_ascii_digit());
        tail.len() < port.len() && (tail.ends_with("vf") || tail.ends_with("sf"))
    }
}

fn mac(attribute: &Attribute<'_>) -> Option<MacAddr> {
    let octets: [u8; 6] = attribute.payload.try_into().ok()?;
    MacAddr::new(octets).ok()
}

/// The network devices of a namespace at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Links(Vec<Link>);

impl Links {
    pub(crate) fn read(session: &mut Session) -> Result<Self, Failure> {
        let mut links = session.dump(
            || Request::new(RTM_GETLINK, NLM_F_DUMP).fixed(&IfInfo::of(0, 0, 0)),
            Link::parse,
        )?;
        links.sort_by_key(|link| link.netdev.ifindex);
        Ok(Self(links))
    }

    /// Adds what older kernels do not say: `parent_of` answers, from sysfs, which device a network
    /// device belongs to. It is asked only about devices whose parent the kernel left out, and
    /// only if it left out all of them: a kernel that names parents names them all.
    pub(crate) fn complete(&mut self, parent_of: impl Fn(&Netdev) -> Option<(String, String)>) {
        if self.0.iter().any(|link| link.parent.is_some()) {
            return;
        }
        for link in &mut self.0 {
            link.parent = parent_of(&link.netdev);
        }
    }

    pub(crate) fn named(&self, name: &str) -> Option<&Link> {
        self.0.iter().find(|link| link.is_called(name))
    }

    pub(crate) fn with_permanent_mac(&self, mac: MacAddr) -> impl Iterator<Item = &Link> {
        self.0
            .iter()
            .filter(move |link| link.permanent_mac == Some(mac))
    }

    pub(crate) fn with_mac(&self, mac: MacAddr) -> impl Iterator<Item = &Link> {
        self.0
            .iter()
            .filter(move |link| link.netdev.mac == Some(mac))
    }

    /// The network device through which a PF is configured: its first that stands for the PF
    /// itself.
    pub(crate) fn of_pf(&self, pf: PfId) -> Option<&Netdev> {
        self.of_device(pf.bus(), &pf.to_string())
    }

    pub(crate) fn of_function(&self, function: PciAddress) -> Option<&Netdev> {
        self.of_device("pci", &function.to_string())
    }

    fn of_device(&self, bus: &str, device: &str) -> Option<&Netdev> {
        self.0
            .iter()
            .filter(|link| !link.is_representor())
            .find(|link| {
                link.parent
                    .as_ref()
                    .is_some_and(|(its_bus, its_device)| its_bus == bus && its_device == device)
            })
            .map(|link| &link.netdev)
    }
}

/// Sets a network device administratively up.
pub(crate) fn bring_up(session: &mut Session, ifindex: NonZeroU32) -> Result<(), Failure> {
    session.command(Request::new(RTM_SETLINK, NLM_F_ACK).fixed(&IfInfo::of(
        ifindex.get(),
        IFF_UP,
        IFF_UP,
    )))
}

/// The payload of an attribute as a fixed structure's leading bytes.
pub(super) fn leading<const N: usize>(
    attribute: &Attribute<'_>,
    offset: usize,
) -> Result<[u8; N], Malformed> {
    read_array(attribute.payload, offset).ok_or(Malformed("attribute shorter than its structure"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;

    use super::super::fake::{FakeKernel, FakeLink};
    use super::*;

    fn read(kernel: &FakeKernel) -> Links {
        Links::read(&mut kernel.session()).unwrap()
    }

    #[test]
    fn finds_the_netdev_of_a_device_by_the_parent_the_kernel_names() {
        let kernel = FakeKernel::default();
        kernel.add(FakeLink::new(7, "eth1").parent("pci", "0000:01:00.0"));
        kernel.add(FakeLink::new(2, "eth0").parent("pci", "0000:02:00.0"));
        let links = read(&kernel);
        let pf = PfId::Pci("0000:01:00.0".parse().unwrap());
        assert_eq!(links.of_pf(pf).unwrap().name, "eth1");
        assert_eq!(links.of_pf(PfId::Netdevsim(1)), None);
    }

    #[test]
    fn a_representor_is_not_the_pfs_netdev() {
        let kernel = FakeKernel::default();
        kernel.add(
            FakeLink::new(2, "rep")
                .parent("netdevsim", "netdevsim1")
                .port("pf0vf0"),
        );
        kernel.add(
            FakeLink::new(3, "pf")
                .parent("netdevsim", "netdevsim1")
                .port("p1"),
        );
        assert_eq!(read(&kernel).of_pf(PfId::Netdevsim(1)).unwrap().name, "pf");
    }

    #[rstest]
    #[case("p0", false)]
    #[case("pf0", false)]
    #[case("p0s1", false)]
    #[case("pf0vf3", true)]
    #[case("c1pf0vf3", true)]
    #[case("pf0sf88", true)]
    #[case("vf", false)]
    fn tells_representors_by_their_port(#[case] port: &str, #[case] representor: bool) {
        let kernel = FakeKernel::default();
        kernel.add(FakeLink::new(2, "dev").port(port));
        assert_eq!(read(&kernel).0[0].is_representor(), representor);
    }

    #[test]
    fn names_include_alternative_ones() {
        let kernel = FakeKernel::default();
        kernel.add(FakeLink::new(2, "eth0").alternative_name("enp1s0f0np0"));
        let links = read(&kernel);
        assert_eq!(links.named("enp1s0f0np0"), links.named("eth0"));
        assert_eq!(links.named("enp1s0f1np1"), None);
    }

    #[test]
    fn asks_sysfs_for_parents_only_when_the_kernel_names_none() {
        let from_sysfs = |_: &Netdev| Some(("pci".into(), "0000:01:00.0".into()));
        let pf = PfId::Pci("0000:01:00.0".parse().unwrap());

        let old = FakeKernel::default();
        old.add(FakeLink::new(2, "eth0"));
        let mut links = read(&old);
        links.complete(from_sysfs);
        assert_eq!(links.of_pf(pf).unwrap().name, "eth0");

        let new = FakeKernel::default();
        new.add(FakeLink::new(2, "veth0"));
        new.add(FakeLink::new(3, "eth0").parent("pci", "0000:02:00.0"));
        let mut links = read(&new);
        links.complete(from_sysfs);
        assert_eq!(links.of_pf(pf), None);
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(payload: Vec<u8>) {
            let message = Message { kind: RTM_NEWLINK, flags: 0, sequence: 0, payload: &payload };
            let _ = Link::parse(&message);
        }
    }
}
