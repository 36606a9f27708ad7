use super::*;

#[test]
fn sets_each_attribute_in_a_message_of_its_own_and_reads_it_back() {
    let machine = Machine::with_vfs(3);
    let vfs = [
        spec(0, "02:00:00:00:00:01", "100:3"),
        spec(2, "02:00:00:00:00:03", "200:0:802.1ad"),
    ];
    machine.pf().configure_vfs(&vfs).unwrap();
    assert_eq!(machine.state().set, [(0, 1), (0, 2), (2, 1), (2, 12)]);
    let state = machine.pf().snapshot().unwrap();
    let last = state.vfs[2].config.unwrap();
    assert_eq!(last.mac, VfMac::Set("02:00:00:00:00:03".parse().unwrap()));
    assert_eq!(last.vlan, VfVlan::Tagged("200:0:802.1ad".parse().unwrap()));
    assert_eq!(state.vfs[1].config.unwrap().mac, VfMac::Unset);
}

#[test]
fn takes_a_vf_out_of_its_vlan() {
    let machine = Machine::with_vfs(1);
    machine
        .pf()
        .configure_vfs(&[spec(0, "02:00:00:00:00:01", "100")])
        .unwrap();
    machine
        .pf()
        .configure_vfs(&[spec(0, "02:00:00:00:00:01", "none")])
        .unwrap();
    assert_eq!(machine.state().links[0].vfs[0].vlan.0, 0);
}

#[test]
fn what_is_not_said_is_not_sent() {
    let machine = Machine::with_vfs(1);
    let vfs = [(VfIndex::new(0), VfSpec::new())];
    machine.pf().configure_vfs(&vfs).unwrap();
    assert!(machine.state().set.is_empty());
}

#[test]
fn a_vf_the_pf_lacks_stops_everything_before_it_starts() {
    let machine = Machine::with_vfs(2);
    let vfs = [
        spec(0, "02:00:00:00:00:01", ""),
        spec(2, "02:00:00:00:00:03", ""),
    ];
    match machine.pf().configure_vfs(&vfs) {
        Err(Error::NoSuchVf { vf, existing, .. }) => {
            assert_eq!((vf.value(), existing), (2, 2));
        }
        other => panic!("{other:?}"),
    }
    assert!(machine.state().set.is_empty());
}

#[test]
fn a_vf_named_twice_stops_everything_before_it_starts() {
    let machine = Machine::with_vfs(2);
    let vfs = [
        spec(1, "02:00:00:00:00:01", ""),
        spec(1, "02:00:00:00:00:03", ""),
    ];
    let error = machine.pf().configure_vfs(&vfs).unwrap_err();
    assert!(matches!(error, Error::InvalidValue { .. }), "{error}");
    assert!(machine.state().set.is_empty());
}

#[test]
fn a_refusal_carries_attribute_errno_and_the_kernels_words() {
    let machine = Machine::with_vfs(2);
    machine.state().verdict = Some(Box::new(|vf, kind| match (vf, kind) {
        (1, 12) => Answer::Refused(93, "only the other one"),
        _ => Answer::Applied,
    }));
    let vfs = [
        spec(0, "02:00:00:00:00:01", "100"),
        spec(1, "02:00:00:00:00:02", "100:0:802.1ad"),
    ];
    match machine.pf().configure_vfs(&vfs) {
        Err(Error::Refused {
            vf,
            attribute,
            refusal,
            ..
        }) => {
            assert_eq!(vf.value(), 1);
            assert_eq!(attribute.to_string(), "VLAN 100:0:802.1ad");
            assert_eq!(refusal.errno, 93);
            assert_eq!(refusal.message.as_deref(), Some("only the other one"));
            assert_eq!(refusal.hint, Some(Hint::Only8021Q));
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(machine.state().set.len(), 4, "those before it were set");
}

#[rstest]
#[case(1, "MAC none")]
#[case(2, "VLAN none")]
fn success_without_effect_is_an_error(#[case] ignored: u16, #[case] shown: &str) {
    let machine = Machine::with_vfs(1);
    machine.state().verdict = Some(Box::new(move |_, kind| match kind {
        kind if kind == ignored => Answer::Ignored,
        _ => Answer::Applied,
    }));
    let vfs = [spec(0, "02:00:00:00:00:01", "100")];
    match machine.pf().configure_vfs(&vfs) {
        Err(Error::NotApplied { reported, .. }) => assert_eq!(reported, shown),
        other => panic!("{other:?}"),
    }
}

#[test]
fn waits_for_a_vf_that_resets_to_report_again() {
    let machine = Machine::with_vfs(1);
    // Left out of the list before, which only counts, and of two after.
    machine.state().links[0].vfs[0].omitted = 3;
    let vfs = [spec(0, "02:00:00:00:00:01", "100")];
    machine.pf().configure_vfs(&vfs).unwrap();
}

#[test]
fn gives_up_on_a_vf_that_never_reports() {
    let machine = Machine::with_vfs(1);
    machine.state().links[0].vfs[0].omitted = u32::MAX;
    let vfs = [spec(0, "02:00:00:00:00:01", "100")];
    let error = machine.pf().configure_vfs(&vfs).unwrap_err();
    assert!(matches!(error, Error::NotApplied { .. }), "{error}");
    assert_eq!(error.hint(), Some(Hint::VfNotReported));
}

#[test]
fn a_pf_without_a_netdev_cannot_be_configured_or_brought_up() {
    let machine = Machine::with_vfs(1);
    machine.state().links.clear();
    let vfs = [spec(0, "02:00:00:00:00:01", "")];
    for error in [
        machine.pf().configure_vfs(&vfs).unwrap_err(),
        machine.pf().bring_up().unwrap_err(),
    ] {
        assert!(matches!(error, Error::NoNetdev { .. }), "{error}");
    }
}

#[test]
fn bringing_up_touches_nothing_but_that_flag() {
    let machine = Machine::new();
    machine.state().links[0].flags = 0x1002;
    machine.pf().bring_up().unwrap();
    assert_eq!(machine.state().links[0].flags, 0x1003);
    assert!(machine.pf().snapshot().unwrap().netdev.unwrap().up);
}

#[test]
fn reads_and_sets_two_thousand_vfs() {
    let machine = Machine::new();
    machine.sysfs.netdevsim(7, "2000\n");
    machine.kernel.add(
        FakeLink::new(8, "sim")
            .parent("netdevsim", "netdevsim7")
            .vfs(2000),
    );
    let pf = machine.find("netdevsim7").unwrap();
    let base = "02:00:00:00:00:00".parse::<crate::MacAddr>().unwrap();
    let vfs: Vec<_> = count(2000)
        .indices()
        .map(|vf| {
            let mac = base.checked_add(u32::from(vf.value()) + 1).unwrap();
            (vf, VfSpec::new().mac(mac))
        })
        .collect();
    pf.configure_vfs(&vfs).unwrap();
    let state = pf.snapshot().unwrap();
    assert_eq!(state.vfs.len(), 2000);
    for vf in state.vfs {
        let mac = base.checked_add(u32::from(vf.index.value()) + 1).unwrap();
        assert_eq!(vf.config.unwrap().mac, VfMac::Set(mac));
    }
}
