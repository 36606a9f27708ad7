use super::*;
use crate::sys::datagrams::no_offload;
use rstest::rstest;
use std::net::UdpSocket;
use std::time::Duration;

fn pair() -> (UdpSocket, UdpSocket) {
    let far = UdpSocket::bind("127.0.0.1:0").unwrap();
    let near = UdpSocket::bind("127.0.0.1:0").unwrap();
    near.connect(far.local_addr().unwrap()).unwrap();
    far.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    (near, far)
}

#[rstest]
fn a_path_that_has_no_offload_gets_every_datagram_once_and_in_order(
    #[values(1, 2, 3, 5, 64)] capacity: usize,
) {
    let (near, far) = pair();
    let text: Vec<u8> = (0..100).collect();
    let segmented = Outgoing::new(&text).segment(30);
    let plain = Outgoing::new(&text[..7]);
    let messages = [plain, plain, segmented, plain, segmented];
    let mut batch = SendBatch::new(capacity).unwrap();
    for round in 0..2 {
        let sent = no_offload::with(|| batch.send(&near, &messages)).unwrap();
        assert_eq!(
            (sent.messages(), sent.datagrams(), sent.bytes()),
            (5, 11, 221)
        );
        assert_eq!(sent.part(), 0, "round {round}");
        assert_eq!(batch.segmentation(), Segmentation::Batch);
        let cut: Vec<&[u8]> = text.chunks(30).collect();
        let seven = &text[..7];
        let want = [&[seven, seven], &cut[..], &[seven], &cut[..]].concat();
        for want in want {
            let mut got = [0; 128];
            let len = far.recv(&mut got).unwrap();
            assert_eq!(&got[..len], want);
        }
    }
    far.set_nonblocking(true).unwrap();
    far.recv(&mut [0; 8]).unwrap_err();
}

#[test]
fn the_kernel_cuts_again_when_it_is_told_to() {
    let (near, _far) = pair();
    let mut batch = SendBatch::new(4).unwrap();
    let messages = [Outgoing::new(&[1; 100]).segment(30)];
    let sent = no_offload::with(|| batch.send(&near, &messages)).unwrap();
    assert_eq!(
        (sent.datagrams(), batch.segmentation()),
        (4, Segmentation::Batch)
    );
    batch.set_segmentation(Segmentation::Kernel);
    let sent = batch.send(&near, &messages).unwrap();
    assert_eq!((sent.datagrams(), sent.calls()), (4, 1));
    assert_eq!(batch.segmentation(), Segmentation::Kernel);
}

#[test]
fn messages_that_change_between_walks_harm_nobody() {
    // A walk that is cloned goes on with other messages than it began with.
    #[derive(Default)]
    struct Fickle(usize);
    impl Clone for Fickle {
        fn clone(&self) -> Self {
            Self(self.0 + 1)
        }
    }
    impl Iterator for Fickle {
        type Item = Outgoing<'static>;
        fn next(&mut self) -> Option<Outgoing<'static>> {
            self.0 += 1;
            let len = 1000_usize.checked_sub(self.0 * 100)?;
            Some(Outgoing::new(&[1; 1000][..len]).segment(90))
        }
    }
    let (near, _far) = pair();
    let mut batch = SendBatch::new(3).unwrap();
    let mut sent = Sent::default();
    sent.count(1, 990, false);
    let sent = no_offload::with(|| batch.resume(&near, Fickle::default(), sent)).unwrap();
    assert!(sent.messages() > 0);
}
