//! Doubles of the kernel's side of a netlink socket.

use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard};

use super::link::{
    IFF_UP, IFLA_ADDRESS, IFLA_ALT_IFNAME, IFLA_IFNAME, IFLA_PARENT_DEV_BUS_NAME,
    IFLA_PARENT_DEV_NAME, IFLA_PERM_ADDRESS, IFLA_PHYS_PORT_NAME, IFLA_PROP_LIST, RTM_GETLINK,
    RTM_NEWLINK, RTM_SETLINK,
};
use super::session::Session;
use super::vf::{
    IFLA_EXT_MASK, IFLA_NUM_VF, IFLA_VF_INFO, IFLA_VF_LINK_STATE, IFLA_VF_MAC,
    IFLA_VF_RSS_QUERY_EN, IFLA_VF_SPOOFCHK, IFLA_VF_TRUST, IFLA_VF_VLAN, IFLA_VF_VLAN_INFO,
    IFLA_VF_VLAN_LIST, IFLA_VFINFO_LIST, NOT_REPORTED, RTEXT_FILTER_SKIP_STATS, RTEXT_FILTER_VF,
};
use super::wire::{
    Attributes, Message, Messages, NLM_F_ACK_TLVS, NLM_F_CAPPED, NLM_F_DUMP, NLMSG_DONE,
    NLMSG_ERROR, Request, align, read_array, read_u32,
};
use crate::sys::Transport;

/// One message of an answer.
#[derive(Clone)]
pub(crate) struct Reply {
    bytes: Vec<u8>,
    sequence: Option<u32>,
}

/// One datagram of an answer, or what receiving it fails with.
pub(crate) enum Datagram {
    Messages(Vec<Reply>),
    Fails(i32),
}

impl From<Vec<Reply>> for Datagram {
    fn from(replies: Vec<Reply>) -> Self {
        Self::Messages(replies)
    }
}

impl Reply {
    pub(crate) fn new(request: Request) -> Self {
        Self {
            bytes: request.finish(0),
            sequence: None,
        }
        .with_flags(0)
    }

    pub(crate) fn message(kind: u16, payload: &[u8]) -> Self {
        Self::new(Request::new(kind, 0).fixed(payload))
    }

    pub(crate) fn done(code: i32) -> Self {
        Self::message(NLMSG_DONE, &code.to_ne_bytes())
    }

    pub(crate) fn error(code: i32) -> Self {
        let mut payload = code.to_ne_bytes().to_vec();
        payload.extend([0; 16]);
        Self::message(NLMSG_ERROR, &payload).with_flags(NLM_F_CAPPED)
    }

    pub(crate) fn refusal(code: i32, text: &str) -> Self {
        let mut payload = code.to_ne_bytes().to_vec();
        payload.extend([0; 16]);
        Self::new(
            Request::new(NLMSG_ERROR, 0)
                .fixed(&payload)
                .attribute(1, format!("{text}\0").as_bytes()),
        )
        .with_flags(NLM_F_CAPPED | NLM_F_ACK_TLVS)
    }

    pub(crate) fn fails(errno: i32) -> Datagram {
        Datagram::Fails(errno)
    }

    pub(crate) fn of_sequence(mut self, sequence: u32) -> Self {
        self.sequence = Some(sequence);
        self
    }

    pub(crate) fn with_flags(mut self, flags: u16) -> Self {
        self.bytes[6..8].copy_from_slice(&flags.to_ne_bytes());
        self
    }

    fn bytes(mut self, current: u32) -> Vec<u8> {
        let sequence = self.sequence.unwrap_or(current);
        self.bytes[8..12].copy_from_slice(&sequence.to_ne_bytes());
        self.bytes.resize(align(self.bytes.len()), 0);
        self.bytes
    }
}

/// Answers the n-th request with the n-th of the prepared datagrams.
pub(crate) struct ScriptedTransport {
    replies: VecDeque<Datagram>,
    sequence: u32,
}

impl ScriptedTransport {
    pub(crate) fn new(replies: Vec<Datagram>) -> Self {
        Self {
            replies: replies.into(),
            sequence: 0,
        }
    }
}

