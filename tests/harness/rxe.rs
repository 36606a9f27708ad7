use crate::gate::sh;
use std::net::Ipv4Addr;

const ADDRESS: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 1);

/// A soft-RoCE device on a veth pair of its own; both are removed on drop.
#[derive(Debug)]
pub struct Rxe(());

impl Rxe {
    pub(crate) fn add() -> Rxe {
        sh("ip link add labr0 type veth peer name labr1");
        let rxe = Rxe(());
        sh(&format!("ip addr add {ADDRESS}/24 dev labr0"));
        sh("ip link set labr0 up && ip link set labr1 up");
        sh("rdma link add labrxe type rxe netdev labr0");
        rxe
    }

    /// The device's name.
    pub fn device(&self) -> &'static str {
        "labrxe"
    }

    /// The netdev under it.
    pub fn netdev(&self) -> &'static str {
        "labr0"
    }

    /// The index of its RoCEv2 GID with an IPv4 address.
    pub fn gid_index(&self) -> u32 {
        1
    }

    /// The address behind that GID.
    pub fn address(&self) -> Ipv4Addr {
        ADDRESS
    }
}

impl Drop for Rxe {
    fn drop(&mut self) {
        // The device goes with its netdev; a test may have removed either already.
        let line = "rdma link delete labrxe; ip link delete labr0; true";
        let _ = std::process::Command::new("sh").args(["-c", line]).output();
    }
}
