//! The VFs of a PF: reading their configuration and setting it, one attribute per message.

use std::num::NonZeroU32;

use super::link::{IfInfo, RTM_GETLINK, RTM_SETLINK, leading};
use super::session::{Failure, Session};
use super::wire::{
    ATTRIBUTE_HEADER, Attribute, Malformed, Message, NLM_F_ACK, Request, align, read_u16,
};
use crate::config::{LinkState, VfConfig, VfMac, VfVlan};
use crate::mac::MacAddr;
use crate::spec::VfAttribute;
use crate::vf::VfIndex;
use crate::vlan::{Qos, Vlan, VlanId, VlanProto};

pub(super) const IFLA_NUM_VF: u16 = 21;
pub(super) const IFLA_VFINFO_LIST: u16 = 22;
pub(super) const IFLA_EXT_MASK: u16 = 29;

pub(super) const IFLA_VF_INFO: u16 = 1;
pub(super) const IFLA_VF_MAC: u16 = 1;
pub(super) const IFLA_VF_VLAN: u16 = 2;
pub(super) const IFLA_VF_SPOOFCHK: u16 = 4;
pub(super) const IFLA_VF_LINK_STATE: u16 = 5;
pub(super) const IFLA_VF_RSS_QUERY_EN: u16 = 7;
pub(super) const IFLA_VF_TRUST: u16 = 9;
pub(super) const IFLA_VF_VLAN_LIST: u16 = 12;
pub(super) const IFLA_VF_VLAN_INFO: u16 = 1;

pub(super) const RTEXT_FILTER_VF: u32 = 1;
pub(super) const RTEXT_FILTER_SKIP_STATS: u32 = 1 << 3;

/// What is said where a driver says nothing: the kernel presets -1.
pub(super) const NOT_REPORTED: u32 = u32::MAX;

/// The VFs the kernel reported.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct VfList {
    /// How many VFs the PF has.
    pub(crate) count: u16,
    /// Those whose configuration the driver gave, by ascending index. A VF that resets is missing.
    configs: Vec<(VfIndex, VfConfig)>,
}

impl VfList {
    pub(crate) fn config(&self, vf: VfIndex) -> Option<&VfConfig> {
        let at = self.configs.binary_search_by_key(&vf, |(index, _)| *index);
        at.ok().map(|at| &self.configs[at].1)
    }

    pub(crate) fn parse(message: &Message<'_>) -> Result<Self, Malformed> {
        let (info, mut rest) = IfInfo::parse(message)?;
        let mut list = Self::default();
        while !rest.is_empty() {
            let kind = read_u16(rest, 2);
            // The number comes before the list: `rtnl_fill_vf` in `net/core/rtnetlink.c`.
            if kind.is_some_and(|kind| kind & 0x3fff == IFLA_VFINFO_LIST) && list.count > 0 {
                let length;
                (list.configs, length) = walk(rest, list.count, info.is_ethernet())?;
                rest = rest.get(length..).unwrap_or_default();
                continue;
            }
            let (attribute, length) = Attribute::first(rest)?;
            if attribute.kind == IFLA_NUM_VF {
                list.count = u16::try_from(attribute.u32_at(0)?)
                    .map_err(|_| Malformed("more VFs than the SR-IOV capability can count"))?;
            }
            rest = rest.get(length..).unwrap_or_default();
        }
        Ok(list)
    }
}

/// Reads the list that starts at `bytes`, and says how long it really is.
///
/// The list's own length has 16 bits and wraps without a word: from about 222 VFs on with
/// statistics, 335 without. What it contains is whole, so the entries are counted instead: the list
/// goes on while the next attribute is an entry for a VF above the last one. The length then must
/// agree modulo 65 536, or the message is malformed.
fn walk(
    bytes: &[u8],
    count: u16,
    ethernet: bool,
) -> Result<(Vec<(VfIndex, VfConfig)>, usize), Malformed> {
    let mut configs: Vec<(VfIndex, VfConfig)> = Vec::new();
    let mut end = ATTRIBUTE_HEADER;
    while let Some((entry, length)) = bytes.get(end..).and_then(|rest| entry(rest, count)) {
        let (vf, config) = parse_entry(&entry, ethernet)?;
        if configs.last().is_some_and(|(last, _)| *last >= vf) {
            break;
        }
        configs.push((vf, config));
        end += length;
    }
    let claimed = read_u16(bytes, 0).map(usize::from);
    if claimed.is_none_or(|claimed| align(claimed) % 0x1_0000 != end % 0x1_0000) {
        return Err(Malformed("list of VFs with entries that do not fill it"));
    }
    Ok((configs, end))
}