impl Transport for ScriptedTransport {
    fn send(&mut self, request: &[u8]) -> io::Result<()> {
        self.sequence = read_u32(request, 8).unwrap();
        Ok(())
    }

    fn receive(&mut self, datagram: &mut Vec<u8>) -> io::Result<()> {
        datagram.clear();
        match self.replies.pop_front().expect("a receive nobody scripted") {
            Datagram::Fails(errno) => return Err(io::Error::from_raw_os_error(errno)),
            Datagram::Messages(replies) => {
                for reply in replies {
                    datagram.extend(reply.bytes(self.sequence));
                }
            }
        }
        Ok(())
    }
}

/// A network device of a [`FakeKernel`].
#[derive(Clone)]
pub(crate) struct FakeLink {
    pub(crate) ifindex: u32,
    pub(crate) hardware: u16,
    pub(crate) flags: u32,
    name: String,
    mac: [u8; 6],
    permanent_mac: Option<[u8; 6]>,
    alternative_name: Option<String>,
    port: Option<String>,
    parent: Option<(String, String)>,
    pub(crate) vfs: Vec<FakeVf>,
}

/// A VF of a [`FakeLink`], as the driver keeps it.
#[derive(Clone)]
pub(crate) struct FakeVf {
    pub(crate) mac: [u8; 6],
    pub(crate) vlan: (u32, u32, u16),
    pub(crate) spoof_check: u32,
    pub(crate) trust: u32,
    pub(crate) rss_query: u32,
    pub(crate) link_state: u32,
    /// Left out of this many lists to come, as while it resets.
    pub(crate) omitted: u32,
}

impl Default for FakeVf {
    fn default() -> Self {
        Self {
            mac: [0; 6],
            vlan: (0, 0, 0x8100),
            spoof_check: NOT_REPORTED,
            trust: NOT_REPORTED,
            rss_query: NOT_REPORTED,
            link_state: 0,
            omitted: 0,
        }
    }
}

impl FakeLink {
    pub(crate) fn new(ifindex: u32, name: &str) -> Self {
        Self {
            ifindex,
            hardware: 1,
            flags: 0,
            name: name.into(),
            mac: [2, 0, 0, 0, 1, 0],
            permanent_mac: None,
            alternative_name: None,
            port: None,
            parent: None,
            vfs: Vec::new(),
        }
    }

    pub(crate) fn parent(mut self, bus: &str, device: &str) -> Self {
        self.parent = Some((bus.into(), device.into()));
        self
    }

    pub(crate) fn port(mut self, port: &str) -> Self {
        self.port = Some(port.into());
        self
    }

    pub(crate) fn alternative_name(mut self, name: &str) -> Self {
        self.alternative_name = Some(name.into());
        self
    }

    pub(crate) fn mac(mut self, mac: [u8; 6]) -> Self {
        self.mac = mac;
        self
    }

    pub(crate) fn permanent_mac(mut self, mac: [u8; 6]) -> Self {
        self.permanent_mac = Some(mac);
        self
    }

    pub(crate) fn vfs(mut self, count: usize) -> Self {
        self.vfs = vec![FakeVf::default(); count];
        self
    }

