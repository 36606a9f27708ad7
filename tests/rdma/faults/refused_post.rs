//! A post that the provider refuses, although it has it.

use std::time::Instant;

use lab_tests::gate;
use netprims_rdma::{BatchRejected, Buf, Error, GidIndex, QpCap, Queue, Wr};

use super::peer::{Parent, Peer, device};
use super::{free, join_both};
use crate::{PATIENCE, PORT};

/// Soft-RoCE puts a request where the kernel finds it, and then rings the bell. When that fails, it says so, and nothing of
/// what was queued: the kernel does the work whenever it next looks. So nothing comes back but by a completion.
#[test]
fn requests_whose_bell_was_not_rung_come_back_once_and_by_completions() {
    const TEST: &str =
        "faults::refused_post::requests_whose_bell_was_not_rung_come_back_once_and_by_completions";
    if Parent::of(TEST).is_some() {
        return post_in_vain();
    }
    gate(|lab| {
        let rxe = lab.rxe();
        // Writes to the device's file are bells. The third one is not heard.
        let launcher = [
            "strace",
            "-f",
            "-qqq",
            "-o",
            "/dev/null",
            "-e",
            "trace=write",
            "-P",
            &uverbs(rxe.device()),
            "-e",
            "inject=write:error=EINVAL:when=3",
        ];
        Peer::start_under(lab, &launcher, TEST).finish();
    });
}

/// The file by which a device is used.
fn uverbs(device: &str) -> String {
    let folders = std::fs::read_dir("/sys/class/infiniband_verbs").unwrap();
    let mut folders = folders.flatten().map(|entry| entry.path());
    let is_its = |folder: &std::path::PathBuf| {
        let name = std::fs::read_to_string(folder.join("ibdev"));
        name.is_ok_and(|name| name.trim() == device)
    };
    let folder = folders.find(is_its).unwrap();
    let name = folder.file_name().unwrap().to_string_lossy().into_owned();
    format!("/dev/infiniband/{name}")
}

fn post_in_vain() {
    let context = device();
    let pd = context.alloc_pd().unwrap();
    let mut cq = context.create_cq(32).unwrap();
    let memory = pd.register_local(16, 64).unwrap();
    let cap = QpCap::new(8, 8);
    let new = || pd.create_rc(&cq, &cq, cap).unwrap().init(PORT).unwrap();
    let (a, b) = (new(), new());
    let index = GidIndex::try_from(1).unwrap();
    let (mut a, mut b) = join_both(&context, index, (a, b), |rts| rts);
    let buf = || -> Buf { memory.take().unwrap() };
    for token in 0..8 {
        b.post_recv(buf(), token).unwrap();
    }
    a.post_send(buf(), 1).unwrap();
    a.post(Wr::send(buf()).unsignalled(), 2).unwrap();
    let mut batch = a.batch();
    for token in 3..6 {
        batch.push(Wr::send(buf()), token).unwrap();
    }
    let BatchRejected {
        error,
        posted,
        rest,
        ..
    } = batch.post().unwrap_err();
    let Error::PostUncertain { source, .. } = &error else {
        panic!("{error}")
    };
    assert_eq!(source.raw_os_error(), Some(22));
    assert_eq!((posted, rest.len()), (3, 0));
    assert!(a.has_failed());
    let rejected = a.post_send(buf(), 6).unwrap_err();
    assert!(matches!(rejected.error, Error::QpFailed { .. }));
    drop(rejected);

    let mut told = Vec::new();
    let start = Instant::now();
    while a.in_flight(Queue::Send) > 0 {
        assert!(start.elapsed() < PATIENCE, "{told:?}");
        for mut completion in cq.poll().unwrap() {
            if a.owns(&completion) {
                while let Some(done) = a.complete(&mut completion).unwrap() {
                    told.push((done.token, done.status));
                }
            } else {
                assert!(b.complete(&mut completion).unwrap().is_some());
            }
        }
    }
    let tokens: Vec<u64> = told.iter().map(|(token, _)| *token).collect();
    assert_eq!(tokens, [1, 2, 3, 4, 5], "{told:?}");
    drop((a, b));
    assert_eq!(free(&memory), 16);
}
