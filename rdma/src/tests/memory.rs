//! Memory of every kind, registered and given back.

use std::os::fd::AsFd;

use super::*;
use crate::sys::defect::{self, Defect};
use crate::sys::fake::Extras;
use crate::{HugePage, Leaks, PagePlan, Pages, RemoteAccess, leaks};

/// Bits of `enum ibv_access_flags`.
const LOCAL_WRITE: i32 = 1;
const REMOTE_READ: i32 = 1 << 2;
const ON_DEMAND: i32 = 1 << 6;
const RELAXED_ORDERING: i32 = 1 << 20;

fn access(fake: &Fake) -> i32 {
    fake.state().regions.last().unwrap().access
}

#[test]
fn memory_of_the_programs_own_is_received_into_and_given_back() {
    let mut rig = Rig::new();
    let bytes: Vec<u8> = (0..=99).collect();
    let at = bytes.as_ptr();
    let memory = rig.pd.registration().local_owned(bytes, 30).unwrap();
    assert_eq!((memory.buffers(), memory.buffer_size()), (3, 30));
    assert_eq!(memory.huge_pages(), None);
    let (first, second) = (memory.take().unwrap(), memory.take().unwrap());
    assert_eq!((first[0], second[0]), (0, 30), "what the memory holds");
    let mut qp = rig.qp();
    qp.post_recv(second, 5).unwrap();
    let failed = memory.into_owner().unwrap_err();
    assert!(
        matches!(failed.error, Error::MemoryInUse { holders: 2 }),
        "{failed}"
    );
    let memory = failed.region.unwrap();
    rig.fake.complete(Queue::Recv, 0, 0xee);
    drop(rig.complete_all(&mut qp).unwrap());
    drop(first);
    let clone = (*memory).clone();
    let memory = memory.into_owner().unwrap_err().region.unwrap();
    drop(clone);
    let bytes = memory.into_owner().unwrap();
    assert_eq!(bytes.as_ptr(), at);
    assert_eq!(
        (bytes[29], bytes[30], bytes[59], bytes[60]),
        (29, 0xee, 0xee, 60)
    );
    let state = rig.fake.state();
    assert_eq!(state.regions.len(), 1, "the rig's alone");
}

#[test]
fn memory_dropped_with_a_receive_in_flight_outlives_it() {
    let rig = Rig::new();
    let memory = rig.pd.registration().local_owned(vec![1_u8; 64], 64);
    let memory = memory.unwrap();
    let mut qp = rig.qp();
    qp.post_recv(memory.take().unwrap(), 5).unwrap();
    drop(memory);
    let posted = rig.fake.posted(Queue::Recv)[0];
    rig.fake.write(posted, 7);
    assert_eq!(rig.fake.state().refused_dma, 0);
    drop(qp);
    assert_eq!(rig.fake.state().count("dereg_mr"), 1);
}

#[test]
fn memory_that_is_not_registered_comes_back() {
    let rig = Rig::new();
    let registration = rig.pd.registration();
    let failed = registration.local_owned(vec![3_u8; 10], 11).unwrap_err();
    assert!(matches!(failed.error, Error::OutOfRange { .. }), "{failed}");
    assert_eq!(failed.owner.unwrap(), [3; 10]);
    let failed = registration.local_owned(Vec::<u8>::new(), 1).unwrap_err();
    assert!(failed.owner.is_some());
    rig.fake.state().refuse_reg_mr = Some(libc::EFAULT);
    let failed = registration.local_owned(vec![3_u8; 10], 5).unwrap_err();
    assert!(
        failed
            .error
            .to_string()
            .starts_with("ibv_reg_mr of 10 bytes on fake0")
    );
    assert_eq!(failed.owner.unwrap(), [3; 10]);
    let words = vec![4_u64; 2].into_boxed_slice();
    let failed = registration
        .exposed_owned(words, RemoteAccess::ALL)
        .unwrap_err();
    assert_eq!(failed.owner.unwrap().len(), 2);
    let error = registration.local(1, 1).unwrap_err();
    assert!(error.to_string().contains("of 1 × 1 bytes"), "{error}");
}

