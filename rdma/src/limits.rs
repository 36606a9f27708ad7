//! What a device can do.

use crate::sys;

/// What a device says about itself and its limits.
///
/// Limits are what the driver claims; a request within them may still fail for want of memory.
/// A negative number from a driver counts as 0.
#[doc(alias = "ibv_device_attr")]
#[derive(Clone, Debug)]
pub struct DeviceLimits {
    raw: sys::DeviceLimits,
}

/// Declares the methods that give a number of `struct ibv_device_attr`.
macro_rules! counts {
    ($($(#[$meta:meta])* $name:ident = $field:ident;)+) => {
        impl DeviceLimits {
            $(
                $(#[$meta])*
                #[must_use]
                pub fn $name(&self) -> u32 {
                    count(self.raw.attr.$field)
                }
            )+
        }
    };
}

counts! {
    /// How many queue pairs there may be.
    max_qp = max_qp;
    /// The deepest queue of a queue pair.
    #[doc(alias = "max_qp_wr")]
    max_qp_depth = max_qp_wr;
    /// How many pieces a work request may gather or scatter.
    max_sge = max_sge;
    /// How many pieces a remote read may scatter.
    #[doc(alias = "max_sge_rd")]
    max_sge_of_reads = max_sge_rd;
    /// How many completion queues there may be.
    max_cq = max_cq;
    /// How many entries a completion queue may have.
    #[doc(alias = "max_cqe")]
    max_cq_capacity = max_cqe;
    /// How many memory regions there may be.
    max_mr = max_mr;
    /// How many protection domains there may be.
    max_pd = max_pd;
    /// How many reads and atomics of its peer a queue pair may have underway, as the side that answers.
    #[doc(alias = "max_qp_rd_atom")]
    max_reads_as_target = max_qp_rd_atom;
    /// How many reads and atomics a queue pair may have underway, as the side that asks.
    #[doc(alias = "max_qp_init_rd_atom")]
    max_reads_as_initiator = max_qp_init_rd_atom;
    /// How many reads and atomics of peers all queue pairs together may have underway.
    #[doc(alias = "max_res_rd_atom")]
    max_reads_as_target_of_all = max_res_rd_atom;
    /// How many memory windows there may be.
    max_mw = max_mw;
    /// How many multicast groups there may be.
    #[doc(alias = "max_mcast_grp")]
    max_multicast_groups = max_mcast_grp;
    /// How many queue pairs a multicast group may have.
    #[doc(alias = "max_mcast_qp_attach")]
    max_qp_of_multicast_group = max_mcast_qp_attach;
    /// How many queue pairs all multicast groups together may have.
    #[doc(alias = "max_total_mcast_qp_attach")]
    max_qp_of_all_multicast_groups = max_total_mcast_qp_attach;
    /// How many address handles there may be.
    max_ah = max_ah;
    /// How many shared receive queues there may be.
    max_srq = max_srq;
    /// The deepest shared receive queue.
    #[doc(alias = "max_srq_wr")]
    max_srq_depth = max_srq_wr;
    /// How many pieces a receive of a shared receive queue may scatter.
    max_srq_sge = max_srq_sge;
}

impl DeviceLimits {
    pub(crate) fn new(raw: sys::DeviceLimits) -> Self {
        DeviceLimits { raw }
    }

    /// The version of the firmware, if the driver gives one.
    #[doc(alias = "fw_ver")]
    #[must_use]
    pub fn firmware(&self) -> &str {
        &self.raw.firmware
    }

    /// The node's GUID, a 64-bit number unique to the device.
    #[must_use]
    pub fn node_guid(&self) -> u64 {
        u64::from_be_bytes(self.raw.attr.node_guid)
    }

    /// The GUID of what the device is part of: one for all devices of an adapter.
    #[doc(alias = "sys_image_guid")]
    #[must_use]
    pub fn system_guid(&self) -> u64 {
        u64::from_be_bytes(self.raw.attr.sys_image_guid)
    }

    /// Vendor and part numbers.
    #[must_use]
    pub fn vendor(&self) -> (u32, u32) {
        (self.raw.attr.vendor_id, self.raw.attr.vendor_part_id)
    }

    /// The version of the hardware.
    #[doc(alias = "hw_ver")]
    #[must_use]
    pub fn hardware_version(&self) -> u32 {
        self.raw.attr.hw_ver
    }

    /// The largest memory region, in bytes.
    #[must_use]
    pub fn max_mr_size(&self) -> u64 {
        self.raw.attr.max_mr_size
    }

    /// The sizes of pages that the device knows, in bytes: each bit that is set is one.
    #[doc(alias = "page_size_cap")]
    #[must_use]
    pub fn page_sizes(&self) -> u64 {
        self.raw.attr.page_size_cap
    }

    /// How many partition keys a port's table may have.
    #[must_use]
    pub fn max_pkeys(&self) -> u16 {
        self.raw.attr.max_pkeys
    }

    /// How many ports the device has; they are numbered from 1.
    #[must_use]
    pub fn ports(&self) -> u8 {
        self.raw.attr.phys_port_cnt
    }

    /// How long the device may take to acknowledge a packet: 4.096 µs times 2 to this power.
    #[doc(alias = "local_ca_ack_delay")]
    #[must_use]
    pub fn ack_delay(&self) -> u8 {
        self.raw.attr.local_ca_ack_delay
    }

    /// With what else its atomics are atomic.
    #[must_use]
    pub fn atomics(&self) -> AtomicCap {
        AtomicCap::from_raw(self.raw.attr.atomic_cap)
    }

    /// What it can do. Bits above the 32nd are there where the library and the kernel tell them.
    #[doc(alias = "device_cap_flags")]
    #[doc(alias = "device_cap_flags_ex")]
    #[must_use]
    pub fn capabilities(&self) -> DeviceCaps {
        DeviceCaps::from_raw(self.raw.capabilities)
    }

    /// Which memory it reaches without pages that are pinned.
    #[must_use]
    pub fn on_demand_paging(&self) -> OnDemandPaging {
        let raw = self.raw.paging;
        OnDemandPaging {
            general: OdpCaps::from_raw(raw.general_caps),
            rc: OdpWork::from_raw(u64::from(raw.rc_odp_caps)),
            uc: OdpWork::from_raw(u64::from(raw.uc_odp_caps)),
            ud: OdpWork::from_raw(u64::from(raw.ud_odp_caps)),
        }
    }
}

fn count(raw: i32) -> u32 {
    u32::try_from(raw).unwrap_or(0)
}

crate::raw::driver_enum! {
    /// With what else the atomics of a device are atomic.
    #[doc(alias = "ibv_atomic_cap")]
    pub enum AtomicCap {
        /// It has none.
        None = 0, "IBV_ATOMIC_NONE", "none";
        /// With others of the same device.
        Device = 1, "IBV_ATOMIC_HCA", "within the device";
        /// With others of the machine, processors included.
        Machine = 2, "IBV_ATOMIC_GLOB", "within the machine";
    }
}

crate::raw::driver_flags! {
    /// What a device can do.
    #[doc(alias = "ibv_device_cap_flags")]
    pub struct DeviceCaps {
        /// Its queues can become deeper.
        RESIZE_MAX_WR = 1 << 0, "IBV_DEVICE_RESIZE_MAX_WR", "resizable queues";
        /// It counts packets with a bad partition key.
        BAD_PKEY_COUNTER = 1 << 1, "IBV_DEVICE_BAD_PKEY_CNTR", "counts bad partition keys";
        /// It counts packets with a bad Q_Key.
        BAD_QKEY_COUNTER = 1 << 2, "IBV_DEVICE_BAD_QKEY_CNTR", "counts bad Q_Keys";
        /// Queue pairs of raw packets can join multicast groups.
        RAW_MULTICAST = 1 << 3, "IBV_DEVICE_RAW_MULTI", "multicast of raw packets";
        /// Connections can move to another path by themselves.
        PATH_MIGRATION = 1 << 4, "IBV_DEVICE_AUTO_PATH_MIG", "path migration";
        /// And that may be on another port.
        PORT_CHANGE = 1 << 5, "IBV_DEVICE_CHANGE_PHY_PORT", "path migration to another port";
        /// It holds an address handle to its port.
        AH_PORT_ENFORCED = 1 << 6, "IBV_DEVICE_UD_AV_PORT_ENFORCE", "ports of address handles enforced";
        /// The state that a queue pair is in can be said when it is changed.
        CURRENT_STATE = 1 << 7, "IBV_DEVICE_CURR_QP_STATE_MOD", "current state in changes";
        /// Its ports can be shut down.
        SHUTDOWN_PORT = 1 << 8, "IBV_DEVICE_SHUTDOWN_PORT", "ports can be shut down";
        /// It tells subnet managers how much of a port is to be initialised.
        INIT_TYPE = 1 << 9, "IBV_DEVICE_INIT_TYPE", "kinds of initialisation";
        /// It tells of ports that become active ([`EventKind::PortActive`](crate::EventKind::PortActive)).
        PORT_ACTIVE_EVENT = 1 << 10, "IBV_DEVICE_PORT_ACTIVE_EVENT", "tells of active ports";
        /// It has a GUID for the system that it is part of.
        SYSTEM_GUID = 1 << 11, "IBV_DEVICE_SYS_IMAGE_GUID", "system GUID";
        /// It answers that no receive is posted, so that the sender tries again.
        RNR_NAK = 1 << 12, "IBV_DEVICE_RC_RNR_NAK_GEN", "RNR answers";
        /// Shared receive queues can become deeper.
        SRQ_RESIZE = 1 << 13, "IBV_DEVICE_SRQ_RESIZE", "resizable shared receive queues";
        /// A completion queue can be asked to speak up after several completions.
        NOTIFY_AFTER_SEVERAL = 1 << 14, "IBV_DEVICE_N_NOTIFY_CQ", "events after several completions";
        /// Memory windows.
        MEMORY_WINDOWS = 1 << 17, "IBV_DEVICE_MEM_WINDOW", "memory windows";
        /// Checksums of IP over UD queue pairs.
        UD_IP_CHECKSUM = 1 << 18, "IBV_DEVICE_UD_IP_CSUM", "IP checksums over UD";
        /// Extended reliable connections.
        XRC = 1 << 20, "IBV_DEVICE_XRC", "extended reliable connections";
        /// Keys can be invalidated by requests.
        MEMORY_MANAGEMENT = 1 << 21, "IBV_DEVICE_MEM_MGT_EXTENSIONS", "memory management extensions";
        /// Memory windows of type 2A.
        MEMORY_WINDOWS_2A = 1 << 23, "IBV_DEVICE_MEM_WINDOW_TYPE_2A", "memory windows of type 2A";
        /// Memory windows of type 2B: what this crate's [`Window`](crate::Window) is.
        MEMORY_WINDOWS_2B = 1 << 24, "IBV_DEVICE_MEM_WINDOW_TYPE_2B", "memory windows of type 2B";
        /// Checksums of IP over RC queue pairs.
        RC_IP_CHECKSUM = 1 << 25, "IBV_DEVICE_RC_IP_CSUM", "IP checksums over RC";
        /// Checksums of IP in raw packets.
        RAW_IP_CHECKSUM = 1 << 26, "IBV_DEVICE_RAW_IP_CSUM", "IP checksums of raw packets";
        /// Rules that steer flows to queues.
        FLOW_STEERING = 1 << 29, "IBV_DEVICE_MANAGED_FLOW_STEERING", "flow steering";
        /// Checksums of Ethernet frames can be received.
        FRAME_CHECKSUMS = 1 << 34, "IBV_DEVICE_RAW_SCATTER_FCS", "frame checksums received";
        /// Its writes to memory can be filled up to whole cache lines.
        WRITE_PADDING = 1 << 36, "IBV_DEVICE_PCI_WRITE_END_PADDING", "writes padded to cache lines";
        /// [`Flush`](crate::Flush) to where the peer's whole machine sees it; since Linux 6.2.
        FLUSH_GLOBAL = 1 << 38, "IB_UVERBS_DEVICE_FLUSH_GLOBAL", "flush to global visibility";
        /// [`Flush`](crate::Flush) to memory that outlives the power; since Linux 6.2.
        FLUSH_PERSISTENT = 1 << 39, "IB_UVERBS_DEVICE_FLUSH_PERSISTENT", "flush to persistence";
        /// Eight bytes of a peer's written at once; since Linux 6.2.
        ATOMIC_WRITE = 1 << 40, "IB_UVERBS_DEVICE_ATOMIC_WRITE", "atomic write";
    }
}

/// How far a device does without pinned pages: it asks for pages as it comes to them.
#[doc(alias = "ibv_odp_caps")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct OnDemandPaging {
    /// For which memory.
    pub general: OdpCaps,
    /// For which work of RC queue pairs.
    pub rc: OdpWork,
    /// For which work of UC queue pairs.
    pub uc: OdpWork,
    /// For which work of UD queue pairs.
    pub ud: OdpWork,
}

crate::raw::driver_flags! {
    /// For which memory a device does without pinned pages.
    #[doc(alias = "ibv_odp_general_caps")]
    pub struct OdpCaps {
        /// For regions that ask for it.
        SUPPORT = 1 << 0, "IBV_ODP_SUPPORT", "regions";
        /// For the whole address space, as one region.
        IMPLICIT = 1 << 1, "IBV_ODP_SUPPORT_IMPLICIT", "the whole address space";
    }
}

crate::raw::driver_flags! {
    /// For which work a device does without pinned pages.
    #[doc(alias = "ibv_odp_transport_cap_bits")]
    pub struct OdpWork {
        /// Sends.
        SEND = 1 << 0, "IBV_ODP_SUPPORT_SEND", "send";
        /// Receives.
        RECV = 1 << 1, "IBV_ODP_SUPPORT_RECV", "receive";
        /// Remote writes.
        WRITE = 1 << 2, "IBV_ODP_SUPPORT_WRITE", "remote write";
        /// Remote reads.
        READ = 1 << 3, "IBV_ODP_SUPPORT_READ", "remote read";
        /// Atomics.
        ATOMIC = 1 << 4, "IBV_ODP_SUPPORT_ATOMIC", "atomics";
        /// Receives of a shared receive queue.
        SRQ_RECV = 1 << 5, "IBV_ODP_SUPPORT_SRQ_RECV", "receive of a shared queue";
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_are_told_by_what_they_mean_and_bits_without_a_name_by_their_number() {
        let some = DeviceCaps::XRC | DeviceCaps::RNR_NAK;
        assert_eq!(
            some.to_string(),
            "RNR answers, extended reliable connections"
        );
        assert!(some.contains(DeviceCaps::XRC) && !some.contains(some | DeviceCaps::RESIZE_MAX_WR));
        let raw = some.raw() | 1 << 63;
        assert_eq!(DeviceCaps::from_raw(raw).raw(), raw);
        let text = DeviceCaps::from_raw(raw).to_string();
        assert_eq!(
            text,
            "RNR answers, extended reliable connections, 0x8000000000000000"
        );
        assert_eq!(
            DeviceCaps::from_raw(1 << 63).to_string(),
            "0x8000000000000000"
        );
        assert_eq!(DeviceCaps::from_raw(0).to_string(), "");
    }
}
