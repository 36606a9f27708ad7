//! Messages for which there is no receive.

use std::time::{Duration, Instant};

use lab_tests::gate;
use netprims_rdma::{QpState, Queue, RtsAttr, WcStatus, Wr};
use rstest::rstest;

use super::join_both;
use crate::pair::{drain, index, open};
use crate::{DEPTH, PORT};

#[rstest]
#[case::at_once(0)]
#[case::after_two_more(2)]
fn a_message_is_given_up_after_as_many_retries_as_were_asked_for(#[case] retries: u8) {
    gate(|lab| {
        let rxe = lab.rxe();
        let context = open(&rxe);
        let pd = context.alloc_pd().unwrap();
        let mut cq = context.create_cq(64).unwrap();
        let memory = pd.register_local(4, 64).unwrap();
        let new = || pd.create_rc(&cq, &cq, DEPTH).unwrap().init(PORT).unwrap();
        let (a, b) = (new(), new());
        let patience = |rts: RtsAttr| rts.rnr_retries(retries).retries(7);
        let (mut a, b) = join_both(&context, index(&rxe), (a, b), patience);
        a.post_send(memory.take().unwrap(), 1).unwrap();
        a.post_send(memory.take().unwrap(), 2).unwrap();
        let done = drain(&mut cq, &mut a);
        let told: Vec<_> = done.iter().map(|done| (done.token, done.status)).collect();
        assert_eq!(
            told,
            [(1, WcStatus::RnrRetryExceeded), (2, WcStatus::Flushed)]
        );
        assert!(a.has_failed());
        // It is the sender's failure alone.
        assert!(!b.has_failed() && b.query().unwrap().state == QpState::Rts);
    });
}

#[test]
fn a_message_waits_for_its_receive_for_as_long_as_it_takes() {
    gate(|lab| {
        let rxe = lab.rxe();
        let context = open(&rxe);
        let pd = context.alloc_pd().unwrap();
        let mut cq = context.create_cq(64).unwrap();
        let memory = pd.register_local(8, 64).unwrap();
        let new = || pd.create_rc(&cq, &cq, DEPTH).unwrap().init(PORT).unwrap();
        let (a, b) = (new(), new());
        let patience = |rts: RtsAttr| rts.rnr_retries(7).retries(7);
        let (mut a, mut b) = join_both(&context, index(&rxe), (a, b), patience);
        for token in 0..3 {
            let mut message = memory.take().unwrap();
            message.fill(0x30 + u8::try_from(token).unwrap());
            a.post_send(message, token).unwrap();
        }
        // Longer than seven retries of 0.64 ms.
        let start = Instant::now();
        while start.elapsed() < Duration::from_millis(200) {
            assert_eq!(cq.poll().unwrap().len(), 0);
        }
        for token in 0..3 {
            b.post_recv(memory.take().unwrap(), token).unwrap();
        }
        let mut messages = Vec::new();
        while messages.len() < 3 || a.in_flight(Queue::Send) > 0 {
            assert!(start.elapsed() < crate::PATIENCE, "{messages:?}");
            for mut completion in cq.poll().unwrap() {
                if a.owns(&completion) {
                    while let Some(done) = a.complete(&mut completion).unwrap() {
                        done.check().unwrap();
                    }
                } else if let Some(done) = b.complete(&mut completion).unwrap() {
                    done.check().unwrap();
                    messages.push((done.token, done.message().to_vec()));
                }
            }
        }
        let wanted: Vec<_> = (0..3_u8)
            .map(|n| (u64::from(n), vec![0x30 + n; 64]))
            .collect();
        assert_eq!(messages, wanted);
    });
}

/// Nobody waits on an unreliable queue pair: the message is lost, and the next one is not.
#[test]
fn an_unreliable_message_without_a_receive_is_lost_without_a_word() {
    gate(|lab| {
        let rxe = lab.rxe();
        let context = open(&rxe);
        let pd = context.alloc_pd().unwrap();
        let mut cqs = [(); 2].map(|()| context.create_cq(64).unwrap());
        let memory = pd.register_local(8, 64).unwrap();
        let [a, b] = [0, 1].map(|n| {
            let qp = pd.create_uc(&cqs[n], &cqs[n], DEPTH).unwrap();
            qp.init(PORT).unwrap()
        });
        let (mut a, mut b) = join_both(&context, index(&rxe), (a, b), |rts| rts);
        a.post(Wr::send_imm(memory.take().unwrap(), 1), 1).unwrap();
        let sent = drain(&mut cqs[0], &mut a);
        assert_eq!(sent[0].status, WcStatus::Success);
        // Until the device has dropped it, a receive would still be its.
        std::thread::sleep(Duration::from_millis(200));
        b.post_recv(memory.take().unwrap(), 7).unwrap();
        a.post(Wr::send_imm(memory.take().unwrap(), 2), 2).unwrap();
        assert_eq!(drain(&mut cqs[0], &mut a)[0].status, WcStatus::Success);
        let received = drain(&mut cqs[1], &mut b);
        assert_eq!(
            (received[0].status, received[0].imm()),
            (WcStatus::Success, Some(2))
        );
    });
}