/// The attribute at the start of `bytes`, if it is an entry of the list.
fn entry(bytes: &[u8], count: u16) -> Option<(Attribute<'_>, usize)> {
    let (attribute, length) = Attribute::first(bytes).ok()?;
    let first = attribute.attributes().next()?.ok()?;
    let belongs = attribute.kind == IFLA_VF_INFO
        && first.kind == IFLA_VF_MAC
        && first.u32_at(0).is_ok_and(|vf| vf < u32::from(count));
    belongs.then_some((attribute, length))
}

fn parse_entry(entry: &Attribute<'_>, ethernet: bool) -> Result<(VfIndex, VfConfig), Malformed> {
    let mut vf = None;
    let mut config = VfConfig {
        mac: VfMac::NotEthernet,
        vlan: VfVlan::Untagged,
        spoof_check: None,
        trust: None,
        rss_query: None,
        link_state: None,
    };
    let mut vlan_listed = false;
    for attribute in entry.attributes() {
        let attribute = attribute?;
        match attribute.kind {
            IFLA_VF_MAC => {
                vf = Some(attribute.u32_at(0)?);
                if ethernet {
                    config.mac = mac(leading(&attribute, 4)?);
                }
            }
            // The old form, without a protocol; the list below says more.
            IFLA_VF_VLAN if !vlan_listed => {
                config.vlan = vlan(attribute.u32_at(4)?, attribute.u32_at(8)?, 0);
            }
            IFLA_VF_VLAN_LIST => {
                for info in attribute.attributes() {
                    let info = info?;
                    if info.kind == IFLA_VF_VLAN_INFO {
                        let proto = u16::from_be_bytes(leading(&info, 12)?);
                        config.vlan = vlan(info.u32_at(4)?, info.u32_at(8)?, proto);
                        vlan_listed = true;
                    }
                }
            }
            IFLA_VF_SPOOFCHK => config.spoof_check = switch(attribute.u32_at(4)?),
            IFLA_VF_TRUST => config.trust = switch(attribute.u32_at(4)?),
            IFLA_VF_RSS_QUERY_EN => config.rss_query = switch(attribute.u32_at(4)?),
            IFLA_VF_LINK_STATE => {
                config.link_state = Some(LinkState::from_raw(attribute.u32_at(4)?));
            }
            _ => {}
        }
    }
    let vf = vf.and_then(|vf| u16::try_from(vf).ok());
    vf.map(|vf| (VfIndex::new(vf), config))
        .ok_or(Malformed("entry of the list of VFs without its number"))
}

fn mac(octets: [u8; 6]) -> VfMac {
    match MacAddr::new(octets) {
        Ok(mac) => VfMac::Set(mac),
        Err(_) if octets == [0; 6] => VfMac::Unset,
        Err(_) => VfMac::Unknown(octets),
    }
}

fn vlan(id: u32, qos: u32, proto: u16) -> VfVlan {
    let known = || {
        let id = VlanId::new(u16::try_from(id).ok()?).ok()?;
        let qos = Qos::new(u8::try_from(qos).ok()?).ok()?;
        // Drivers that clear the whole structure (mlx5) leave 0 for the only protocol they know.
        let proto = match proto {
            0 => VlanProto::Dot1Q,
            proto => VlanProto::from_ethertype(proto)?,
        };
        Some(Vlan::new(id).qos(qos).proto(proto))
    };
    match (id, qos) {
        (0, 0) => VfVlan::Untagged,
        _ => known().map_or(VfVlan::Unknown { id, qos, proto }, VfVlan::Tagged),
    }
}

fn switch(raw: u32) -> Option<bool> {
    (raw != NOT_REPORTED).then_some(raw != 0)
}

/// Reads the VFs of the PF behind a network device, without their statistics.
pub(crate) fn read_vfs(session: &mut Session, ifindex: NonZeroU32) -> Result<VfList, Failure> {
    session.ask(get_request(ifindex), VfList::parse)
}

/// Sets one attribute of one VF.
pub(crate) fn set_vf(
    session: &mut Session,
    ifindex: NonZeroU32,
    vf: VfIndex,
    attribute: VfAttribute,
) -> Result<(), Failure> {
    session.command(set_request(ifindex, vf, attribute))
}

pub(super) fn get_request(ifindex: NonZeroU32) -> Request {
    let mask = RTEXT_FILTER_VF | RTEXT_FILTER_SKIP_STATS;
    Request::new(RTM_GETLINK, 0)
        .fixed(&IfInfo::of(ifindex.get(), 0, 0))
        .attribute(IFLA_EXT_MASK, &mask.to_ne_bytes())
}

