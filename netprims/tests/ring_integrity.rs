//! Zero-copy sends of a ring arrive as they were sent, whatever is done to their buffers once they are back.
//!
//! Set `LAB_FULL` for the full volume, 8 GiB; what the lab sends over virtio-net comes on top of it.
#![cfg(feature = "ring")]
#![expect(clippy::unwrap_used, reason = "a test's way to fail")]

use std::net::Ipv4Addr;
use std::os::fd::AsRawFd;

use black_hole::ip;
use integrity::{connect, through};
use netns::{Fresh, in_fresh};
use netprims::netns::NetNs;

#[allow(dead_code, reason = "only its `ip` is used here")]
mod black_hole;
mod integrity;
mod netns;

/// Of each.
fn volume() -> u64 {
    if std::env::var_os("LAB_FULL").is_some() {
        4 << 30
    } else {
        64 << 20
    }
}

#[test]
fn what_is_sent_over_loopback_arrives_whole_and_is_all_copied() {
    let here = NetNs::current().unwrap();
    let ends = connect(&here, &here, Ipv4Addr::LOCALHOST);
    let outcome = through(ends, 1, volume());
    outcome.assert_whole(volume());
    assert_eq!(outcome.sent.copied, volume(), "{outcome:?}");
}

#[test]
fn what_is_sent_over_veth_arrives_whole_and_is_all_copied() {
    let test = "what_is_sent_over_veth_arrives_whole_and_is_all_copied";
    in_fresh(Fresh::Network, test, || {
        let here = NetNs::current().unwrap();
        let there = NetNs::fresh().unwrap();
        let place = format!("/proc/{}/fd/{}", std::process::id(), there.as_raw_fd());
        ip(&format!(
            "link add near type veth peer name far netns {place}"
        ));
        ip("addr add 10.8.0.1/24 dev near");
        ip("link set near up");
        there
            .run(|| {
                ip("addr add 10.8.0.2/24 dev far");
                ip("link set far up");
            })
            .unwrap();
        let ends = connect(&here, &there, Ipv4Addr::new(10, 8, 0, 2));
        let outcome = through(ends, 2, volume());
        outcome.assert_whole(volume());
        assert_eq!(outcome.sent.copied, volume(), "{outcome:?}");
    });
}
