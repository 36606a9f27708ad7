//! Completion queues that would be too small.

use lab_tests::gate;
use netprims_rdma::{Error, QpCap, Queue};

use super::join_both;
use crate::PORT;
use crate::pair::{index, open};

/// One that has no room left for a queue pair is refused it, and says how much there is.
#[test]
fn a_completion_queue_is_not_promised_twice() {
    gate(|lab| {
        let rxe = lab.rxe();
        let context = open(&rxe);
        let pd = context.alloc_pd().unwrap();
        let mut cq = context.create_cq(10).unwrap();
        let depth = QpCap::new(4, 4);
        let first = pd.create_rc(&cq, &cq, depth).unwrap();
        assert!(matches!(
            pd.create_rc(&cq, &cq, depth),
            Err(Error::CqFull {
                wanted: 4,
                free: 2,
                capacity: 10,
                ..
            })
        ));
        first.close().unwrap();
        assert_eq!(cq.poll().unwrap().len(), 0);
        pd.create_rc(&cq, &cq, depth).unwrap().close().unwrap();
    });
}

/// One whose every entry is promised takes every completion there can be, without a poll in between.
#[test]
fn a_completion_queue_that_is_promised_to_the_last_entry_loses_nothing() {
    gate(|lab| {
        let rxe = lab.rxe();
        let context = open(&rxe);
        let pd = context.alloc_pd().unwrap();
        let pairs = 5;
        let mut cq = context.create_cq(pairs * 2 * 7).unwrap();
        let memory = pd.register_local(pairs * 14, 64).unwrap();
        let cap = QpCap::new(3, 4);
        let index = index(&rxe);
        let mut qps = Vec::new();
        for _ in 0..pairs {
            let new = || pd.create_rc(&cq, &cq, cap).unwrap().init(PORT).unwrap();
            let (a, b) = join_both(&context, index, (new(), new()), |rts| rts);
            qps.extend([a, b]);
        }
        let full = pd.create_rc(&cq, &cq, QpCap::new(1, 0)).unwrap_err();
        assert!(matches!(full, Error::CqFull { free: 0, .. }), "{full}");
        for qp in &mut qps {
            for token in 0..4 {
                qp.post_recv(memory.take().unwrap(), token).unwrap();
            }
        }
        for qp in &mut qps {
            for token in 0..3 {
                qp.post_send(memory.take().unwrap(), token).unwrap();
            }
        }
        // What is left of the receives is flushed.
        let settled = std::time::Duration::from_millis(500);
        std::thread::sleep(settled);
        let mut qps: Vec<_> = qps.into_iter().map(|qp| qp.stop().unwrap()).collect();
        std::thread::sleep(settled);
        let mut count = 0;
        loop {
            let completions = cq.poll().unwrap();
            if completions.len() == 0 {
                break;
            }
            for mut completion in completions {
                let qp = qps.iter_mut().find(|qp| qp.owns(&completion)).unwrap();
                while qp.complete(&mut completion).unwrap().is_some() {
                    count += 1;
                }
            }
        }
        assert_eq!(count, 7 * qps.len());
        let left = |queue| qps.iter().map(|qp| qp.in_flight(queue)).sum::<u32>();
        assert_eq!((left(Queue::Send), left(Queue::Recv)), (0, 0));
    });
}

/// Neither their completions nor their room nor their names come in the way of later ones.
#[test]
fn completions_of_destroyed_queue_pairs_are_not_taken_for_those_of_new_ones() {
    gate(|lab| {
        let rxe = lab.rxe();
        let context = open(&rxe);
        let pd = context.alloc_pd().unwrap();
        let memory = pd.register_local(8, 64).unwrap();
        let mut cq = context.create_cq(8).unwrap();
        let depth = QpCap::new(1, 3);
        // Two queue pairs each: a hundred thousand in the full volume.
        for _ in 0..lab.volume(100, 50_000) {
            let new = || pd.create_rc(&cq, &cq, depth).unwrap().init(PORT).unwrap();
            let (mut old, mut new) = (new(), new());
            for token in 0..3 {
                old.post_recv(memory.take().unwrap(), token).unwrap();
                new.post_recv(memory.take().unwrap(), token).unwrap();
            }
            // Three completions that nobody polled.
            drop(old.stop().unwrap());
            for completion in cq.poll().unwrap() {
                assert!(!new.owns(&completion));
            }
            assert_eq!(new.in_flight(Queue::Recv), 3);
            drop(new);
            // Without this, the room of `new` would still be taken.
            assert_eq!(cq.poll().unwrap().len(), 0);
        }
    });
}