pub(super) fn set_request(ifindex: NonZeroU32, vf: VfIndex, attribute: VfAttribute) -> Request {
    let vf = u32::from(vf.value()).to_ne_bytes();
    Request::new(RTM_SETLINK, NLM_F_ACK)
        .fixed(&IfInfo::of(ifindex.get(), 0, 0))
        .nest(IFLA_VFINFO_LIST, |list| {
            list.nest(IFLA_VF_INFO, |info| match attribute {
                VfAttribute::Mac(mac) => {
                    // struct ifla_vf_mac: the VF and 32 bytes of address.
                    let mut payload = [0; 36];
                    payload[..4].copy_from_slice(&vf);
                    payload[4..10].copy_from_slice(&mac.octets());
                    info.attribute(IFLA_VF_MAC, &payload)
                }
                VfAttribute::Vlan(vlan) => set_vlan(info, vf, vlan),
            })
        })
}

fn set_vlan(info: Request, vf: [u8; 4], vlan: Option<Vlan>) -> Request {
    let (id, qos, proto) = vlan.map_or((0, 0, VlanProto::Dot1Q), |vlan| {
        (
            vlan.vlan_id().value(),
            vlan.vlan_qos().value(),
            vlan.vlan_proto(),
        )
    });
    // struct ifla_vf_vlan; with a protocol, struct ifla_vf_vlan_info begins alike.
    let mut payload = [0; 16];
    payload[..4].copy_from_slice(&vf);
    payload[4..8].copy_from_slice(&u32::from(id).to_ne_bytes());
    payload[8..12].copy_from_slice(&u32::from(qos).to_ne_bytes());
    match proto {
        VlanProto::Dot1Q => info.attribute(IFLA_VF_VLAN, &payload[..12]),
        VlanProto::Dot1Ad => {
            payload[12..14].copy_from_slice(&proto.ethertype().to_be_bytes());
            info.nest(IFLA_VF_VLAN_LIST, |list| {
                list.attribute(IFLA_VF_VLAN_INFO, &payload)
            })
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;

    use super::super::fake::{FakeKernel, FakeLink};
    use super::super::link::RTM_NEWLINK;
    use super::*;

    const IFINDEX: NonZeroU32 = NonZeroU32::new(3).unwrap();

    fn kernel(vfs: usize) -> FakeKernel {
        let kernel = FakeKernel::default();
        kernel.add(
            FakeLink::new(3, "pf")
                .parent("pci", "0000:01:00.0")
                .vfs(vfs),
        );
        kernel
    }

    fn read(kernel: &FakeKernel) -> Result<VfList, Failure> {
        read_vfs(&mut kernel.session(), IFINDEX)
    }

    #[rstest]
    #[case(0)]
    #[case(1)]
    #[case(221)]
    #[case::about_where_the_length_wraps(400)]
    #[case(1000)]
    #[case(65535)]
    fn reads_every_vf_however_many(#[case] count: u16) {
        let kernel = kernel(count.into());
        for (id, vf) in (1..).zip(&mut kernel.state().links[0].vfs) {
            vf.vlan = (id % 4094 + 1, 0, 0x8100);
        }
        let list = read(&kernel).unwrap();
        assert_eq!(list.count, count);
        for vf in 0..count {
            let id = VlanId::new((vf + 1) % 4094 + 1).unwrap();
            let config = list.config(VfIndex::new(vf)).unwrap();
            assert_eq!(config.vlan, VfVlan::Tagged(Vlan::new(id)));
        }
        assert_eq!(list.config(VfIndex::new(count)), None);
    }

    #[test]
    fn a_wrapped_list_with_vfs_left_out_keeps_every_vf_in_its_place() {
        let kernel = kernel(1000);
        for (id, vf) in (1..).zip(&mut kernel.state().links[0].vfs) {
            vf.vlan = (id, 0, 0x8100);
            vf.omitted = u32::from(id % 7 == 0 || id == 1000);
        }
        let list = read(&kernel).unwrap();
        for vf in 0..1000 {
            let expected = (vf + 1) % 7 != 0 && vf + 1 != 1000;
            let config = list.config(VfIndex::new(vf));
            assert_eq!(config.is_some(), expected, "VF {vf}");
            if let Some(config) = config {
                let id = VlanId::new(vf + 1).unwrap();
                assert_eq!(config.vlan, VfVlan::Tagged(Vlan::new(id)));
            }
        }
    }

    #[test]
    fn minus_one_is_neither_on_nor_off() {
        let kernel = kernel(1);
        let config = *read(&kernel).unwrap().config(VfIndex::new(0)).unwrap();
        assert_eq!(
            (config.spoof_check, config.trust, config.rss_query),
            (None, None, None)
        );
        {
            let vf = &mut kernel.state().links[0].vfs[0];
            (vf.spoof_check, vf.trust, vf.rss_query) = (1, 0, 1);
        }
        let config = *read(&kernel).unwrap().config(VfIndex::new(0)).unwrap();
        assert_eq!(
            (config.spoof_check, config.trust, config.rss_query),
            (Some(true), Some(false), Some(true))
        );
    }

    #[rstest]
    #[case((0, 0, 0x8100), "none")]
    #[case((0, 0, 0), "none")]
    #[case::mlx5_clears_the_protocol((100, 0, 0), "100")]
    #[case((100, 3, 0x88a8), "100:3:802.1ad")]
    #[case::reserved((4095, 0, 0x8100), "4095:0:0x8100")]
    #[case::priority_tag((0, 3, 0x8100), "0:3:0x8100")]
    #[case::no_such_priority((100, 8, 0x8100), "100:8:0x8100")]
    #[case::no_such_protocol((100, 0, 0x9100), "100:0:0x9100")]
    #[case::beyond_16_bits((65637, 0, 0x8100), "65637:0:0x8100")]
    fn shows_the_vlan_as_it_is(#[case] raw: (u32, u32, u16), #[case] shown: &str) {
        let kernel = kernel(1);
        kernel.state().links[0].vfs[0].vlan = raw;
        let list = read(&kernel).unwrap();
        let config = list.config(VfIndex::new(0)).unwrap();
        assert_eq!(config.vlan.to_string(), shown);
    }

    #[rstest]
    #[case([0; 6], VfMac::Unset)]
    #[case([2, 0, 0, 0, 0, 1], VfMac::Set(MacAddr::new([2, 0, 0, 0, 0, 1]).unwrap()))]
    #[case([1, 0, 0x5e, 0, 0, 1], VfMac::Unknown([1, 0, 0x5e, 0, 0, 1]))]
    fn shows_the_address_as_it_is(#[case] raw: [u8; 6], #[case] mac: VfMac) {
        let kernel = kernel(1);
        kernel.state().links[0].vfs[0].mac = raw;
        assert_eq!(
            read(&kernel).unwrap().config(VfIndex::new(0)).unwrap().mac,
            mac
        );
        kernel.state().links[0].hardware = 32;
        let infiniband = read(&kernel).unwrap();
        let config = infiniband.config(VfIndex::new(0)).unwrap();
        assert_eq!(config.mac, VfMac::NotEthernet);
    }

    #[test]
    fn a_list_that_ends_inside_an_entry_is_malformed() {
        let kernel = kernel(4);
        let whole = reply_payload(&kernel);
        let intact = |payload: &[u8]| {
            VfList::parse(&Message {
                kind: RTM_NEWLINK,
                flags: 0,
                sequence: 0,
                payload,
            })
        };
        assert_eq!(intact(&whole).unwrap().configs.len(), 4);
        // The attributes before the list take part of what is cut; no cut may panic or invent.
        for length in 0..whole.len() {
            if let Ok(list) = intact(&whole[..length]) {
                assert!(
                    list.configs.is_empty() || list.configs.len() == 4,
                    "{length}"
                );
            }
        }
    }

    #[test]
    fn a_vf_listed_twice_is_malformed() {
        let mut payload = reply_payload(&kernel(2));
        // The address of VF 1: length 40, type IFLA_VF_MAC, then the VF.
        let address: Vec<u8> = [40_u16.to_ne_bytes(), IFLA_VF_MAC.to_ne_bytes()].concat();
        let at = payload
            .windows(4)
            .rposition(|bytes| bytes == address)
            .unwrap()
            + 4;
        assert_eq!(payload[at..at + 4], 1_u32.to_ne_bytes());
        payload[at..at + 4].copy_from_slice(&0_u32.to_ne_bytes());
        let message = Message {
            kind: RTM_NEWLINK,
            flags: 0,
            sequence: 0,
            payload: &payload,
        };
        assert!(VfList::parse(&message).is_err());
    }

    /// The payload of the answer to a request for the VFs.
    fn reply_payload(kernel: &FakeKernel) -> Vec<u8> {
        kernel
            .session()
            .ask(get_request(IFINDEX), |message| Ok(message.payload.to_vec()))
            .unwrap()
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(payload: Vec<u8>) {
            let message = Message { kind: RTM_NEWLINK, flags: 0, sequence: 0, payload: &payload };
            let _ = VfList::parse(&message);
        }

        #[test]
        fn a_damaged_answer_never_panics(
            vfs in 1..40_usize,
            damage in proptest::collection::vec((any::<proptest::sample::Index>(), any::<u8>()), 1..8),
        ) {
            let mut payload = reply_payload(&kernel(vfs));
            for (at, byte) in damage {
                let at = at.index(payload.len());
                payload[at] = byte;
            }
            let message = Message { kind: RTM_NEWLINK, flags: 0, sequence: 0, payload: &payload };
            if let Ok(list) = VfList::parse(&message) {
                for (vf, _) in &list.configs {
                    prop_assert!(vf.value() < list.count);
                }
            }
        }
    }
}
