//! What is between a port and the next.

crate::raw::driver_enum! {
    /// What a port's hardware is at.
    #[doc(alias = "phys_state")]
    pub enum PhysState {
        /// Saves energy.
        Sleep = 1, "IB_PORT_PHYS_STATE_SLEEP", "sleep";
        /// Looks for somebody at the other end.
        Polling = 2, "IB_PORT_PHYS_STATE_POLLING", "polling";
        /// Off.
        Disabled = 3, "IB_PORT_PHYS_STATE_DISABLED", "disabled";
        /// Negotiates with the other end.
        Training = 4, "IB_PORT_PHYS_STATE_PORT_CONFIGURATION_TRAINING", "training";
        /// Connected.
        LinkUp = 5, "IB_PORT_PHYS_STATE_LINK_UP", "link up";
        /// Recovers from an error.
        ErrorRecovery = 6, "IB_PORT_PHYS_STATE_LINK_ERROR_RECOVERY", "error recovery";
        /// Tests itself.
        Test = 7, "IB_PORT_PHYS_STATE_PHY_TEST", "test";
    }
}

crate::raw::driver_enum! {
    /// How many lanes a link has. On Ethernet, drivers choose a width and a speed whose product is right.
    #[doc(alias = "active_width")]
    pub enum LinkWidth {
        /// One lane.
        X1 = 1, "IB_WIDTH_1X", "1x";
        /// Four lanes.
        X4 = 2, "IB_WIDTH_4X", "4x";
        /// Eight lanes.
        X8 = 4, "IB_WIDTH_8X", "8x";
        /// Twelve lanes.
        X12 = 8, "IB_WIDTH_12X", "12x";
        /// Two lanes.
        X2 = 16, "IB_WIDTH_2X", "2x";
    }
}

impl LinkWidth {
    /// How many lanes that is; `None` for a number that the crate does not know.
    #[must_use]
    pub const fn lanes(self) -> Option<u32> {
        match self {
            LinkWidth::X1 => Some(1),
            LinkWidth::X2 => Some(2),
            LinkWidth::X4 => Some(4),
            LinkWidth::X8 => Some(8),
            LinkWidth::X12 => Some(12),
            LinkWidth::Unknown(_) => None,
        }
    }
}

crate::raw::driver_enum! {
    /// The speed of a lane, by the name InfiniBand has for it.
    #[doc(alias = "active_speed")]
    pub enum LinkSpeed {
        /// 2.5 Gb/s.
        Sdr = 1, "IB_SPEED_SDR", "SDR";
        /// 5 Gb/s.
        Ddr = 2, "IB_SPEED_DDR", "DDR";
        /// 10 Gb/s.
        Qdr = 4, "IB_SPEED_QDR", "QDR";
        /// 10 Gb/s.
        Fdr10 = 8, "IB_SPEED_FDR10", "FDR10";
        /// 14 Gb/s.
        Fdr = 16, "IB_SPEED_FDR", "FDR";
        /// 25 Gb/s.
        Edr = 32, "IB_SPEED_EDR", "EDR";
        /// 50 Gb/s.
        Hdr = 64, "IB_SPEED_HDR", "HDR";
        /// 100 Gb/s.
        Ndr = 128, "IB_SPEED_NDR", "NDR";
    }
}

impl LinkSpeed {
    /// How many Mb/s a lane carries, rounded as `ibv_devinfo` does; `None` for a number that the crate does
    /// not know.
    #[must_use]
    pub const fn megabits(self) -> Option<u32> {
        match self {
            LinkSpeed::Sdr => Some(2_500),
            LinkSpeed::Ddr => Some(5_000),
            LinkSpeed::Qdr | LinkSpeed::Fdr10 => Some(10_000),
            LinkSpeed::Fdr => Some(14_000),
            LinkSpeed::Edr => Some(25_000),
            LinkSpeed::Hdr => Some(50_000),
            LinkSpeed::Ndr => Some(100_000),
            LinkSpeed::Unknown(_) => None,
        }
    }
}

crate::raw::driver_flags! {
    /// What a port can do.
    #[doc(alias = "ibv_port_cap_flags")]
    pub struct PortCaps {
        /// A subnet manager runs on it.
        SUBNET_MANAGER = 1 << 1, "IBV_PORT_SM", "subnet manager";
        /// It tells of traps.
        TRAPS = 1 << 3, "IBV_PORT_TRAP_SUP", "traps";
        /// It migrates paths by itself.
        PATH_MIGRATION = 1 << 5, "IBV_PORT_AUTO_MIGR_SUP", "path migration";
        /// It maps service levels.
        SERVICE_LEVELS = 1 << 6, "IBV_PORT_SL_MAP_SUP", "service levels";
        /// It knows speeds beyond QDR.
        EXTENDED_SPEEDS = 1 << 14, "IBV_PORT_EXTENDED_SPEEDS_SUP", "extended speeds";
        /// Communication management is answered.
        COMMUNICATION_MANAGEMENT = 1 << 16, "IBV_PORT_CM_SUP", "communication management";
        /// Device management is answered.
        DEVICE_MANAGEMENT = 1 << 19, "IBV_PORT_DEVICE_MGMT_SUP", "device management";
        /// Registrations anew can be asked for.
        CLIENT_REREGISTRATION = 1 << 25, "IBV_PORT_CLIENT_REG_SUP", "client reregistration";
        /// Its GIDs are IP addresses (RoCE).
        IP_BASED_GIDS = 1 << 26, "IBV_PORT_IP_BASED_GIDS", "GIDs are IP addresses";
    }
}