    /// RTM_NEWLINK in the order of `rtnl_fill_ifinfo`, with the wrapping length of its list.
    fn reply(&mut self, filter: u32) -> Reply {
        let mut header = [0; 16];
        header[2..4].copy_from_slice(&self.hardware.to_ne_bytes());
        header[4..8].copy_from_slice(&self.ifindex.to_ne_bytes());
        header[8..12].copy_from_slice(&self.flags.to_ne_bytes());
        let mut reply = Request::new(RTM_NEWLINK, 0)
            .fixed(&header)
            .attribute(IFLA_IFNAME, format!("{}\0", self.name).as_bytes())
            .attribute(IFLA_ADDRESS, &self.mac);
        if let Some(mac) = self.permanent_mac {
            reply = reply.attribute(IFLA_PERM_ADDRESS, &mac);
        }
        if let Some(port) = &self.port {
            reply = reply.attribute(IFLA_PHYS_PORT_NAME, port.as_bytes());
        }
        let mut bytes = reply.finish(0);
        if filter & RTEXT_FILTER_VF != 0 {
            assert_ne!(
                filter & RTEXT_FILTER_SKIP_STATS,
                0,
                "statistics not asked for"
            );
            let count = u32::try_from(self.vfs.len()).unwrap();
            append(&mut bytes, IFLA_NUM_VF, &count.to_ne_bytes());
            let mut list = Vec::new();
            for (vf, state) in self.vfs.iter_mut().enumerate() {
                if state.omitted > 0 {
                    state.omitted -= 1;
                    continue;
                }
                append(
                    &mut list,
                    IFLA_VF_INFO,
                    &state.entry(u32::try_from(vf).unwrap()),
                );
            }
            append(&mut bytes, IFLA_VFINFO_LIST, &list);
        }
        if let Some((bus, device)) = &self.parent {
            append(
                &mut bytes,
                IFLA_PARENT_DEV_NAME,
                format!("{device}\0").as_bytes(),
            );
            append(
                &mut bytes,
                IFLA_PARENT_DEV_BUS_NAME,
                format!("{bus}\0").as_bytes(),
            );
        }
        if let Some(name) = &self.alternative_name {
            let mut names = Vec::new();
            append(&mut names, IFLA_ALT_IFNAME, format!("{name}\0").as_bytes());
            append(&mut bytes, IFLA_PROP_LIST, &names);
        }
        let length = u32::try_from(bytes.len()).unwrap();
        bytes[0..4].copy_from_slice(&length.to_ne_bytes());
        Reply {
            bytes,
            sequence: None,
        }
        .with_flags(0)
    }
}

impl FakeVf {
    fn entry(&self, vf: u32) -> Vec<u8> {
        let number = vf.to_ne_bytes();
        let pair = |value: u32| [number, value.to_ne_bytes()].concat();
        let (id, qos, proto) = self.vlan;
        let mut address = [0; 36];
        address[..4].copy_from_slice(&number);
        address[4..10].copy_from_slice(&self.mac);
        let tag = [number, id.to_ne_bytes(), qos.to_ne_bytes()].concat();
        let [high, low] = proto.to_be_bytes();
        let mut tags = Vec::new();
        append(
            &mut tags,
            IFLA_VF_VLAN_INFO,
            &[&tag[..], &[high, low, 0, 0]].concat(),
        );
        let mut entry = Vec::new();
        append(&mut entry, IFLA_VF_MAC, &address);
        append(&mut entry, IFLA_VF_VLAN, &tag);
        append(&mut entry, IFLA_VF_SPOOFCHK, &pair(self.spoof_check));
        append(&mut entry, IFLA_VF_LINK_STATE, &pair(self.link_state));
        append(&mut entry, IFLA_VF_RSS_QUERY_EN, &pair(self.rss_query));
        append(&mut entry, IFLA_VF_TRUST, &pair(self.trust));
        append(&mut entry, IFLA_VF_VLAN_LIST, &tags);
        entry
    }
}

/// Appends an attribute; like the kernel's `nla_nest_end`, lets the length wrap.
fn append(bytes: &mut Vec<u8>, kind: u16, payload: &[u8]) {
    let length = u16::try_from((payload.len() + 4) % 0x1_0000).unwrap();
    bytes.extend(length.to_ne_bytes());
    bytes.extend(kind.to_ne_bytes());
    bytes.extend(payload);
    bytes.resize(align(bytes.len()), 0);
}

/// A kernel with the part of rtnetlink this crate uses. Clones share one state.
#[derive(Clone, Default)]
pub(crate) struct FakeKernel(Arc<Mutex<FakeState>>);

/// What a driver answers to a VF's attribute, by its type in `IFLA_VF_INFO`.
pub(crate) type Verdict = Box<dyn FnMut(u32, u16) -> Answer + Send>;

