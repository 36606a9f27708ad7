//! netprims-sriov on the lab's kernels: what we say we did, and what `ip` says was done.

mod igb;
mod netdevsim;

use std::path::Path;
use std::process::{Command, Output};

use lab_tests::{IgbPf, Lab, Netdevsim, gate};
use netprims_sriov::{
    Error, Hint, Host, MacAddr, NotAPf, Pf, PfState, VfConfig, VfCount, VfIndex, VfMac, VfNetdev,
    VfSpec, VfVlan, Vlan, VlanProto,
};
use serde_json::Value;

fn host() -> Host {
    Host::open().expect("open the host")
}

fn pf(selector: &str) -> Pf {
    host()
        .pf(&selector.parse().expect("a selector"))
        .expect("find the PF")
}

fn create(pf: &Pf, count: u16) {
    pf.create_vfs(self::count(count)).expect("create VFs");
}

fn count(n: u16) -> VfCount {
    VfCount::new(n).expect("a number of VFs")
}

fn mac(vf: VfIndex) -> MacAddr {
    let first: MacAddr = "02:00:00:00:10:00".parse().expect("a MAC address");
    first.checked_add(vf.value().into()).expect("a MAC address")
}

/// VLAN 100, 101, … with a different priority each.
fn vlan(vf: VfIndex) -> Vlan {
    format!("{}:{}", 100 + vf.value() % 3900, vf.value() % 8)
        .parse()
        .expect("a VLAN")
}

fn specs(n: u16) -> Vec<(VfIndex, VfSpec)> {
    count(n)
        .indices()
        .map(|vf| (vf, VfSpec::new().mac(mac(vf)).vlan(vlan(vf))))
        .collect()
}

fn config(state: &PfState, vf: u16) -> VfConfig {
    state.vfs[usize::from(vf)]
        .config
        .expect("the VF is reported")
}

/// Asserts that every VF of `state` is as `specs` has it.
fn assert_as_specified(state: &PfState) {
    for vf in &state.vfs {
        let config = vf.config.expect("the VF is reported");
        assert_eq!(config.mac, VfMac::Set(mac(vf.index)), "VF {}", vf.index);
        assert_eq!(
            config.vlan,
            VfVlan::Tagged(vlan(vf.index)),
            "VF {}",
            vf.index
        );
    }
}

/// What `ip` shows of a PF's VFs.
fn by_ip(lab: &Lab, netdev: &str) -> Vec<Value> {
    let shown = lab.sh(&format!("ip -json -d link show dev {netdev}"));
    let mut links: Value = serde_json::from_str(&shown).expect("JSON of ip");
    match links[0]["vfinfo_list"].take() {
        Value::Array(vfs) => vfs,
        Value::Null => Vec::new(),
        other => panic!("{other}"),
    }
}

/// Asserts that `ip` shows `n` VFs, each as `specs` has it.
fn assert_ip_agrees(lab: &Lab, netdev: &str, n: u16) {
    let shown = by_ip(lab, netdev);
    assert_eq!(shown.len(), usize::from(n));
    for vf in count(n).indices() {
        let shown = &shown[usize::from(vf.value())];
        assert_eq!(shown["vf"], vf.value());
        assert_eq!(shown["address"], mac(vf).to_string());
        let tag = &shown["vlan_list"][0];
        assert_eq!(tag["vlan"], vlan(vf).vlan_id().value(), "{shown}");
        let qos = tag["qos"].as_u64().unwrap_or(0);
        assert_eq!(qos, u64::from(vlan(vf).vlan_qos().value()), "{shown}");
    }
}

fn run(lab: &Lab, program: &str, arguments: &[&str]) -> Output {
    Command::new(lab.program(program))
        .args(arguments)
        .output()
        .expect("run the program")
}

fn errors(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}
