//! Streams from ring to ring. Between two virtio-net NICs a buffer stays in use long after its send's result is known:
//! TCP sends from the very pages, again if need be, until its peer has acknowledged them.

#![expect(clippy::unwrap_used, reason = "helpers of tests assert as tests do")]

#[path = "../../netprims/tests/host/zero_copy_receive.rs"]
mod answers;
#[path = "../../netprims/tests/host/mod.rs"]
mod host;
#[path = "../../netprims/tests/integrity/mod.rs"]
mod integrity;

use integrity::{Path, Way, through};
use lab_tests::gate;
use netprims::netns::NetNs;
use rstest::rstest;

/// Loopback and veth copy what they deliver.
#[rstest]
#[case::loopback(Path::loopback)]
#[case::veth(Path::veth)]
fn what_is_sent_arrives_whole_and_is_all_copied(#[case] path: fn() -> Path) {
    gate(|lab| {
        let volume = lab.volume(8 << 20, 256 << 20);
        let path = path();
        for way in Way::ALL {
            let outcome = through(path.connect(), way, volume);
            outcome.assert_whole(volume);
            assert_eq!(outcome.sent.copied, volume, "{outcome:?}");
        }
    });
}

#[test]
fn what_is_sent_over_virtio_net_arrives_whole_and_some_of_it_uncopied() {
    gate(|lab| {
        let volume = lab.volume(8 << 20, 512 << 20);
        let pair = lab.virtio_pair();
        let [near, far] =
            [pair.near(), pair.far()].map(|nic| NetNs::by_name(nic.namespace).unwrap());
        let path = Path::between(near, far, pair.far().address);
        for way in Way::ALL {
            let outcome = through(path.connect(), way, volume);
            outcome.assert_whole(volume);
            assert_eq!(outcome.sent.unknown, 0, "{}", lab.release());
            assert!(outcome.sent.zero_copied > 0, "{outcome:?}");
        }
    });
}
