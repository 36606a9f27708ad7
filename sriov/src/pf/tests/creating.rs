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

#[test]
fn vfs_whose_links_are_gone_and_that_still_count_are_not_written_over() {
    let machine = Machine::new();
    machine.state().links[0].vfs = vec![FakeVf::default(); 2];
    match machine.pf().create_vfs(count(4)) {
        Err(Error::VfsExist { existing, .. }) => assert_eq!(existing, 2),
        other => panic!("{other:?}"),
    }
    assert!(machine.sysfs.writes().is_empty());
    let state = machine.pf().snapshot().unwrap();
    assert_eq!((state.num_vfs, state.vfs.len()), (2, 0));
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
