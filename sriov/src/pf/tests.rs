//! The PF against a kernel of our own: its sysfs in a folder, its netlink in memory.

use std::io;
use std::sync::mpsc;
use std::time::Duration;

use rstest::rstest;

use super::*;
use crate::config::{LinkState, VfMac, VfVlan};
use crate::error::NotAPf;
use crate::hint::Hint;
use crate::netlink::fake::{Answer, FakeKernel, FakeLink, FakeState, FakeVf};
use crate::pci::PciAddress;
use crate::selector::PfSelector;
use crate::spec::VfSpec;
use crate::sysfs::fake::FakeSysfs;
use crate::vf::{VfCount, VfIndex, VfNetdev};

const PF: &str = "0000:01:00.0";
const IFINDEX: u32 = 5;

struct Machine {
    sysfs: FakeSysfs,
    kernel: FakeKernel,
}

impl Machine {
    /// One PF on PCI with 7 VFs to be had, called eth0.
    fn new() -> Self {
        let machine = Self {
            sysfs: FakeSysfs::new(),
            kernel: FakeKernel::default(),
        };
        machine.sysfs.function(PF, Some("7\n"));
        machine.kernel.add(
            FakeLink::new(IFINDEX, "eth0")
                .parent("pci", PF)
                .mac([2, 0, 0, 0, 9, 9]),
        );
        machine
    }

    /// The same with VFs.
    fn with_vfs(count: u16) -> Self {
        let machine = Self::new();
        make_vfs(&machine.sysfs, count);
        machine.state().links[0].vfs = vec![FakeVf::default(); count.into()];
        machine
    }

    fn state(&self) -> std::sync::MutexGuard<'_, FakeState> {
        self.kernel.state()
    }

    fn host(&self) -> Host {
        let patience = Duration::from_millis(50);
        Host::assemble(self.sysfs.tree(), self.kernel.session(), patience)
    }

    fn find(&self, selector: &str) -> Result<Pf, Error> {
        self.host().pf(&selector.parse().unwrap())
    }

    fn pf(&self) -> Pf {
        self.find(PF).unwrap()
    }
}

fn function(index: u16) -> String {
    format!("0000:01:10.{index}")
}

fn make_vfs(sysfs: &FakeSysfs, count: u16) {
    for index in 0..count {
        sysfs.vf(PF, index, &function(index));
    }
}

fn count(n: u16) -> VfCount {
    VfCount::new(n).unwrap()
}

fn spec(index: u16, mac: &str, vlan: &str) -> (VfIndex, VfSpec) {
    let spec = VfSpec::new().mac(mac.parse().unwrap());
    (
        VfIndex::new(index),
        match vlan {
            "" => spec,
            "none" => spec.untagged(),
            vlan => spec.vlan(vlan.parse().unwrap()),
        },
    )
}

mod finding {
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
}

mod looking {
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
}

mod creating {
    use super::*;

    fn works(sysfs: &FakeSysfs, number: &str) -> io::Result<()> {
        make_vfs(sysfs, number.parse().unwrap());
        Ok(())
    }

    #[test]
    fn writes_the_number_once_and_the_vfs_are_there() {
        let machine = Machine::new();
        machine.sysfs.drive(works);
        machine.pf().create_vfs(count(4)).unwrap();
        assert_eq!(machine.sysfs.writes(), ["4"]);
        assert_eq!(machine.pf().snapshot().unwrap().num_vfs, 4);
    }

    #[test]
    fn too_many_are_refused_before_anything_is_written() {
        let machine = Machine::new();
        match machine.pf().create_vfs(count(8)) {
            Err(Error::TooManyVfs { wanted, total, .. }) => {
                assert_eq!((wanted.value(), total), (8, 7));
            }
            other => panic!("{other:?}"),
        }
        assert!(machine.sysfs.writes().is_empty());
    }

