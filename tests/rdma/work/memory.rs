//! Memory of every kind.

use std::os::fd::AsFd;

use netprims_rdma::{BufList, Error, HugePage, PagePlan};

use super::*;

#[test]
fn messages_go_between_vectors_which_come_back() {
    gate(|lab| {
        let rxe = lab.rxe();
        let (mut a, mut b) = sides(&rxe, manners()[1], reliable);
        let sent: Vec<u8> = pattern(3).take(5000).collect();
        let from = a.qp.pd().registration().local_owned(sent, 5000).unwrap();
        let pd = b.qp.pd();
        let to = pd.registration().relaxed_ordering();
        let to = to.local_owned(vec![0xff; 6000], 2500).unwrap();
        let bufs: BufList = [to.take().unwrap(), to.take().unwrap()]
            .into_iter()
            .collect();
        b.post_recv(bufs, 1);
        a.qp.post(Wr::send(from.take().unwrap()), 1).unwrap();
        well(&a.wait(1), "sent");
        let received = b.wait(1);
        well(&received, "received");
        let failed = to.into_owner().unwrap_err();
        assert!(matches!(failed.error, Error::MemoryInUse { holders: 2 }));
        drop(received);
        let received = failed.region.unwrap().into_owner().unwrap();
        assert!(is_pattern(&received[..5000], 3));
        assert_eq!(received[5000..], [0xff; 1000], "what no buffer had");
        assert!(is_pattern(&from.into_owner().unwrap(), 3));
    });
}

#[test]
fn a_vector_is_the_peers_until_it_comes_back() {
    gate(|lab| {
        let rxe = lab.rxe();
        let (mut a, b) = sides(&rxe, manners()[1], reliable);
        let pd = b.qp.pd();
        let memory = pd.registration();
        let memory = memory.exposed_owned(vec![7_u64; 64], RemoteAccess::ALL);
        let memory = memory.unwrap();
        let there = memory.remote();
        let part = there.slice(8..108).unwrap();
        a.qp.post(Wr::write(a.filled(100, 9), part), 1).unwrap();
        well(&a.wait(1), "written");
        let words = memory.into_owner().unwrap();
        let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_ne_bytes()).collect();
        assert!(is_pattern(&bytes[8..108], 9));
        assert_eq!((words[0], words[14]), (7, 7));
        a.qp.post(Wr::write(a.filled(100, 8), part), 2).unwrap();
        assert_eq!(a.wait(1)[0].status, WcStatus::RemoteAccess);
        assert_eq!(words[0], 7);
    });
}

/// The huge pages of 2 MiB that the administrator has reserved, put back on drop.
struct Reserved(String);

impl Reserved {
    const FILE: &str = "/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages";

    fn pages(count: u32) -> Self {
        let before = std::fs::read_to_string(Self::FILE).unwrap();
        std::fs::write(Self::FILE, count.to_string()).unwrap();
        let reserved = std::fs::read_to_string(Self::FILE).unwrap();
        assert_eq!(
            reserved.trim(),
            count.to_string(),
            "the guest has the memory"
        );
        Reserved(before)
    }
}

impl Drop for Reserved {
    fn drop(&mut self) {
        let _ = std::fs::write(Self::FILE, &self.0);
    }
}

#[test]
fn huge_pages_are_registered_where_there_are_enough_and_named_where_not() {
    gate(|lab| {
        let rxe = lab.rxe();
        let _reserved = Reserved::pages(2);
        let (mut a, mut b) = sides(&rxe, manners()[1], reliable);
        let pd = b.qp.pd();
        let required = pd.registration().pages(PagePlan::Require(HugePage::Size2M));
        let memory = required.local(300, 8192).unwrap();
        assert_eq!(memory.huge_pages(), Some(HugePage::Size2M));
        b.post_recv(memory.take().unwrap(), 1);
        a.qp.post(Wr::send(a.filled(5000, 4)), 1).unwrap();
        well(&a.wait(1), "sent");
        assert!(is_pattern(b.wait(1)[0].message(), 4));

        let text = required
            .exposed(1 << 20, RemoteAccess::ALL)
            .unwrap_err()
            .to_string();
        assert!(
            text.contains("1 huge pages of 2 MiB")
                && text.contains("0 are to be had; reserve 1 more"),
            "{text}"
        );
        let preferred = pd.registration().pages(PagePlan::Prefer(HugePage::Size1G));
        let other = preferred.exposed(1 << 20, RemoteAccess::ALL).unwrap();
        assert_eq!(other.huge_pages(), None);
    });
}

#[test]
fn soft_roce_takes_no_buffers_of_other_devices_and_says_so() {
    gate(|lab| {
        let rxe = lab.rxe();
        let pd = open(&rxe).alloc_pd().unwrap();
        let file = std::fs::File::open("/dev/null").unwrap();
        let registration = pd.registration();
        let refused = registration.dmabuf(file.as_fd(), 0..4096, RemoteAccess::ALL);
        let text = refused.unwrap_err().to_string();
        assert!(
            text.contains("no regions over buffers of other devices"),
            "{text}"
        );
    });
}

/// Since Linux 6.15 it can, but a message of a few packets then arrives with other bytes than it was sent with (seen on 7.2).
#[test]
fn the_paging_on_demand_of_soft_roce_is_refused_whether_the_kernel_has_it_or_not() {
    gate(|lab| {
        let rxe = lab.rxe();
        let pd = open(&rxe).alloc_pd().unwrap();
        let registration = pd.registration().on_demand();
        let error = registration.local(1, 8192).unwrap_err();
        assert!(matches!(error, Error::Unsupported { .. }), "{error}");
        let release = lab.release();
        let is_old = ["6.1.", "6.12."].iter().any(|old| release.starts_with(old));
        let reason = if is_old {
            "neither the device"
        } else {
            "other bytes"
        };
        let text = error.to_string();
        assert!(
            text.contains("no paging on demand") && text.contains(reason),
            "{text}"
        );
    });
}
