//! netprims-sriov on the lab's kernels: what we say we did, and what `ip` says was done.

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

mod netdevsim {
    use super::*;

    /// A fresh device, or a skip where the kernel has none.
    fn with_device(body: impl FnOnce(&Lab, &Netdevsim)) {
        gate(|lab| {
            if !Path::new("/sys/bus/netdevsim").exists() {
                return lab.skip("this kernel has no netdevsim");
            }
            body(lab, &lab.netdevsim(1));
        });
    }

    fn name(device: &Netdevsim) -> String {
        format!("netdevsim{}", device.id())
    }

    #[test]
    fn is_found_by_each_of_its_names() {
        with_device(|lab, device| {
            let netdev = device.netdev();
            lab.sh(&format!(
                "ip link property add dev {netdev} altname sim0alt"
            ));
            let address = lab.sh(&format!("cat /sys/class/net/{netdev}/address"));
            for selector in [&name(device), &netdev, "sim0alt", address.trim()] {
                assert_eq!(pf(selector).id().to_string(), name(device), "{selector}");
            }
            let all = host().pfs().expect("list the PFs");
            assert!(all.iter().any(|pf| pf.id().to_string() == name(device)));
        });
    }

    #[test]
    fn is_still_the_same_after_its_netdev_was_renamed() {
        with_device(|lab, device| {
            let pf = pf(&device.netdev());
            create(&pf, 2);
            lab.sh(&format!(
                "ip link set {} down name renamed0",
                device.netdev()
            ));
            pf.configure_vfs(&specs(2)).expect("configure the VFs");
            let state = pf.snapshot().expect("look");
            assert_eq!(
                state.netdev.as_ref().map(|n| n.name.as_str()),
                Some("renamed0")
            );
            assert_as_specified(&state);
        });
    }

    #[test]
    fn vfs_are_created_configured_and_shown_alike_by_ip() {
        with_device(|lab, device| {
            let pf = pf(&name(device));
            assert_eq!(pf.snapshot().expect("look").num_vfs, 0);
            create(&pf, 4);
            pf.configure_vfs(&specs(4)).expect("configure the VFs");
            let state = pf.snapshot().expect("look");
            assert_eq!((state.num_vfs, state.total_vfs), (4, None));
            assert_eq!(state.driver.as_deref(), Some("netdevsim"));
            assert!(state.vfs.iter().all(|vf| vf.pci.is_none()));
            assert_as_specified(&state);
            assert_ip_agrees(lab, &device.netdev(), 4);
        });
    }

    #[test]
    fn what_ip_sets_is_read_back_as_it_is() {
        with_device(|lab, device| {
            let pf = pf(&name(device));
            create(&pf, 3);
            let netdev = device.netdev();
            lab.sh(&format!("ip link set {netdev} vf 0 vlan 4095"));
            lab.sh(&format!(
                "ip link set {netdev} vf 1 trust on spoofchk on state disable"
            ));
            let state = pf.snapshot().expect("look");
            assert!(matches!(
                config(&state, 0).vlan,
                VfVlan::Unknown { id: 4095, .. }
            ));
            let second = config(&state, 1);
            assert_eq!((second.trust, second.spoof_check), (Some(true), Some(true)));
            assert_eq!(second.link_state, Some(netprims_sriov::LinkState::Down));
            let third = config(&state, 2);
            assert_eq!((third.trust, third.spoof_check), (Some(false), Some(false)));
            assert_eq!((third.mac, third.vlan), (VfMac::Unset, VfVlan::Untagged));
        });
    }

    #[test]
    fn a_service_tag_is_set_and_taken_away() {
        with_device(|lab, device| {
            let pf = pf(&name(device));
            create(&pf, 1);
            let vlan: Vlan = "7:2:802.1ad".parse().expect("a VLAN");
            let vf = VfIndex::new(0);
            pf.configure_vfs(&[(vf, VfSpec::new().vlan(vlan))])
                .expect("set the VLAN");
            let shown = &by_ip(lab, &device.netdev())[0]["vlan_list"][0];
            assert_eq!((&shown["vlan"], &shown["qos"]), (&7.into(), &2.into()));
            assert_eq!(shown["protocol"], "802.1ad");
            pf.configure_vfs(&[(vf, VfSpec::new().untagged())])
                .expect("take the VLAN away");
            assert_eq!(
                config(&pf.snapshot().expect("look"), 0).vlan,
                VfVlan::Untagged
            );
        });
    }

