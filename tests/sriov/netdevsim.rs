//! The simulated device.

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
