use crate::gate::sh;
use std::process::Command;

/// Two soft-RoCE devices, each on an end of a veth pair, which reach each other over the wire: what
/// happens to packets there happens to theirs. Removed on drop, with the routes.
#[derive(Debug)]
pub struct RxePair(());

impl RxePair {
    pub(crate) fn add() -> RxePair {
        sh("ip link add labr0 type veth peer name labr1");
        let pair = RxePair(());
        for end in [0, 1] {
            let other = 1 - end;
            sh(&format!("ip addr add 10.77.0.{}/32 dev labr{end}", end + 1));
            // Both addresses are this machine's, and still a packet from one to the other is taken.
            sh(&format!(
                "echo 1 > /proc/sys/net/ipv4/conf/labr{end}/accept_local"
            ));
            sh(&format!(
                "echo 0 > /proc/sys/net/ipv4/conf/labr{end}/rp_filter"
            ));
            sh(&format!("ip link set labr{end} up"));
            // Only what is sent looks into this table, before the one that knows whose the addresses are.
            sh(&format!(
                "ip route add 10.77.0.{}/32 dev labr{end} src 10.77.0.{} table 77",
                other + 1,
                end + 1
            ));
        }
        sh("ip rule add pref 10 iif lo lookup 77");
        sh("ip rule add pref 20 lookup local && ip rule del pref 0");
        for end in [0, 1] {
            let other = 1 - end;
            let mac = sh(&format!("cat /sys/class/net/labr{other}/address"));
            let (mac, to) = (mac.trim(), other + 1);
            sh(&format!(
                "ip neigh replace 10.77.0.{to} lladdr {mac} dev labr{end} nud permanent"
            ));
            sh(&format!(
                "rdma link add labrxe{end} type rxe netdev labr{end}"
            ));
        }
        pair
    }

    /// The devices' names.
    pub fn devices(&self) -> [&'static str; 2] {
        ["labrxe0", "labrxe1"]
    }

    /// The index of each one's RoCEv2 GID with an IPv4 address.
    pub fn gid_index(&self) -> u32 {
        1
    }

    /// Has packets treated as netem(8) says, in both directions.
    pub fn netem(&self, rules: &str) {
        for end in [0, 1] {
            sh(&format!(
                "tc qdisc replace dev labr{end} root netem {rules}"
            ));
        }
    }

    /// How many packets netem has dropped so far.
    pub fn dropped(&self) -> u64 {
        let text = sh("tc -s qdisc show dev labr0; tc -s qdisc show dev labr1");
        let counts = text.split("dropped ").skip(1);
        let numbers = counts.filter_map(|rest| rest.split(',').next()?.parse::<u64>().ok());
        numbers.sum()
    }
}

impl Drop for RxePair {
    fn drop(&mut self) {
        let line = "ip rule add pref 0 lookup local; ip rule del pref 20; ip rule del pref 10; \
                    rdma link delete labrxe0; rdma link delete labrxe1; ip link delete labr0; true";
        let _ = Command::new("sh").args(["-c", line]).output();
    }
}