    #[test]
    fn sixty_four_vfs_are_created_and_configured() {
        with_device(|lab, device| {
            device.allow_vfs(64);
            let pf = pf(&name(device));
            create(&pf, 64);
            pf.configure_vfs(&specs(64)).expect("configure the VFs");
            let state = pf.snapshot().expect("look");
            assert_eq!(state.vfs.len(), 64);
            assert_as_specified(&state);
            assert_ip_agrees(lab, &device.netdev(), 64);
        });
    }

    /// The kernel's list has a length of 16 bits, which wraps; `ip` believes it.
    #[test]
    fn more_vfs_than_the_kernels_list_can_say_are_all_there() {
        with_device(|lab, device| {
            let many = lab.volume(400, 2000);
            device.allow_vfs(many.into());
            let pf = pf(&name(device));
            create(&pf, many);
            pf.configure_vfs(&specs(many)).expect("configure the VFs");
            let state = pf.snapshot().expect("look");
            assert_eq!(state.vfs.len(), usize::from(many));
            assert_as_specified(&state);
            let by_ip = by_ip(lab, &device.netdev()).len();
            println!("{many} VFs: ours {}, ip {by_ip}", state.vfs.len());
            assert!(
                by_ip < usize::from(many),
                "ip reads them all: drop this line"
            );
        });
    }

    #[test]
    fn too_many_is_enomem_and_leaves_none() {
        with_device(|_, device| {
            let pf = pf(&name(device));
            let error = pf.create_vfs(count(5)).expect_err("netdevsim allows 4");
            assert_eq!(
                (error.errno(), error.hint()),
                (Some(12), Some(Hint::NetdevsimLimit))
            );
            assert!(error.to_string().contains("ENOMEM"), "{error}");
            assert_eq!(pf.snapshot().expect("look").num_vfs, 0);
        });
    }

    #[test]
    fn existing_vfs_are_not_touched() {
        with_device(|_, device| {
            let pf = pf(&name(device));
            create(&pf, 3);
            pf.configure_vfs(&specs(3)).expect("configure the VFs");
            for n in [2, 3, 4] {
                let error = pf.create_vfs(count(n)).expect_err("there are VFs");
                assert!(
                    matches!(error, Error::VfsExist { existing: 3, .. }),
                    "{error}"
                );
            }
            assert_as_specified(&pf.snapshot().expect("look"));
        });
    }

    #[test]
    fn a_vf_there_is_not_stops_everything_before_it_starts() {
        with_device(|_, device| {
            let pf = pf(&name(device));
            create(&pf, 2);
            let error = pf.configure_vfs(&specs(3)).expect_err("there are two");
            assert!(
                matches!(error, Error::NoSuchVf { existing: 2, .. }),
                "{error}"
            );
            let state = pf.snapshot().expect("look");
            assert_eq!(config(&state, 0).mac, VfMac::Unset);
        });
    }

    #[test]
    fn the_example_provisions_once_and_then_refuses() {
        with_device(|lab, device| {
            let name = name(device);
            let arguments = [
                "--num-vfs",
                "4",
                "--mac",
                "02:00:00:00:10:00",
                "--vlan",
                "100",
            ];
            let first = run(lab, "vf_provision", &[&[&*name], &arguments[..]].concat());
            assert!(first.status.success(), "{}", errors(&first));
            let table = String::from_utf8_lossy(&first.stdout).into_owned();
            for vf in count(4).indices() {
                let row = format!("{}   {}", mac(vf), 100 + vf.value());
                assert!(table.contains(&row), "{row}: {table}");
            }
            let second = run(lab, "vf_provision", &[&name, "--num-vfs", "2"]);
            assert_eq!(second.status.code(), Some(1));
            let said = errors(&second);
            assert!(said.contains("nothing was touched"), "{said}");
            assert_eq!(by_ip(lab, &device.netdev()).len(), 4);
        });
    }

    #[test]
    fn without_privilege_everything_can_be_seen_and_nothing_changed() {
        with_device(|lab, device| {
            let output = Command::new("setpriv")
                .args(["--reuid=65534", "--regid=65534", "--clear-groups"])
                .arg(lab.program("vf_provision"))
                .arg(name(device))
                .output()
                .expect("run setpriv");
            assert_eq!(output.status.code(), Some(1));
            let said = errors(&output);
            assert!(
                said.contains("EPERM") && said.contains("CAP_NET_ADMIN"),
                "{said}"
            );
            assert_eq!(pf(&name(device)).snapshot().expect("look").num_vfs, 0);
        });
    }

