//! An open device.

use std::sync::Arc;

use crate::cq::{CompChannel, Cq, CqAttr};
use crate::device::{Transport, verb_error};
use crate::error::{Error, Result};
use crate::gid::{GidChoice, GidEntry, GidIndex, select};
use crate::limits::DeviceLimits;
use crate::pd::Pd;
use crate::port::{PortInfo, PortNum};
use crate::sys::{ChannelHandle, ContextHandle, Errno, PdHandle};

/// No port has more GIDs than an address vector can name 256 times over; a driver that claims more
/// gets no more read.
const MAX_GIDS: u32 = 65_536;

/// An open device. Clones are the same open device, and equal; it closes when nothing made from it
/// is left.
#[doc(alias = "ibv_context")]
#[derive(Clone, Debug)]
pub struct Context {
    handle: Arc<ContextHandle>,
}

impl PartialEq for Context {
    /// Whether both are the same open device; a device opened twice is two.
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.handle, &other.handle)
    }
}

impl Eq for Context {}

impl Context {
    pub(crate) fn new(handle: Arc<ContextHandle>) -> Self {
        Context { handle }
    }

    pub(crate) fn handle(&self) -> &Arc<ContextHandle> {
        &self.handle
    }

    /// The device's name.
    #[must_use]
    pub fn device_name(&self) -> &str {
        self.handle.device()
    }

    /// What the device can do.
    ///
    /// # Errors
    ///
    /// [`Error::Verb`].
    #[doc(alias = "ibv_query_device")]
    pub fn query_device(&self) -> Result<DeviceLimits> {
        let failed = |errno| self.failed("ibv_query_device", errno);
        self.handle
            .query_device()
            .map(DeviceLimits::new)
            .map_err(failed)
    }

    /// What a port says about itself.
    ///
    /// # Errors
    ///
    /// [`Error::Verb`]; EINVAL: the device has no such port.
    #[doc(alias = "ibv_query_port")]
    pub fn query_port(&self, port: PortNum) -> Result<PortInfo> {
        let failed = |errno| self.port_failed("ibv_query_port", port, errno);
        self.handle
            .query_port(port.number())
            .map(PortInfo::new)
            .map_err(failed)
    }

    /// One line of a port's GID table.
    ///
    /// # Errors
    ///
    /// [`Error::Verb`]; ENODATA: the line is empty; EINVAL: there is no such port or line.
    #[doc(alias = "ibv_query_gid_ex")]
    #[doc(alias = "ibv_query_gid")]
    pub fn query_gid(&self, port: PortNum, index: GidIndex) -> Result<GidEntry> {
        let queried = self
            .handle
            .query_gid(port.number(), u32::from(index.number()));
        let entry = |raw| GidEntry::new(raw, self.transport());
        queried.map(entry).map_err(|errno| {
            let object = format!("of {} port {port} index {index}", self.device_name());
            verb_error("ibv_query_gid_ex", object, errno)
        })
    }

    /// Every filled line of a port's GID table, in order.
    ///
    /// # Errors
    ///
    /// [`Error::Verb`].
    #[doc(alias = "ibv_query_gid_table")]
    pub fn gid_table(&self, port: PortNum) -> Result<Vec<GidEntry>> {
        // The call returns the lines of all ports together.
        let mut lines = 0u32;
        for number in 1..=self.query_device()?.ports() {
            let info = self.query_port(PortNum::new(number)?)?;
            lines = lines.saturating_add(info.gid_table_len).min(MAX_GIDS);
        }
        let failed = |errno| self.port_failed("ibv_query_gid_table", port, errno);
        let max = usize::try_from(lines).unwrap_or(usize::MAX);
        let entries = self.handle.query_gid_table(max).map_err(failed)?;
        let transport = self.transport();
        let of_port = entries.into_iter().map(|raw| GidEntry::new(raw, transport));
        Ok(of_port
            .filter(|entry| entry.port == u32::from(port.number()))
            .collect())
    }

    /// The GID to use on a port, and why: RoCE v2 with an IPv4 address if there is one.
    ///
    /// # Errors
    ///
    /// - [`Error::NoGid`]: the port has none, or none that a path can name (see [`GidIndex`]).
    /// - [`Error::Verb`].
    pub fn select_gid(&self, port: PortNum) -> Result<GidChoice> {
        select(self.gid_table(port)?).ok_or_else(|| Error::NoGid {
            device: self.device_name().to_owned(),
            port: port.number(),
        })
    }

    /// Allocates a protection domain.
    ///
    /// # Errors
    ///
    /// [`Error::Verb`].
    #[doc(alias = "ibv_alloc_pd")]
    pub fn alloc_pd(&self) -> Result<Pd> {
        let failed = |errno| self.failed("ibv_alloc_pd", errno);
        PdHandle::alloc(&self.handle).map(Pd::new).map_err(failed)
    }

    /// Creates a completion queue with room for `capacity` completions.
    ///
    /// Queue pairs reserve as much room as they are deep, so `capacity` is the sum of the depths of
    /// all that shall use it. The room of a destroyed queue pair is free again once later polls have
    /// shown that none of its completions is left: one found nothing, or together they fetched as
    /// many as the queue can hold.
    ///
    /// # Errors
    ///
    /// [`Error::Verb`]; EINVAL: 0, or more than
    /// [`max_cq_capacity`](DeviceLimits::max_cq_capacity).
    #[doc(alias = "ibv_create_cq")]
    pub fn create_cq(&self, capacity: u32) -> Result<Cq> {
        self.create_cq_with(&CqAttr::new(capacity))
    }

    /// As [`create_cq`](Self::create_cq), for one that can be waited for, by a channel of its own.
    ///
    /// # Errors
    ///
    /// As [`create_cq`](Self::create_cq), and [`Error::Verb`] for the channel; EMFILE: no descriptor
    /// is left.
    pub fn create_cq_with_events(&self, capacity: u32) -> Result<Cq> {
        self.create_cq_on(capacity, &self.create_comp_channel()?)
    }

    /// As [`create_cq`](Self::create_cq), for one that can be waited for by `channel`, which several
    /// may share.
    ///
    /// # Errors
    ///
    /// As [`create_cq`](Self::create_cq), and [`Error::OtherChannel`].
    pub fn create_cq_on(&self, capacity: u32, channel: &CompChannel) -> Result<Cq> {
        self.create_cq_with(&CqAttr::new(capacity).events(channel))
    }

    /// Creates a completion channel.
    ///
    /// # Errors
    ///
    /// [`Error::Verb`]; EMFILE: no descriptor is left.
    #[doc(alias = "ibv_create_comp_channel")]
    pub fn create_comp_channel(&self) -> Result<CompChannel> {
        let failed = |errno| self.failed("ibv_create_comp_channel", errno);
        ChannelHandle::create(&self.handle)
            .map(CompChannel::new)
            .map_err(failed)
    }

    fn transport(&self) -> Transport {
        Transport::from_driver(self.handle.transport())
    }

    fn failed(&self, operation: &'static str, errno: Errno) -> Error {
        verb_error(operation, format!("of {}", self.device_name()), errno)
    }

    fn port_failed(&self, operation: &'static str, port: PortNum, errno: Errno) -> Error {
        verb_error(
            operation,
            format!("of {} port {port}", self.device_name()),
            errno,
        )
    }

    pub(crate) fn of(handle: &Arc<ContextHandle>) -> Self {
        Context {
            handle: Arc::clone(handle),
        }
    }
}