#[test]
fn memory_that_the_device_refuses_to_let_go_of_is_not_given_back() {
    let Rig { fake, pd, .. } = Rig::new();
    let before = leaks();
    let local = pd.registration().local_owned(vec![3_u8; 10], 10).unwrap();
    let exposed = pd.registration();
    let exposed = exposed.exposed_owned(vec![3_u64; 2], RemoteAccess::ALL);
    fake.state().refuse_dereg_mr = true;
    let failed = local.into_owner().unwrap_err();
    assert!(failed.region.is_none());
    assert!(
        failed
            .error
            .to_string()
            .starts_with("ibv_dereg_mr of 10 bytes")
    );
    assert!(exposed.unwrap().into_owner().unwrap_err().region.is_none());
    let leaked = Leaks {
        regions: before.regions + 2,
        bytes: before.bytes + 26,
        ..before
    };
    assert_eq!(leaks(), leaked);
    assert_eq!(fake.state().regions.len(), 2, "still registered");
}

#[test]
fn exposed_memory_of_the_programs_own_is_words() {
    let rig = Rig::new();
    let registration = rig.pd.registration();
    let memory = registration.exposed_owned(vec![1_u64, 2, 3], RemoteAccess::READ);
    let memory = memory.unwrap();
    assert_eq!(access(&rig.fake), LOCAL_WRITE | REMOTE_READ);
    assert_eq!((memory.len(), memory.words().len()), (24, 3));
    memory.copy_in(8, &9_u64.to_ne_bytes()).unwrap();
    let mut qp = rig.qp();
    qp.post(Wr::send(memory.part(0..24).unwrap()), 1).unwrap();
    let failed = memory.into_owner().unwrap_err();
    assert!(failed.to_string().starts_with("1 buffers"), "{failed}");
    drop(qp);
    assert_eq!(failed.region.unwrap().into_owner().unwrap(), [1, 9, 3]);

    let failed = registration.exposed_owned(vec![0_u8; 12], RemoteAccess::ALL);
    let failed = failed.unwrap_err();
    assert!(
        matches!(failed.error, Error::NotWords { len: 12 }),
        "{failed}"
    );
    assert_eq!(failed.owner.unwrap().len(), 12);
}

#[test]
fn wishes_become_access_flags_and_give_no_rights() {
    let rig = Rig::new();
    let relaxed = rig.pd.registration().relaxed_ordering();
    let _local = relaxed.local(1, 1).unwrap();
    assert_eq!(access(&rig.fake), LOCAL_WRITE | RELAXED_ORDERING);
    let both = relaxed.on_demand();
    let _exposed = both.exposed(1, RemoteAccess::READ).unwrap();
    let wanted = LOCAL_WRITE | REMOTE_READ | RELAXED_ORDERING | ON_DEMAND;
    assert_eq!(access(&rig.fake), wanted);
    let _owned = both.local_owned(vec![0_u8], 1).unwrap();
    assert_eq!(
        access(&rig.fake),
        LOCAL_WRITE | RELAXED_ORDERING | ON_DEMAND
    );
}

#[test]
fn a_device_without_paging_on_demand_is_named_as_the_reason() {
    let rig = Rig::new();
    rig.fake.state().refuse_reg_mr = Some(libc::EINVAL);
    let error = rig.pd.registration().on_demand().local(1, 1).unwrap_err();
    assert!(matches!(error, Error::Unsupported { .. }), "{error}");
    assert!(
        error.to_string().contains("fake0 has no paging on demand"),
        "{error}"
    );
    let error = rig.pd.registration().local(1, 1).unwrap_err();
    assert!(!error.to_string().contains("demand"), "{error}");
}

