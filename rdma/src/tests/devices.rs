//! What a device says about itself.

use super::*;
use crate::{DeviceCaps, LinkSpeed, LinkWidth, PhysState, Pkey, PortCaps};

#[test]
fn a_port_says_how_fast_it_is() {
    let rig = Rig::new();
    let port = rig.context.query_port(PortNum::FIRST).unwrap();
    assert_eq!((port.width, port.speed), (LinkWidth::X4, LinkSpeed::Edr));
    assert_eq!(port.megabits(), Some(100_000));
    assert_eq!(port.phys_state, PhysState::LinkUp);
    assert!(port.capabilities.contains(PortCaps::IP_BASED_GIDS));
    assert_eq!(
        port.capabilities.to_string(),
        "GIDs are IP addresses, 0x80000000"
    );
    assert!(!port.needs_gid);
}

#[test]
fn a_table_of_partition_keys_is_read_without_its_empty_lines() {
    let rig = Rig::new();
    let table = rig.context.pkey_table(PortNum::FIRST).unwrap();
    assert_eq!(table, [(0, Pkey::DEFAULT), (2, Pkey::new(0x1234))]);
    let error = rig
        .context
        .query_pkey(PortNum::FIRST, 3)
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("ibv_query_pkey of fake0 port 1 index 3"),
        "{error}"
    );
}

#[test]
fn a_device_of_no_bus_has_no_place() {
    let device = &crate::Device::list_from(std::sync::Arc::new(Fake::new())).unwrap()[0];
    assert_eq!((device.pci_address(), device.numa_node()), (None, None));
}

#[test]
fn limits_that_a_driver_gives_as_negative_are_none() {
    let limits = Rig::new().context.query_device().unwrap();
    assert_eq!((limits.max_qp(), limits.ports()), (0, 1));
}

#[test]
fn capabilities_beyond_the_usual_are_told_where_the_provider_tells_them() {
    let rig = Rig::new();
    let limits = rig.context.query_device().unwrap();
    let both = DeviceCaps::ATOMIC_WRITE | DeviceCaps::FLUSH_GLOBAL;
    assert!(limits.capabilities().contains(both), "{limits:?}");
    rig.fake.state().extras = None;
    let limits = rig.context.query_device().unwrap();
    assert_eq!(limits.capabilities().raw(), 0);
    let paging = limits.on_demand_paging();
    assert_eq!((paging.general.raw(), paging.rc.raw()), (0, 0));
}