    #[rstest]
    #[case(2)]
    #[case(3)]
    #[case(4)]
    fn existing_vfs_are_never_touched(#[case] wanted: u16) {
        let machine = Machine::with_vfs(3);
        match machine.pf().create_vfs(count(wanted)) {
            Err(Error::VfsExist { existing, .. }) => assert_eq!(existing, 3),
            other => panic!("{other:?}"),
        }
        assert!(machine.sysfs.writes().is_empty());
    }

    #[rstest]
    #[case(28, Hint::MsixExhausted)]
    #[case(5, Hint::FirmwareMisreports)]
    #[case(2, Hint::NoSriovDriver)]
    #[case(16, Hint::VfsExistOrResetting)]
    #[case(30, Hint::SysfsReadOnly)]
    fn a_refused_write_names_file_errno_and_hint(#[case] errno: i32, #[case] hint: Hint) {
        let machine = Machine::new();
        machine
            .sysfs
            .drive(move |_, _| Err(io::Error::from_raw_os_error(errno)));
        let error = machine.pf().create_vfs(count(4)).unwrap_err();
        assert_eq!((error.errno(), error.hint()), (Some(errno), Some(hint)));
        assert!(error.to_string().contains("sriov_numvfs"), "{error}");
    }

    #[test]
    fn success_without_effect_is_an_error() {
        let machine = Machine::new();
        machine.sysfs.drive(|_, _| Ok(()));
        match machine.pf().create_vfs(count(4)) {
            Err(Error::VfsMissing {
                created: 0, hint, ..
            }) => {
                assert_eq!(hint, Some(Hint::PfDown));
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn fewer_than_asked_for_is_an_error_and_they_stay() {
        let machine = Machine::new();
        machine.sysfs.drive(|sysfs, _| works(sysfs, "3"));
        match machine.pf().create_vfs(count(4)) {
            Err(Error::VfsMissing { created, .. }) => assert_eq!(created, 3),
            other => panic!("{other:?}"),
        }
        assert_eq!(machine.sysfs.writes(), ["4"]);
        assert_eq!(machine.pf().snapshot().unwrap().num_vfs, 3);
    }

    #[test]
    fn waits_for_functions_that_come_late() {
        let machine = Machine::new();
        machine.sysfs.drive(|sysfs, number| {
            let (sysfs, number) = (sysfs.clone(), number.to_owned());
            std::thread::spawn(move || {
                std::thread::sleep(Duration::from_millis(10));
                works(&sysfs, &number)
            });
            Ok(())
        });
        machine.pf().create_vfs(count(2)).unwrap();
    }

    #[test]
    fn a_function_that_is_linked_but_not_on_its_bus_does_not_count() {
        let machine = Machine::new();
        machine.sysfs.drive(|sysfs, _| {
            works(sysfs, "1")?;
            sysfs.link(PF, "virtfn1", &function(1));
            Ok(())
        });
        match machine.pf().create_vfs(count(2)) {
            Err(Error::VfsMissing { created, .. }) => assert_eq!(created, 1),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_write_that_never_returns_is_given_up() {
        let machine = Machine::new();
        let (release, stuck) = mpsc::channel::<()>();
        machine.sysfs.drive(move |_, _| {
            let _ = stuck.recv();
            Ok(())
        });
        let error = machine.pf().create_vfs(count(4)).unwrap_err();
        assert!(matches!(error, Error::Timeout { .. }), "{error}");
        assert_eq!(error.hint(), Some(Hint::StuckWriter));
        drop(release);
    }

    #[test]
    fn a_simulated_device_has_no_total_and_its_own_limit() {
        let machine = Machine::new();
        machine.sysfs.netdevsim(7, "0\n");
        machine
            .sysfs
            .drive(|_, _| Err(io::Error::from_raw_os_error(12)));
        let error = machine
            .find("netdevsim7")
            .unwrap()
            .create_vfs(count(5))
            .unwrap_err();
        assert_eq!(error.hint(), Some(Hint::NetdevsimLimit));
    }
}

mod configuring {
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
}

#[test]
fn a_pf_and_its_host_can_go_to_other_threads() {
    fn shared<T: Send + Sync + 'static>() {}
    shared::<Pf>();
    shared::<PciAddress>();
}
