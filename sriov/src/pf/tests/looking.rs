use super::*;

#[test]
fn shows_each_vf_with_function_driver_netdev_and_configuration() {
    let machine = Machine::with_vfs(3);
    machine
        .sysfs
        .link(PF, "driver", "../../bus/pci/drivers/igb");
    machine
        .sysfs
        .link(&function(0), "driver", "../../bus/pci/drivers/igbvf");
    machine.sysfs.net(&function(0), Some("eth5"));
    machine
        .kernel
        .add(FakeLink::new(9, "eth5").parent("pci", &function(0)));
    machine.sysfs.net(&function(1), None);
    {
        let vf = &mut machine.state().links[0].vfs[1];
        vf.vlan = (100, 3, 0x88a8);
        vf.trust = 1;
        vf.spoof_check = 0;
        vf.link_state = 2;
    }
    let state = machine.pf().snapshot().unwrap();
    assert_eq!(state.driver.as_deref(), Some("igb"));
    assert_eq!((state.total_vfs, state.num_vfs), (Some(7), 3));
    assert_eq!(state.netdev.unwrap().name, "eth0");

    let [first, second, third] = &state.vfs[..] else {
        panic!("{:?}", state.vfs);
    };
    assert_eq!(first.pci, Some(function(0).parse().unwrap()));
    assert_eq!(first.driver.as_deref(), Some("igbvf"));
    assert!(matches!(&first.netdev, VfNetdev::Here(netdev) if netdev.name == "eth5"));
    let config = first.config.unwrap();
    assert_eq!((config.mac, config.vlan), (VfMac::Unset, VfVlan::Untagged));
    assert_eq!(
        (config.trust, config.spoof_check, config.rss_query),
        (None, None, None)
    );

    assert_eq!(second.netdev, VfNetdev::ElsewhereOrProbing);
    let config = second.config.unwrap();
    assert_eq!(
        config.vlan,
        VfVlan::Tagged("100:3:802.1ad".parse().unwrap())
    );
    assert_eq!(
        (config.trust, config.spoof_check),
        (Some(true), Some(false))
    );
    assert_eq!(config.link_state, Some(LinkState::Down));

    assert_eq!(third.netdev, VfNetdev::Absent);
    assert_eq!(third.driver, None);
}

#[test]
fn never_reads_the_attribute_that_waits_for_its_writer() {
    let machine = Machine::with_vfs(3);
    machine.pf().snapshot().unwrap();
    let error = machine.pf().create_vfs(count(3)).unwrap_err();
    assert!(matches!(error, Error::VfsExist { .. }));
    assert!(!machine.sysfs.was_read("sriov_numvfs"));
}

#[test]
fn a_vf_the_kernel_leaves_out_has_no_configuration_and_shifts_no_other() {
    let machine = Machine::with_vfs(3);
    machine.state().links[0].vfs[1].omitted = 1;
    machine.state().links[0].vfs[2].vlan = (7, 0, 0x8100);
    let state = machine.pf().snapshot().unwrap();
    assert!(state.vfs[1].config.is_none());
    let last = state.vfs[2].config.unwrap();
    assert_eq!(last.vlan, VfVlan::Tagged("7".parse().unwrap()));
}

#[test]
fn without_a_netdev_the_functions_are_still_there() {
    let machine = Machine::with_vfs(2);
    machine.state().links.clear();
    let state = machine.pf().snapshot().unwrap();
    assert_eq!((state.num_vfs, state.netdev), (2, None));
    assert!(state.vfs.iter().all(|vf| vf.config.is_none()));
}

#[test]
fn a_simulated_vf_has_no_function() {
    let machine = Machine::new();
    machine.sysfs.netdevsim(7, "2\n");
    machine.kernel.add(
        FakeLink::new(8, "sim")
            .parent("netdevsim", "netdevsim7")
            .vfs(2),
    );
    let state = machine.find("sim").unwrap().snapshot().unwrap();
    assert_eq!((state.total_vfs, state.num_vfs), (None, 2));
    assert!(
        state
            .vfs
            .iter()
            .all(|vf| vf.pci.is_none() && vf.config.is_some())
    );

    machine.state().links.pop();
    let elsewhere = machine.find("netdevsim7").unwrap().snapshot().unwrap();
    assert_eq!(elsewhere.num_vfs, 2);
}

#[rstest]
#[case("")]
#[case("many\n")]
#[case("65536\n")]
fn a_number_that_is_none_is_an_error_that_quotes_it(#[case] value: &str) {
    let machine = Machine::new();
    machine.sysfs.attribute(PF, "sriov_totalvfs", value);
    match machine.pf().snapshot() {
        Err(Error::Malformed { value: quoted, .. }) => assert_eq!(quoted, value),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_function_link_to_nowhere_is_an_error_that_quotes_it() {
    let machine = Machine::new();
    machine.sysfs.link(PF, "virtfn0", "nonsense");
    let error = machine.pf().snapshot().unwrap_err();
    assert!(matches!(error, Error::Malformed { .. }), "{error}");
}
