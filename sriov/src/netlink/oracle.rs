//! What we send against another implementation of the same format.

use std::num::NonZeroU32;

use netlink_packet_core::{NetlinkMessage, NetlinkPayload};
use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::link::{
    LinkAttribute, LinkExtentMask, LinkHeader, LinkMessage, LinkVfInfo, VfInfo, VfInfoMac,
    VfInfoVlan, VfVlan, VfVlanInfo, VlanProtocol,
};
use proptest::prelude::*;

use super::fake::{FakeKernel, FakeLink};
use super::vf::{VfList, get_request, set_request};
use super::wire::{Malformed, Message, Messages};
use crate::config::{self, VfConfig, VfMac};
use crate::mac::MacAddr;
use crate::spec::VfAttribute;
use crate::vf::VfIndex;
use crate::vlan::{Qos, Vlan, VlanId, VlanProto};

fn message(ifindex: u32, attributes: Vec<LinkAttribute>) -> LinkMessage {
    let mut message = LinkMessage::default();
    message.header = LinkHeader {
        index: ifindex,
        ..LinkHeader::default()
    };
    message.attributes = attributes;
    message
}

fn emitted(payload: RouteNetlinkMessage, flags: u16) -> Vec<u8> {
    let mut message = NetlinkMessage::new(
        netlink_packet_core::NetlinkHeader::default(),
        NetlinkPayload::from(payload),
    );
    message.header.flags = flags;
    message.header.sequence_number = 9;
    message.finalize();
    let mut bytes = vec![0; message.buffer_len()];
    message.serialize(&mut bytes);
    bytes
}

fn set(ifindex: u32, info: VfInfo) -> Vec<u8> {
    let list = LinkAttribute::VfInfoList(vec![LinkVfInfo(vec![info])]);
    emitted(
        RouteNetlinkMessage::SetLink(message(ifindex, vec![list])),
        5,
    )
}

prop_compose! {
    fn vlans()(id in 1..=4094_u16, qos in 0..=7_u8, ad: bool) -> Vlan {
        let proto = if ad { VlanProto::Dot1Ad } else { VlanProto::Dot1Q };
        Vlan::new(VlanId::new(id).unwrap()).qos(Qos::new(qos).unwrap()).proto(proto)
    }
}

prop_compose! {
    fn macs()(octets: [u8; 6]) -> MacAddr {
        let [first, rest @ ..] = octets;
        let [a, b, c, d, e] = rest;
        MacAddr::new([first & 0xfe | 2, a, b, c, d, e]).unwrap()
    }
}