#[derive(Clone, Copy)]
pub(crate) enum Answer {
    Applied,
    /// Success, without effect.
    Ignored,
    Refused(i32, &'static str),
}

#[derive(Default)]
pub(crate) struct FakeState {
    pub(crate) links: Vec<FakeLink>,
    pub(crate) verdict: Option<Verdict>,
    /// The kinds of attribute that were set, in order, with the VF.
    pub(crate) set: Vec<(u32, u16)>,
}

impl FakeKernel {
    pub(crate) fn add(&self, link: FakeLink) {
        self.state().links.push(link);
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, FakeState> {
        self.0.lock().unwrap()
    }

    pub(crate) fn session(&self) -> Session {
        Session::new(self.transport())
    }

    pub(crate) fn transport(&self) -> Box<dyn Transport> {
        Box::new(FakeSocket {
            kernel: self.clone(),
            sequence: 0,
            answers: VecDeque::new(),
        })
    }
}

impl FakeState {
    fn answer(&mut self, request: &Message<'_>) -> Vec<Reply> {
        let ifindex = read_u32(request.payload, 4).unwrap();
        let attributes = Attributes(&request.payload[16..]);
        if request.kind == RTM_GETLINK && request.flags & NLM_F_DUMP == NLM_F_DUMP {
            let links = self.links.iter_mut().map(|link| link.reply(0));
            return links.chain([Reply::done(0)]).collect();
        }
        let Some(link) = self.links.iter_mut().find(|link| link.ifindex == ifindex) else {
            return vec![Reply::error(-19)];
        };
        match request.kind {
            RTM_GETLINK => {
                let mask = attributes
                    .flatten()
                    .find(|attribute| attribute.kind == IFLA_EXT_MASK);
                vec![link.reply(mask.map_or(0, |mask| mask.u32_at(0).unwrap()))]
            }
            RTM_SETLINK => {
                let change = read_u32(request.payload, 12).unwrap();
                let flags = read_u32(request.payload, 8).unwrap();
                assert_eq!(change & !IFF_UP, 0, "only IFF_UP is this crate's to change");
                link.flags = link.flags & !change | flags & change;
                for list in attributes.flatten() {
                    assert_eq!(list.kind, IFLA_VFINFO_LIST);
                    let entry = list.attributes().next().unwrap().unwrap();
                    let attributes: Vec<_> = entry.attributes().flatten().collect();
                    assert_eq!(attributes.len(), 1, "one attribute per message");
                    let attribute = attributes[0];
                    // The VF in a list of VLANs is in the list's entry.
                    let info = match attribute.kind {
                        IFLA_VF_VLAN_LIST => attribute.attributes().next().unwrap().unwrap(),
                        _ => attribute,
                    };
                    let vf = info.u32_at(0).unwrap();
                    self.set.push((vf, attribute.kind));
                    let verdict = self.verdict.as_mut();
                    match verdict.map_or(Answer::Applied, |verdict| verdict(vf, attribute.kind)) {
                        Answer::Refused(errno, text) => return vec![Reply::refusal(-errno, text)],
                        Answer::Ignored => {}
                        Answer::Applied => {
                            let state = &mut link.vfs[usize::try_from(vf).unwrap()];
                            match attribute.kind {
                                IFLA_VF_MAC => state.mac = read_array(info.payload, 4).unwrap(),
                                IFLA_VF_VLAN | IFLA_VF_VLAN_LIST => {
                                    state.vlan = (
                                        info.u32_at(4).unwrap(),
                                        info.u32_at(8).unwrap(),
                                        read_array(info.payload, 12)
                                            .map_or(0x8100, u16::from_be_bytes),
                                    );
                                }
                                kind => panic!("unexpected attribute {kind}"),
                            }
                        }
                    }
                }
                vec![Reply::error(0)]
            }
            kind => panic!("unexpected request {kind}"),
        }
    }
}

struct FakeSocket {
    kernel: FakeKernel,
    sequence: u32,
    answers: VecDeque<Vec<Reply>>,
}

impl Transport for FakeSocket {
    fn send(&mut self, request: &[u8]) -> io::Result<()> {
        let message = Messages(request).next().unwrap().unwrap();
        self.sequence = message.sequence;
        let answer = self.kernel.state().answer(&message);
        self.answers.push_back(answer);
        Ok(())
    }

    fn receive(&mut self, datagram: &mut Vec<u8>) -> io::Result<()> {
        let replies = self
            .answers
            .pop_front()
            .expect("a receive without a request");
        datagram.clear();
        for reply in replies {
            datagram.extend(reply.bytes(self.sequence));
        }
        Ok(())
    }
}