    #[test]
    fn from_another_namespace_a_pf_is_found_and_not_configured() {
        with_device(|lab, device| {
            lab.sh("ip netns add elsewhere");
            let output = Command::new("ip")
                .args(["netns", "exec", "elsewhere"])
                .arg(lab.program("vf_provision"))
                .arg(name(device))
                .output()
                .expect("run ip");
            lab.sh("ip netns del elsewhere");
            assert_eq!(output.status.code(), Some(1));
            let said = errors(&output);
            assert!(
                said.contains("no network device in this network namespace"),
                "{said}"
            );
            assert_eq!(pf(&name(device)).snapshot().expect("look").num_vfs, 0);
        });
    }
}

mod igb {
    use super::*;

    fn with_pf(body: impl FnOnce(&Lab, &IgbPf, &Pf)) {
        gate(|lab| {
            let igb = lab.igb();
            let device = &igb.pfs()[0];
            body(lab, device, &pf(&device.pci));
        });
    }

    #[test]
    fn is_found_by_each_of_its_names() {
        gate(|lab| {
            let igb = lab.igb();
            for device in igb.pfs() {
                let address = lab.sh(&format!("cat /sys/class/net/{}/address", device.netdev));
                for selector in [&device.pci, &device.netdev, address.trim()] {
                    assert_eq!(pf(selector).id().to_string(), device.pci, "{selector}");
                }
                let state = pf(&device.pci).snapshot().expect("look");
                assert_eq!(state.driver.as_deref(), Some("igb"));
                assert_eq!((state.total_vfs, state.num_vfs), (Some(7), 0));
            }
            let all = host().pfs().expect("list the PFs");
            for device in igb.pfs() {
                assert!(all.iter().any(|pf| pf.id().to_string() == device.pci));
            }
        });
    }

    #[test]
    fn vfs_are_created_configured_and_shown_alike_by_ip() {
        with_pf(|lab, device, pf| {
            pf.bring_up().expect("bring the PF up");
            create(pf, 3);
            pf.configure_vfs(&specs(3)).expect("configure the VFs");
            let state = pf.snapshot().expect("look");
            assert_eq!(state.num_vfs, 3);
            assert!(state.netdev.as_ref().is_some_and(|netdev| netdev.up));
            assert_as_specified(&state);
            assert_ip_agrees(lab, &device.netdev, 3);
            for vf in &state.vfs {
                let function = vf.pci.expect("a VF has a function");
                let link = device.sysfs().join(format!("virtfn{}", vf.index));
                let target = std::fs::read_link(link).expect("the VF's link");
                assert!(target.ends_with(function.to_string()));
                assert_eq!(vf.driver.as_deref(), Some("igbvf"));
                // igb has nothing to say about these.
                let config = vf.config.expect("the VF is reported");
                assert_eq!((config.spoof_check, config.rss_query), (Some(true), None));
                assert_eq!(config.trust, Some(false));
            }
        });
    }

    #[test]
    fn an_assigned_address_is_used_from_the_next_probe_on() {
        with_pf(|lab, _, pf| {
            pf.bring_up().expect("bring the PF up");
            create(pf, 1);
            pf.configure_vfs(&specs(1)).expect("configure the VF");
            let in_use = || match &pf.snapshot().expect("look").vfs[0].netdev {
                VfNetdev::Here(netdev) => netdev.mac,
                other => panic!("{other:?}"),
            };
            let assigned = Some(mac(VfIndex::new(0)));
            assert_ne!(in_use(), assigned);
            let function = pf.snapshot().expect("look").vfs[0].pci.expect("a function");
            let driver = "/sys/bus/pci/drivers/igbvf";
            lab.sh(&format!("echo {function} > {driver}/unbind"));
            let state = pf.snapshot().expect("look");
            assert_eq!(
                (&state.vfs[0].driver, &state.vfs[0].netdev),
                (&None, &VfNetdev::Absent)
            );
            lab.sh(&format!("echo {function} > {driver}/bind"));
            assert_eq!(in_use(), assigned);
        });
    }

    #[test]
    fn a_vf_in_another_namespace_is_seen_to_be_elsewhere() {
        with_pf(|lab, _, pf| {
            create(pf, 1);
            let VfNetdev::Here(netdev) = pf.snapshot().expect("look").vfs[0].netdev.clone() else {
                panic!("the VF has a network device");
            };
            lab.sh(&format!(
                "ip netns add elsewhere && ip link set {} netns elsewhere",
                netdev.name
            ));
            let seen = pf.snapshot().expect("look").vfs[0].netdev.clone();
            lab.sh(&format!("ip -n elsewhere link set {} netns 1", netdev.name));
            lab.sh("ip netns del elsewhere");
            assert_eq!(seen, VfNetdev::ElsewhereOrProbing);
        });
    }

    #[test]
    fn too_many_are_refused_before_anything_is_written() {
        with_pf(|_, _, pf| {
            let error = pf.create_vfs(count(8)).expect_err("igb has 7");
            assert!(
                matches!(error, Error::TooManyVfs { total: 7, .. }),
                "{error}"
            );
            assert_eq!(pf.snapshot().expect("look").num_vfs, 0);
        });
    }

