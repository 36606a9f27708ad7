//! Where datagrams go.

use std::sync::Arc;

use crate::device::verb_error;
use crate::error::Result;
use crate::gid::{Gid, GidIndex};
use crate::group::Group;
use crate::pd::Pd;
use crate::port::{Lid, PortNum};
use crate::qp::Qpn;
use crate::sys::{AhHandle, GlobalNumbers, PathNumbers};

/// The way to another port.
#[doc(alias = "ibv_ah_attr")]
#[derive(Clone, Copy, Debug)]
pub struct Path {
    port: PortNum,
    lid: Lid,
    gid: Option<(Gid, GidIndex)>,
    hop_limit: u8,
    traffic_class: u8,
    service_level: u8,
}

impl Path {
    /// From `port` of this device, to nowhere yet.
    #[must_use]
    pub const fn from(port: PortNum) -> Self {
        Path {
            port,
            lid: Lid(0),
            gid: None,
            hop_limit: 64,
            traffic_class: 0,
            service_level: 0,
        }
    }

    /// To the port with this LID. Default: 0.
    #[must_use]
    pub const fn to_lid(mut self, lid: Lid) -> Self {
        self.lid = lid;
        self
    }

    /// To the port with this GID, with line `own` of the own table as the source. Needed on Ethernet,
    /// and for groups. Default: none.
    #[must_use]
    pub const fn to_gid(mut self, gid: Gid, own: GidIndex) -> Self {
        self.gid = Some((gid, own));
        self
    }

    /// To a group, with line `own` of the own table as the source.
    #[must_use]
    pub const fn to_group(self, group: Group, own: GidIndex) -> Self {
        self.to_lid(group.lid()).to_gid(group.gid(), own)
    }

    /// How many routers a packet may pass. Default: 64.
    #[must_use]
    pub const fn hop_limit(mut self, hops: u8) -> Self {
        self.hop_limit = hops;
        self
    }

    /// The traffic class of the packets; on RoCE v2 the upper six bits are the DSCP. Default: 0.
    #[must_use]
    pub const fn traffic_class(mut self, class: u8) -> Self {
        self.traffic_class = class;
        self
    }

    /// The InfiniBand service level, 0 to 15. Default: 0.
    #[doc(alias = "sl")]
    #[must_use]
    pub const fn service_level(mut self, level: u8) -> Self {
        self.service_level = level;
        self
    }

    /// # Errors
    ///
    /// [`Error::OutOfRange`](crate::Error::OutOfRange).
    fn numbers(&self) -> Result<PathNumbers> {
        crate::qp::in_range("service level", self.service_level, 15, "0 to 15")?;
        Ok(PathNumbers {
            port: self.port.number(),
            dlid: self.lid.0,
            service_level: self.service_level,
            global: self.gid.map(|(gid, own)| GlobalNumbers {
                dgid: gid.bytes(),
                sgid_index: own.number(),
                hop_limit: self.hop_limit,
                traffic_class: self.traffic_class,
            }),
        })
    }
}

/// An address handle: a [`Path`] that the device has looked up.
///
/// Clones are the same one. It ends when the last is dropped, and no queue pair may still send by
/// it: at the latest with the queue pairs that it was used on.
#[doc(alias = "ibv_ah")]
#[derive(Clone, Debug)]
pub struct Ah {
    handle: Arc<AhHandle>,
}

impl Ah {
    #[inline]
    pub(crate) fn handle(&self) -> &Arc<AhHandle> {
        &self.handle
    }
}

impl Pd {
    /// Makes an address handle, for datagrams of queue pairs in this domain.
    ///
    /// # Errors
    ///
    /// - [`Error::OutOfRange`](crate::Error::OutOfRange): the service level.
    /// - [`Error::Verb`](crate::Error::Verb); EINVAL: the port has no such GID index, or on Ethernet
    ///   no GID was given; ETIMEDOUT or EHOSTUNREACH: the address was not resolved.
    #[doc(alias = "ibv_create_ah")]
    pub fn create_ah(&self, path: &Path) -> Result<Ah> {
        let numbers = path.numbers()?;
        AhHandle::create(self.handle(), &numbers)
            .map(|handle| Ah { handle })
            .map_err(|errno| {
                let device = self.handle().context().device();
                verb_error("ibv_create_ah", format!("on {device} for {path:?}"), errno)
            })
    }
}

/// The key that datagrams must bear for a queue pair to take them.
///
/// A sender's key with the highest bit set stands for the key of the sender's own queue pair.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Qkey(u32);

impl Qkey {
    /// The key with this number.
    #[must_use]
    pub const fn new(number: u32) -> Self {
        Qkey(number)
    }

    /// Its number.
    #[must_use]
    pub const fn number(self) -> u32 {
        self.0
    }
}

/// Where a datagram goes: the way, the queue pair there, and its key.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Datagram {
    /// The way to the port.
    pub ah: Ah,
    /// The queue pair.
    pub qpn: Qpn,
    /// Its key.
    pub qkey: Qkey,
}

impl Datagram {
    /// To queue pair `qpn`, by `ah`, with `qkey`.
    #[must_use]
    pub const fn new(ah: Ah, qpn: Qpn, qkey: Qkey) -> Self {
        Datagram { ah, qpn, qkey }
    }

    /// To all queue pairs with `qkey` of the group that `ah` leads to
    /// ([`Path::to_group`]).
    #[must_use]
    pub const fn to_group(ah: Ah, qkey: Qkey) -> Self {
        Datagram::new(ah, Qpn::MULTICAST, qkey)
    }
}