proptest! {
    #[test]
    fn a_mac_is_set_by_the_same_bytes(ifindex: NonZeroU32, vf: u16, mac in macs()) {
        let ours = set_request(ifindex, VfIndex::new(vf), VfAttribute::Mac(mac)).finish(9);
        let info = VfInfo::Mac(VfInfoMac::new(vf.into(), &mac.octets()));
        prop_assert_eq!(ours, set(ifindex.get(), info));
    }

    #[test]
    fn a_vlan_is_set_by_the_same_bytes(ifindex: NonZeroU32, vf: u16, vlan in vlans()) {
        let attribute = VfAttribute::Vlan(Some(vlan));
        let ours = set_request(ifindex, VfIndex::new(vf), attribute).finish(9);
        let (id, qos) = (vlan.vlan_id().value().into(), vlan.vlan_qos().value().into());
        let info = match vlan.vlan_proto() {
            VlanProto::Dot1Q => VfInfo::Vlan(VfInfoVlan::new(vf.into(), id, qos)),
            VlanProto::Dot1Ad => VfInfo::VlanList(vec![VfVlan::Info(VfVlanInfo::new(
                vf.into(), id, qos, VlanProtocol::Ieee8021Ad,
            ))]),
        };
        prop_assert_eq!(ours, set(ifindex.get(), info));
    }

    #[test]
    fn no_vlan_is_set_by_the_same_bytes(ifindex: NonZeroU32, vf: u16) {
        let ours = set_request(ifindex, VfIndex::new(vf), VfAttribute::Vlan(None)).finish(9);
        let info = VfInfo::Vlan(VfInfoVlan::new(vf.into(), 0, 0));
        prop_assert_eq!(ours, set(ifindex.get(), info));
    }

    #[test]
    fn vfs_are_asked_for_by_the_same_bytes(ifindex: NonZeroU32) {
        let mask = LinkAttribute::ExtMask(vec![LinkExtentMask::Vf, LinkExtentMask::SkipStats]);
        let theirs = emitted(
            RouteNetlinkMessage::GetLink(message(ifindex.get(), vec![mask])),
            1,
        );
        prop_assert_eq!(get_request(ifindex).finish(9), theirs);
    }

    /// The lists our double of the kernel makes are read alike by both.
    #[test]
    fn a_list_is_read_alike(vfs in proptest::collection::vec((macs(), vlans()), 1..20)) {
        let kernel = FakeKernel::default();
        kernel.add(FakeLink::new(3, "pf").vfs(vfs.len()));
        for (state, (mac, vlan)) in kernel.state().links[0].vfs.iter_mut().zip(&vfs) {
            state.mac = mac.octets();
            state.vlan = (
                vlan.vlan_id().value().into(),
                vlan.vlan_qos().value().into(),
                vlan.vlan_proto().ethertype(),
            );
        }
        let ifindex = NonZeroU32::new(3).unwrap();
        let (ours, theirs) = kernel.session().ask(get_request(ifindex), read_both).unwrap();
        prop_assert_eq!(theirs.len(), vfs.len());
        for (vf, read) in theirs {
            let config: &VfConfig = ours.config(VfIndex::new(vf)).unwrap();
            prop_assert_eq!((config.mac, config.vlan), read);
        }
    }
}

type Read = Vec<(u16, (VfMac, config::VfVlan))>;

fn read_both(message: &Message<'_>) -> Result<(VfList, Read), Malformed> {
    let mut bytes = vec![0; 16];
    let length = u32::try_from(16 + message.payload.len()).unwrap();
    bytes[..4].copy_from_slice(&length.to_ne_bytes());
    bytes[4..6].copy_from_slice(&message.kind.to_ne_bytes());
    bytes.extend(message.payload);
    assert!(Messages(&bytes).next().unwrap().is_ok());
    let theirs = NetlinkMessage::<RouteNetlinkMessage>::deserialize(&bytes).unwrap();
    let NetlinkPayload::InnerMessage(RouteNetlinkMessage::NewLink(link)) = theirs.payload else {
        panic!("{theirs:?}");
    };
    let mut read = Vec::new();
    for attribute in link.attributes {
        if let LinkAttribute::VfInfoList(list) = attribute {
            read.extend(list.iter().map(read_theirs));
        }
    }
    Ok((VfList::parse(message)?, read))
}

fn read_theirs(vf: &LinkVfInfo) -> (u16, (VfMac, config::VfVlan)) {
    let mut read = (0, (VfMac::Unset, config::VfVlan::Untagged));
    for info in &vf.0 {
        match info {
            VfInfo::Mac(mac) => {
                read.0 = u16::try_from(mac.vf_id).unwrap();
                let octets = mac.mac[..6].try_into().unwrap();
                read.1.0 = VfMac::Set(MacAddr::new(octets).unwrap());
            }
            VfInfo::VlanList(list) => {
                for vlan in list {
                    let VfVlan::Info(vlan) = vlan else { continue };
                    let proto = match vlan.protocol {
                        VlanProtocol::Ieee8021Q => VlanProto::Dot1Q,
                        _ => VlanProto::Dot1Ad,
                    };
                    let id = VlanId::new(u16::try_from(vlan.vlan_id).unwrap()).unwrap();
                    let qos = Qos::new(u8::try_from(vlan.qos).unwrap()).unwrap();
                    read.1.1 = config::VfVlan::Tagged(Vlan::new(id).qos(qos).proto(proto));
                }
            }
            _ => {}
        }
    }
    read
}
