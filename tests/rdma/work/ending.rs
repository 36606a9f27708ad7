//! Receives in batches, and queue pairs that end with all their buffers back.

use netprims_rdma::{BufList, Returned};

use super::*;

/// None, one or three buffers.
fn bufs<T: QpType>(side: &Side<T>, token: u64) -> Bufs {
    match token % 3 {
        0 => Bufs::None,
        1 => side.memory.take().unwrap().into(),
        _ => {
            let list: BufList = (0..3).map(|_| side.memory.take().unwrap()).collect();
            list.into()
        }
    }
}

#[rstest]
#[case::of_its_own(1)]
#[case::of_a_shared_queue(5)]
fn a_batch_of_receives_takes_one_message_each(#[case] manner: usize) {
    gate(|lab| {
        let rxe = lab.rxe();
        let (mut a, mut b) = sides(&rxe, manners()[manner], reliable);
        for round in 0..lab.volume(5, 200_u8) {
            let all: Vec<_> = (0..8).map(|token| (bufs(&b, token), token)).collect();
            match &mut b.srq {
                Some(srq) => {
                    let mut batch = srq.recv_batch();
                    all.into_iter()
                        .for_each(|(bufs, token)| batch.push(bufs, token).unwrap());
                    batch.post().unwrap();
                }
                None => {
                    let mut batch = b.qp.recv_batch();
                    all.into_iter()
                        .for_each(|(bufs, token)| batch.push(bufs, token).unwrap());
                    batch.post().unwrap();
                }
            }
            for token in 0..8_u8 {
                let pieces = [0, 1, 3_u8][usize::from(token % 3)];
                let list: BufList = (0..pieces)
                    .map(|at| a.filled(4000, round ^ at ^ token))
                    .collect();
                a.qp.post(Wr::send_imm(list, u32::from(token)), u64::from(token))
                    .unwrap();
            }
            well(&a.wait(8), round);
            let received = b.wait(8);
            well(&received, round);
            for (token, done) in (0..8_u8).zip(received) {
                assert_eq!(
                    (done.token, done.imm()),
                    (u64::from(token), Some(u32::from(token)))
                );
                let bytes: Vec<u8> = done
                    .bufs
                    .as_slice()
                    .iter()
                    .flat_map(|buf| buf.to_vec())
                    .collect();
                let mut pieces = (0_u8..).zip(bytes.chunks(4000));
                assert_eq!(bytes.len(), [0, 4000, 12_000][usize::from(token % 3)]);
                assert!(
                    pieces.all(|(at, piece)| is_pattern(piece, round ^ at ^ token)),
                    "{round} {token}"
                );
            }
        }
    });
}

/// What is in flight, by queue and token.
fn sorted(all: impl Iterator<Item = (Queue, u64)>) -> Vec<(bool, u64)> {
    let mut all: Vec<_> = all
        .map(|(queue, token)| (queue == Queue::Recv, token))
        .collect();
    all.sort_unstable();
    all
}

/// Of a queue pair that works, one that the device has failed without a word so far, and one that
/// gets a receive after that, which completes only because the queue pair is stopped.
#[rstest]
#[case::working(false, false)]
#[case::failed(true, false)]
#[case::failed_with_a_late_receive(true, true)]
fn draining_brings_every_buffer_back_once(#[case] has_failed: bool, #[case] is_late: bool) {
    gate(|lab| {
        let rxe = lab.rxe();
        let (mut a, b) = sides(&rxe, manners()[1], reliable);
        let mut expected = Vec::new();
        for token in 0..4 {
            let buf = a.memory.take().unwrap();
            a.qp.post_recv(buf, token).unwrap();
            expected.push((Queue::Recv, token));
        }
        // Sends that find no receive, and wait.
        for token in 10..14 {
            a.qp.post(Wr::send(a.filled(100, 1)).unsignalled(), token)
                .unwrap();
            expected.push((Queue::Send, token));
        }
        if has_failed {
            let nowhere = RemoteSlice::new(0x1000, 100, RemoteKey::new(7));
            a.qp.post(Wr::write(a.filled(100, 1), nowhere), 14).unwrap();
            expected.push((Queue::Send, 14));
            drop(b);
            let start = std::time::Instant::now();
            while a.qp.query().unwrap().state != netprims_rdma::QpState::Err {
                assert!(start.elapsed() < PATIENCE);
            }
        }
        if is_late {
            let buf = a.memory.take().unwrap();
            a.qp.post_recv(buf, 5).unwrap();
            expected.push((Queue::Recv, 5));
        }
        let Side {
            mut cq,
            memory,
            qp,
            exposed,
            srq,
        } = a;
        let drained = qp.stop().unwrap().drain(&mut [&mut cq], PATIENCE, |_| ());
        drained.outcome.as_ref().unwrap();
        let done = drained.done.iter().map(|done| (done.queue, done.token));
        let returned = drained
            .returned
            .iter()
            .map(|Returned { queue, token, .. }| (*queue, *token));
        assert_eq!(returned.len(), 0);
        assert_eq!(sorted(done.chain(returned)), sorted(expected.into_iter()));
        drop((drained, exposed, srq));
        let free: Vec<Buf> = std::iter::from_fn(|| memory.take()).collect();
        assert_eq!(free.len(), 32);
    });
}
