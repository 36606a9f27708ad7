//! RDMA devices of this host.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use crate::context::Context;
use crate::error::{Error, Result};
use crate::sys::{DeviceInfo, DeviceList, DeviceRef, Errno, Libibverbs, LoadError, Verbs};

/// An RDMA device, not opened.
#[doc(alias = "ibv_device")]
#[derive(Clone, Debug)]
pub struct Device {
    raw: DeviceRef,
    info: DeviceInfo,
}

impl Device {
    /// The devices of this host, in the library's order.
    ///
    /// # Errors
    ///
    /// - [`Error::LibraryMissing`], [`Error::LibraryTooOld`]: libibverbs cannot be used.
    /// - [`Error::NoDevice`]: there is none.
    /// - [`Error::Verb`]: the library failed to list them.
    #[doc(alias = "ibv_get_device_list")]
    pub fn list() -> Result<Vec<Device>> {
        let library: &'static Libibverbs = Libibverbs::load().map_err(load_error)?;
        Device::list_from(Arc::new(*library))
    }

    pub(crate) fn list_from(verbs: Arc<dyn Verbs>) -> Result<Vec<Device>> {
        let list = DeviceList::load(verbs).map_err(|errno| match errno.number() {
            // The kernel has no RDMA support at all, or not the module.
            libc::ENOSYS => Error::NoDevice,
            _ => verb_error("ibv_get_device_list", String::from("of this host"), errno),
        })?;
        let devices: Vec<Device> = list
            .devices()
            .into_iter()
            .map(|raw| Device {
                info: raw.info(),
                raw,
            })
            .collect();
        if devices.is_empty() {
            Err(Error::NoDevice)
        } else {
            Ok(devices)
        }
    }

    /// The first device in the library's order.
    ///
    /// # Errors
    ///
    /// As [`list`](Self::list).
    pub fn first() -> Result<Device> {
        Device::list()?.into_iter().next().ok_or(Error::NoDevice)
    }

    /// The device of this name, such as `mlx5_0` or `rxe0`.
    ///
    /// # Errors
    ///
    /// As [`list`](Self::list), and [`Error::NoSuchDevice`] with the names there are.
    pub fn by_name(name: &str) -> Result<Device> {
        let devices = Device::list()?;
        let available = devices
            .iter()
            .map(|device| device.info.name.clone())
            .collect();
        devices
            .into_iter()
            .find(|device| device.info.name == name)
            .ok_or(Error::NoSuchDevice {
                name: name.to_owned(),
                available,
            })
    }

    /// The kernel's name for it.
    #[doc(alias = "ibv_get_device_name")]
    #[must_use]
    pub fn name(&self) -> &str {
        &self.info.name
    }

    /// The name of its character device in `/dev/infiniband`, such as `uverbs0`.
    #[must_use]
    pub fn uverbs_name(&self) -> &str {
        &self.info.uverbs_name
    }

    pub(crate) fn sysfs(&self) -> PathBuf {
        PathBuf::from(&self.info.sysfs)
    }

    /// What kind of node it is.
    #[must_use]
    pub fn node_type(&self) -> NodeType {
        u32::try_from(self.info.node_type).map_or(NodeType::Unknown(u32::MAX), NodeType::from_raw)
    }

    /// What carries its traffic.
    #[must_use]
    pub fn transport(&self) -> Transport {
        Transport::from_driver(self.info.transport)
    }

    /// Opens the device.
    ///
    /// # Errors
    ///
    /// [`Error::Verb`]; EACCES or EPERM: no right to `/dev/infiniband/uverbsN`.
    #[doc(alias = "ibv_open_device")]
    pub fn open(&self) -> Result<Context> {
        let handle = self
            .raw
            .open()
            .map_err(|errno| verb_error("ibv_open_device", self.info.name.clone(), errno))?;
        Ok(Context::new(handle))
    }
}

impl fmt::Display for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.info.name)
    }
}

crate::raw::driver_enum! {
    /// What kind of node a device is.
    #[doc(alias = "ibv_node_type")]
    pub enum NodeType {
        /// An InfiniBand or RoCE adapter.
        ChannelAdapter = 1, "IBV_NODE_CA", "channel adapter";
        /// An InfiniBand switch.
        Switch = 2, "IBV_NODE_SWITCH", "switch";
        /// An InfiniBand router.
        Router = 3, "IBV_NODE_ROUTER", "router";
        /// An iWARP adapter.
        Rnic = 4, "IBV_NODE_RNIC", "iWARP adapter";
        /// A usNIC adapter.
        Usnic = 5, "IBV_NODE_USNIC", "usNIC adapter";
        /// A usNIC adapter over UDP.
        UsnicUdp = 6, "IBV_NODE_USNIC_UDP", "usNIC adapter (UDP)";
        /// A kind that does not say.
        Unspecified = 7, "IBV_NODE_UNSPECIFIED", "unspecified";
    }
}

crate::raw::driver_enum! {
    /// What carries a device's traffic.
    #[doc(alias = "ibv_transport_type")]
    pub enum Transport {
        /// InfiniBand's transport, over InfiniBand or Ethernet (RoCE).
        InfiniBand = 0, "IBV_TRANSPORT_IB", "InfiniBand";
        /// RDMA over TCP.
        Iwarp = 1, "IBV_TRANSPORT_IWARP", "iWARP";
        /// Cisco's usNIC.
        Usnic = 2, "IBV_TRANSPORT_USNIC", "usNIC";
        /// Cisco's usNIC over UDP.
        UsnicUdp = 3, "IBV_TRANSPORT_USNIC_UDP", "usNIC (UDP)";
        /// One that does not say.
        Unspecified = 4, "IBV_TRANSPORT_UNSPECIFIED", "unspecified";
    }
}

impl Transport {
    /// From the C enum, which drivers set to -1 for a transport that the library does not know.
    pub(crate) fn from_driver(raw: i32) -> Self {
        u32::try_from(raw).map_or(Transport::Unknown(u32::MAX), Transport::from_raw)
    }
}

fn load_error(error: LoadError) -> Error {
    match error {
        LoadError::Missing(reason) => Error::LibraryMissing { reason },
        LoadError::Symbol(symbol) => Error::LibraryTooOld { symbol },
    }
}

/// The error of a C call, with the hint that its number alone gives.
pub(crate) fn verb_error(operation: &'static str, object: String, errno: Errno) -> Error {
    let hint = match errno.number() {
        libc::EACCES | libc::EPERM => {
            String::from(" (is /dev/infiniband/uverbsN accessible to this user?)")
        }
        _ => String::new(),
    };
    Error::Verb {
        operation,
        object,
        source: errno.into_io(),
        hint,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_library_or_device_the_error_says_so_and_what_to_do() {
        // This machine may have either or both; what must not happen is a panic or another error.
        match Device::list() {
            Ok(devices) => assert!(!devices.is_empty()),
            Err(error @ Error::LibraryMissing { .. }) => {
                assert!(error.to_string().contains("install rdma-core"));
            }
            Err(error) => assert!(matches!(error, Error::NoDevice), "{error}"),
        }
    }
}
