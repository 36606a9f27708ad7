use super::*;

#[test]
fn finds_pfs_and_nothing_else_on_both_buses() {
    let machine = Machine::with_vfs(2);
    machine.sysfs.function("0000:00:1f.0", None);
    machine.sysfs.function("10000:e1:00.0", Some("0\n"));
    machine.sysfs.netdevsim(7, "0\n");
    let pfs = machine.host().pfs().unwrap();
    let names: Vec<_> = pfs.iter().map(|pf| pf.id().to_string()).collect();
    assert_eq!(names, [PF, "10000:e1:00.0", "netdevsim7"]);
}

#[rstest]
#[case("0000:01:00.0")]
#[case("01:00.0")]
#[case("eth0")]
#[case("02:00:00:00:09:09")]
fn finds_a_pf_by_each_of_its_names(#[case] selector: &str) {
    let pf = Machine::new().find(selector).unwrap();
    assert_eq!(pf.id().to_string(), PF);
}

#[rstest]
#[case("0000:01:00.1")]
#[case("eth1")]
#[case("02:00:00:00:09:08")]
#[case("netdevsim1")]
fn not_found_names_the_selector(#[case] selector: &str) {
    match Machine::new().find(selector) {
        Err(Error::NotFound { selector: named }) => assert_eq!(named.to_string(), selector),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_mac_of_two_pfs_is_ambiguous_unless_it_is_the_permanent_one_of_one() {
    let machine = Machine::new();
    let shared = [2, 0, 0, 0, 9, 9];
    machine.sysfs.function("0000:01:00.1", Some("7\n"));
    machine.kernel.add(
        FakeLink::new(6, "eth1")
            .parent("pci", "0000:01:00.1")
            .mac(shared)
            .permanent_mac([2, 0, 0, 0, 9, 8]),
    );
    // A bond over both has the address too, and is no PF.
    machine.kernel.add(FakeLink::new(7, "bond0").mac(shared));
    match machine.find("02:00:00:00:09:09") {
        Err(Error::Ambiguous { candidates, .. }) => assert_eq!(candidates.len(), 2),
        other => panic!("{other:?}"),
    }
    let own = machine.find("02:00:00:00:09:08").unwrap();
    assert_eq!(own.id().to_string(), "0000:01:00.1");
}

#[test]
fn says_why_a_device_is_no_pf() {
    let machine = Machine::with_vfs(1);
    machine.sysfs.function("0000:00:1f.0", None);
    machine.kernel.add(FakeLink::new(6, "veth0"));
    machine
        .kernel
        .add(FakeLink::new(7, "usb0").parent("usb", "1-1:1.0"));
    machine
        .kernel
        .add(FakeLink::new(8, "vf0").parent("pci", &function(0)));
    let reason = |selector: &str| match machine.find(selector) {
        Err(Error::NotAPf { reason, .. }) => reason,
        other => panic!("{other:?}"),
    };
    let pf = PfId::Pci(PF.parse().unwrap());
    assert_eq!(reason("0000:00:1f.0"), NotAPf::NoCapability);
    assert_eq!(reason("veth0"), NotAPf::Virtual);
    assert_eq!(reason("usb0"), NotAPf::Virtual);
    assert_eq!(reason("vf0"), NotAPf::IsVfOf(pf));
    assert_eq!(reason(&function(0)), NotAPf::IsVfOf(pf));
}

#[test]
fn a_selector_can_be_built_from_what_was_found() {
    let machine = Machine::new();
    let id = machine.pf().id();
    let again = machine.host().pf(&PfSelector::from(id)).unwrap();
    assert_eq!(again.id(), id);
}

#[test]
fn a_folder_that_is_no_sysfs_is_an_error_and_not_a_host_without_pfs() {
    let folder = tempfile::tempdir().unwrap();
    let error = Host::builder()
        .sysfs_root(folder.path())
        .open()
        .unwrap_err();
    assert!(matches!(error, Error::Sysfs { .. }), "{error}");
}
