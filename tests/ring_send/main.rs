//! The ring's zero-copy sends over a path on which a buffer stays in use long after its send's result is known: virtio-net
//! to virtio-net, where TCP sends from the very pages, again if need be, until its peer has acknowledged them.

#![expect(clippy::unwrap_used, reason = "helpers of tests assert as tests do")]

#[path = "../../netprims/tests/integrity/mod.rs"]
mod integrity;

use integrity::{connect, through};
use lab_tests::gate;
use netprims::netns::NetNs;

#[test]
fn what_is_sent_over_virtio_net_arrives_whole_and_some_of_it_uncopied() {
    gate(|lab| {
        let volume = lab.volume(32 << 20, 1 << 30);
        let pair = lab.virtio_pair();
        let namespace = |name| NetNs::by_name(name).unwrap();
        let near = namespace(pair.near().namespace);
        let far = namespace(pair.far().namespace);
        let ends = connect(&near, &far, pair.far().address);
        let outcome = through(ends, 3, volume);
        outcome.assert_whole(volume);
        assert_eq!(outcome.sent.unknown, 0, "{}", lab.release());
        assert!(outcome.sent.zero_copied > 0, "{outcome:?}");
    });
}