#[test]
fn the_paging_of_soft_roce_is_refused_before_it_is_asked_for() {
    let rig = Rig::new();
    rig.fake.state().extras = Some(Extras {
        capabilities: 0,
        timestamp_mask: 0,
        core_clock_khz: 0,
    });
    rig.fake.state().pages_on_demand = true;
    let registration = rig.pd.registration().on_demand();
    drop(registration.local(1, 1).unwrap());
    rig.fake.state().vendor_id = 0xff_ffff;
    let before = rig.fake.state().count("reg_mr");
    let errors = [
        registration.local(1, 1).unwrap_err(),
        registration.exposed(1, RemoteAccess::ALL).unwrap_err(),
        registration.local_owned(vec![0_u8], 1).unwrap_err().into(),
        registration
            .exposed_owned(vec![0_u64], RemoteAccess::ALL)
            .unwrap_err()
            .into(),
    ];
    for error in errors {
        assert!(error.to_string().contains("other bytes"), "{error}");
    }
    assert_eq!(rig.fake.state().count("reg_mr"), before);
    drop(rig.pd.registration().local(1, 1).unwrap());
}

#[test]
fn pages_are_filled_first_and_come_back() {
    let rig = Rig::new();
    let mut pages = Pages::map(10_000, PagePlan::Prefer(HugePage::Size2M)).unwrap();
    pages[..4].copy_from_slice(b"page");
    let huge = pages.huge();
    let memory = rig.pd.registration().local_owned(pages, 4096).unwrap();
    assert_eq!((memory.buffers(), memory.huge_pages()), (2, huge));
    assert_eq!(&memory.take().unwrap()[..4], b"page");
    let pages = memory.into_owner().unwrap();
    assert_eq!((pages.len(), &pages[..4]), (10_000, &b"page"[..]));
}

#[test]
fn a_buffer_of_another_device_is_named_by_its_offsets() {
    let rig = Rig::new();
    let registration = rig.pd.registration().on_demand().relaxed_ordering();
    let file = std::fs::File::open("/dev/null").unwrap();
    let buffer = file.as_fd();
    let memory = registration.dmabuf(buffer, 4096..12_288, RemoteAccess::READ);
    let memory = memory.unwrap();
    drop(file);
    let wanted = LOCAL_WRITE | REMOTE_READ | RELAXED_ORDERING;
    assert_eq!(rig.fake.state().dmabuf, Some((4096, 8192, wanted)));
    let there = memory.remote();
    assert_eq!((there.addr(), there.len()), (4096, 8192));
    assert!(memory.part(0..8193).is_err());
    let mut qp = rig.qp();
    let part = memory.part(100..200).unwrap();
    qp.post(Wr::send(part), 1).unwrap();
    let posted = rig.fake.posted(Queue::Send)[0];
    let element = posted.pieces.iter().next().unwrap();
    assert_eq!((element.addr, element.length), (4196, 100));
    // The request keeps it.
    drop(memory);
    assert_eq!(rig.fake.state().count("dereg_mr"), 0);
    drop(qp);
    assert_eq!(rig.fake.state().count("dereg_mr"), 1);
}

#[test]
fn a_device_that_takes_no_other_devices_buffers_says_so() {
    let rig = Rig::new();
    let file = std::fs::File::open("/dev/null").unwrap();
    let registration = rig.pd.registration();
    rig.fake.state().refuse_reg_mr = Some(libc::EOPNOTSUPP);
    let error = registration.dmabuf(file.as_fd(), 0..8, RemoteAccess::ALL);
    let text = error.unwrap_err().to_string();
    assert!(
        text.contains("fake0 has no regions over buffers of other devices"),
        "{text}"
    );
    let error = registration.dmabuf(file.as_fd(), 8..8, RemoteAccess::ALL);
    assert!(matches!(error, Err(Error::OutOfRange { .. })));
}

/// A device that did not let go of memory may still write to it.
#[test]
fn memory_is_given_back_only_after_the_device_was_told_and_the_bug_is_noticed() {
    let refused = |bug| {
        defect::with(bug, || {
            let rig = Rig::new();
            let memory = rig.pd.registration().local_owned(vec![1_u8; 64], 64);
            rig.fake.state().refuse_dereg_mr = true;
            memory.unwrap().into_owner().is_err()
        })
    };
    assert!(refused(None));
    assert!(!refused(Some(Defect::GiveBackBeforeDeregistered)));
}
