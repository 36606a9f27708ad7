//! Queue pairs that end with work outstanding.

use lab_tests::gate;
use netprims_rdma::{
    BufList, Bufs, InitAttr, QpCap, QpState, Queue, RemoteAccess, RemoteKey, RemoteSlice, RtsAttr,
    WcStatus, Wr,
};
use rstest::rstest;

use super::{free, join_both};
use crate::PORT;
use crate::pair::{drain, index, open};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// The program stops the queue pair.
    Stopped,
    /// The device does, since the first request fails.
    Failed,
}

/// Sends, writes, reads and atomics, of buffers, lists, bytes and exposed memory, and as many receives: each comes back
/// once, with its memory.
#[rstest]
fn whatever_is_outstanding_comes_back_once(
    #[values(1, 7, 64)] count: u32,
    #[values(End::Stopped, End::Failed)] end: End,
) {
    gate(|lab| {
        let rxe = lab.rxe();
        let context = open(&rxe);
        let pd = context.alloc_pd().unwrap();
        let mut cq = context.create_cq(4 * count).unwrap();
        let memory = pd.register_local(8 * count, 256).unwrap();
        let exposed = pd.register_exposed(4096, RemoteAccess::ALL).unwrap();
        let cap = QpCap::new(count, count).pieces(2, 2).inline(16);
        let attr = InitAttr::new(PORT).access(RemoteAccess::ALL);
        let new = || pd.create_rc(&cq, &cq, cap).unwrap().init_with(&attr);
        let (a, b) = (new().unwrap(), new().unwrap());
        // It is to wait until it is stopped.
        let patience = |rts: RtsAttr| rts.retries(7);
        let (mut a, b) = join_both(&context, index(&rxe), (a, b), patience);
        let buf = || memory.take().unwrap();
        let list = || -> BufList { [buf(), buf()].into_iter().collect() };
        let there = exposed.remote();

        // The peer has no receive for the first one, and everything waits for it; or no such memory.
        let first = match end {
            End::Stopped => Wr::send(buf()),
            End::Failed => Wr::write(buf(), RemoteSlice::new(0, 256, RemoteKey::new(0x0bad_0bad))),
        };
        for token in 0..u64::from(count) {
            let bufs: Bufs = match token % 2 {
                0 => buf().into(),
                _ => list().into(),
            };
            a.post_recv(bufs, token).unwrap();
        }
        let mut batch = a.batch();
        batch.push(first, 1000).unwrap();
        for token in 1..u64::from(count) {
            let mut word = buf();
            word.set_len(8);
            let wr = match token % 7 {
                0 => Wr::write(buf(), there),
                1 => Wr::send(list()),
                2 => Wr::read(list(), there),
                3 => Wr::send_inline(b"carried"),
                4 => Wr::write(exposed.part(8..64).unwrap(), there),
                5 => Wr::fetch_add(word, there.word(0).unwrap(), 1),
                _ => Wr::send_imm(Bufs::None, 5),
            };
            let wr = if token % 3 == 0 { wr.unsignalled() } else { wr };
            batch.push(wr, 1000 + token).unwrap();
        }
        batch.post().unwrap();
        let done = match end {
            End::Stopped => {
                let mut a = a.stop().unwrap();
                assert_eq!(a.query().unwrap().state, QpState::Err);
                let done = drain(&mut cq, &mut a);
                a.close().unwrap();
                done
            }
            End::Failed => {
                let done = drain(&mut cq, &mut a);
                assert!(a.has_failed());
                let rejected = a.post_send(buf(), 0).unwrap_err();
                assert!(rejected.bufs.is_some(), "{rejected}");
                done
            }
        };
        let mut tokens: Vec<u64> = done.iter().map(|done| done.token).collect();
        tokens.sort_unstable();
        let wanted: Vec<u64> = (0..u64::from(count))
            .chain((0..u64::from(count)).map(|token| 1000 + token))
            .collect();
        assert_eq!(tokens, wanted);
        for one in &done {
            let wanted = match (one.token, one.queue, end) {
                (1000, Queue::Send, End::Failed) => WcStatus::RemoteAccess,
                _ => WcStatus::Flushed,
            };
            assert_eq!(one.status, wanted, "{one:?}");
        }
        drop((done, b));
        assert_eq!(free(&memory), usize::try_from(8 * count).unwrap());
    });
}
