//! QEMU's igb: real PCI functions.

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
