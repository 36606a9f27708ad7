//! What a peer may not do.

use lab_tests::gate;
use netprims_rdma::{InitAttr, RemoteAccess, RemoteKey, RemoteSlice, WcStatus, Wr};
use rstest::rstest;

use crate::PORT;
use crate::pair::{connect, index};
use crate::work::{Manner, Parts, SIZE, reliable, sides, well};

/// A request for memory that is not there, and what it ends with.
#[rstest]
#[case::a_key_of_nothing(|there: RemoteSlice| RemoteSlice::new(there.addr(), 8, RemoteKey::new(0x0bad_0bad)))]
#[case::beyond_the_end(|there: RemoteSlice| RemoteSlice::new(there.addr() + u64::from(SIZE), 8, there.key()))]
#[case::before_the_beginning(|there: RemoteSlice| RemoteSlice::new(there.addr() - 8, 8, there.key()))]
fn memory_that_is_not_the_peers_to_give_is_refused_by_its_device(
    #[case] wrong: fn(RemoteSlice) -> RemoteSlice,
    #[values(false, true)] reads: bool,
) {
    gate(|lab| {
        let rxe = lab.rxe();
        let (mut a, b) = sides(&rxe, Manner::PLAIN, reliable);
        let there = wrong(b.exposed.remote());
        let buf = a.filled(8, 1);
        let wr = if reads {
            Wr::read(buf, there)
        } else {
            Wr::write(buf, there)
        };
        a.qp.post(wr, 1).unwrap();
        let done = a.wait(1);
        assert_eq!(done[0].status, WcStatus::RemoteAccess);
        assert!(a.qp.has_failed());
        assert!(done[0].bufs.as_slice()[0].len() == 8, "its buffer is back");
    });
}

#[test]
fn a_key_ends_with_its_memory() {
    gate(|lab| {
        let rxe = lab.rxe();
        let (mut a, b) = sides(&rxe, Manner::PLAIN, reliable);
        let memory = b.qp.pd().register_exposed(64, RemoteAccess::ALL).unwrap();
        let there = memory.remote();
        a.qp.post(Wr::write(a.filled(64, 1), there), 1).unwrap();
        well(&a.wait(1), "alive");
        drop(memory);
        a.qp.post(Wr::write(a.filled(64, 1), there), 2).unwrap();
        assert_eq!(a.wait(1)[0].status, WcStatus::RemoteAccess);
    });
}

/// Memory does what it was registered for, by queue pairs that allow it, and nothing else.
#[rstest]
#[case::memory(RemoteAccess::READ, RemoteAccess::ALL)]
#[case::queue_pair(RemoteAccess::ALL, RemoteAccess::READ)]
fn rights_that_were_not_given_are_refused(#[case] memory: RemoteAccess, #[case] qp: RemoteAccess) {
    gate(|lab| {
        let rxe = lab.rxe();
        let parts = [(); 2].map(|()| Parts::new(&rxe, Manner::PLAIN));
        let attr = InitAttr::new(PORT).access(qp);
        let qps = [0, 1].map(|n| reliable(&parts[n]).init_with(&attr).unwrap());
        let [first, second] = parts;
        let [a, b] = qps;
        let (a, b) = connect(&first.context, index(&rxe), a, b);
        let (mut a, b) = (first.finish(a), second.finish(b));
        let memory = b.qp.pd().register_exposed(64, memory).unwrap();
        a.qp.post(Wr::read(a.filled(64, 1), memory.remote()), 1)
            .unwrap();
        well(&a.wait(1), "read");
        a.qp.post(Wr::write(a.filled(64, 1), memory.remote()), 2)
            .unwrap();
        let status = a.wait(1)[0].status;
        // A queue pair that allows no writes takes one for a request that it does not know.
        let wanted = [WcStatus::RemoteAccess, WcStatus::RemoteInvalidRequest];
        assert!(wanted.contains(&status), "{status:?}");
        let mut bytes = [0; 64];
        memory.copy_out(0, &mut bytes).unwrap();
        assert_eq!(bytes, [0; 64]);
    });
}