    #[test]
    fn existing_vfs_are_not_touched() {
        with_pf(|_, _, pf| {
            create(pf, 2);
            pf.configure_vfs(&specs(2)).expect("configure the VFs");
            for n in [1, 2, 3] {
                let error = pf.create_vfs(count(n)).expect_err("there are VFs");
                assert!(
                    matches!(error, Error::VfsExist { existing: 2, .. }),
                    "{error}"
                );
            }
            assert_as_specified(&pf.snapshot().expect("look"));
        });
    }

    #[test]
    fn a_vf_there_is_not_stops_everything_before_it_starts() {
        with_pf(|_, _, pf| {
            create(pf, 1);
            let error = pf.configure_vfs(&specs(2)).expect_err("there is one");
            assert!(
                matches!(error, Error::NoSuchVf { existing: 1, .. }),
                "{error}"
            );
            let state = pf.snapshot().expect("look");
            assert_ne!(config(&state, 0).mac, VfMac::Set(mac(VfIndex::new(0))));
        });
    }

    #[test]
    fn a_service_tag_is_refused_and_what_came_before_it_stays() {
        with_pf(|_, _, pf| {
            create(pf, 1);
            let vf = VfIndex::new(0);
            let spec = VfSpec::new()
                .mac(mac(vf))
                .vlan(vlan(vf).proto(VlanProto::Dot1Ad));
            let error = pf
                .configure_vfs(&[(vf, spec)])
                .expect_err("igb has no 802.1ad");
            assert!(matches!(error, Error::Refused { .. }), "{error}");
            assert_eq!(
                (error.errno(), error.hint()),
                (Some(93), Some(Hint::Only8021Q))
            );
            let config = config(&pf.snapshot().expect("look"), 0);
            assert_eq!(
                (config.mac, config.vlan),
                (VfMac::Set(mac(vf)), VfVlan::Untagged)
            );
        });
    }

    #[test]
    fn a_pf_without_its_driver_says_what_is_missing() {
        with_pf(|lab, device, pf| {
            lab.sh(&format!(
                "echo {} > /sys/bus/pci/drivers/igb/unbind",
                device.pci
            ));
            let state = pf.snapshot().expect("look");
            let created = pf.create_vfs(count(2));
            let up = pf.bring_up();
            lab.sh(&format!(
                "echo {} > /sys/bus/pci/drivers/igb/bind",
                device.pci
            ));
            assert_eq!((state.driver, state.netdev, state.num_vfs), (None, None, 0));
            let error = created.expect_err("no driver");
            assert_eq!(
                (error.errno(), error.hint()),
                (Some(2), Some(Hint::NoSriovDriver))
            );
            assert!(matches!(up, Err(Error::NoNetdev { .. })), "{up:?}");
        });
    }

    #[test]
    fn what_is_no_pf_is_told_apart() {
        with_pf(|_, _, pf| {
            create(pf, 1);
            let function = pf.snapshot().expect("look").vfs[0].pci.expect("a function");
            let why = |selector: &str| match host().pf(&selector.parse().expect("a selector")) {
                Err(Error::NotAPf { reason, .. }) => Some(reason),
                Err(Error::NotFound { .. }) => None,
                other => panic!("{other:?}"),
            };
            assert_eq!(why(&function.to_string()), Some(NotAPf::IsVfOf(pf.id())));
            assert_eq!(why("0000:00:00.0"), Some(NotAPf::NoCapability));
            assert_eq!(why("lo"), Some(NotAPf::Virtual));
            assert_eq!(why("nosuch0"), None);
            assert_eq!(why("ffff:00:00.0"), None);
        });
    }

    #[test]
    fn the_example_shows_what_ip_shows() {
        with_pf(|lab, device, _| {
            let arguments = [
                "--num-vfs",
                "3",
                "--mac",
                "02:00:00:00:10:00",
                "--vlan",
                "100",
            ];
            let output = run(
                lab,
                "vf_provision",
                &[&[&*device.pci], &arguments[..]].concat(),
            );
            assert!(output.status.success(), "{}", errors(&output));
            let table = String::from_utf8_lossy(&output.stdout).into_owned();
            let shown = by_ip(lab, &device.netdev);
            assert_eq!(shown.len(), 3);
            for vf in shown {
                let address = vf["address"].as_str().expect("an address").to_owned();
                let row = format!("{address}   {}", vf["vlan_list"][0]["vlan"]);
                assert!(table.contains(&row), "{row}: {table}");
            }
        });
    }
}
