//! What a ring sends without copying arrives as it was sent, whatever is done to its buffers once they are back, and
//! however it is received.
//!
//! Set `LAB_FULL` for the full volume, 8 GiB for each way of receiving. The lab sends over virtio-net as well.
#![cfg(feature = "ring")]
#![expect(clippy::unwrap_used, reason = "a test's way to fail")]

use integrity::{Path, Way, through};
use netns::{Fresh, in_fresh};

mod again;
#[path = "host/zero_copy_receive.rs"]
mod answers;
mod host;
mod integrity;
mod netns;

/// Of each path and each way.
fn volume() -> u64 {
    if std::env::var_os("LAB_FULL").is_some() {
        4 << 30
    } else {
        64 << 20
    }
}

fn is_whole_and_all_copied(path: &Path) {
    for way in Way::ALL {
        let outcome = through(path.connect(), way, volume());
        outcome.assert_whole(volume());
        assert_eq!(outcome.sent.copied, volume(), "{outcome:?}");
    }
}

#[test]
fn what_is_sent_over_loopback_arrives_whole_and_is_all_copied() {
    is_whole_and_all_copied(&Path::loopback());
}

#[test]
fn what_is_sent_over_veth_arrives_whole_and_is_all_copied() {
    let test = "what_is_sent_over_veth_arrives_whole_and_is_all_copied";
    in_fresh(Fresh::Network, test, || {
        is_whole_and_all_copied(&Path::veth());
    });
}
