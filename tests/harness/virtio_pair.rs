use crate::gate::sh;
use std::fs;
use std::net::Ipv4Addr;
use std::process::Command;

/// The guest's two virtio-net NICs, which are each other's only peer. Each is in a network namespace of its own, up and
/// with an address; on drop both are back where they were, down, and the namespaces are gone.
#[derive(Debug)]
pub struct VirtioPair {
    near: VirtioNic,
    far: VirtioNic,
}

/// One of the two.
#[derive(Debug, Clone)]
pub struct VirtioNic {
    /// Its netdev.
    pub netdev: String,
    /// The name of the namespace it is in, as `ip netns` knows it.
    pub namespace: &'static str,
    /// Its address.
    pub address: Ipv4Addr,
}

impl VirtioPair {
    pub(crate) fn part() -> VirtioPair {
        let listed = fs::read_dir("/sys/bus/virtio/drivers/virtio_net").expect("the virtio driver");
        let nics = listed.flatten().map(|entry| entry.path().join("net"));
        let mut netdevs: Vec<String> = nics
            .filter_map(|folder| fs::read_dir(folder).ok()?.flatten().next())
            .map(|netdev| netdev.file_name().to_string_lossy().into_owned())
            .collect();
        netdevs.sort();
        let [near, far] = netdevs.as_slice() else {
            panic!("the guest has two virtio-net NICs: {netdevs:?}")
        };
        let nic = |netdev: &String, namespace, last| VirtioNic {
            netdev: netdev.clone(),
            namespace,
            address: Ipv4Addr::new(10, 78, 0, last),
        };
        let pair = VirtioPair {
            near: nic(near, "labnear", 1),
            far: nic(far, "labfar", 2),
        };
        for nic in [&pair.near, &pair.far] {
            let VirtioNic {
                netdev,
                namespace,
                address,
            } = nic;
            sh(&format!(
                "ip netns add {namespace} && ip link set {netdev} netns {namespace}"
            ));
            sh(&format!(
                "ip -n {namespace} addr add {address}/24 dev {netdev}"
            ));
            sh(&format!("ip -n {namespace} link set {netdev} up"));
        }
        pair
    }

    /// The one to send from.
    pub fn near(&self) -> &VirtioNic {
        &self.near
    }

    /// Its peer.
    pub fn far(&self) -> &VirtioNic {
        &self.far
    }
}

impl Drop for VirtioPair {
    fn drop(&mut self) {
        for VirtioNic {
            netdev, namespace, ..
        } in [&self.near, &self.far]
        {
            // Moved by hand: a namespace that goes away gives its NICs back only by and by.
            let line = format!(
                "ip -n {namespace} link set {netdev} mtu 1500 netns 1; ip netns del {namespace}"
            );
            let _ = Command::new("sh").args(["-c", &line]).output();
        }
    }
}
