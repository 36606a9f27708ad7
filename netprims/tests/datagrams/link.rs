//! Two namespaces with a cable between them.

use std::net::UdpSocket;
use std::process::Command;
use std::sync::mpsc;
use std::thread;

use nix::sched::{CloneFlags, unshare};

pub(crate) fn ip(arguments: &str) -> String {
    let output = Command::new("ip").args(arguments.split(' ')).output();
    let output = output.expect("ip, of iproute2");
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "ip {arguments}: {text}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Gives a device an IPv6 address. The kernel says yes first, and then takes its time until it receives there.
pub(crate) fn ipv6(device: &str, address: &str, prefix: u8) {
    ip(&format!("addr add {address}/{prefix} dev {device} nodad"));
    until("-6 route show table local", &format!("local {address} "));
}

/// Waits until what `ip` shows has the text.
fn until(show: &str, text: &str) {
    for _ in 0..10_000 {
        if ip(show).contains(text) {
            return;
        }
    }
    panic!("ip {show}: {text} never came");
}

/// The far end's address on the link.
pub(crate) const FAR: &str = "02:00:00:00:00:02";

/// This thread's namespace gets `near` with 10.9.0.1 and fd09::1, another one has the other end with 10.9.0.2 and
/// fd09::2, which it says to who asks (ARP) only if it `answers`. Returns a socket of the other one, bound there to the
/// address.
pub(crate) fn cable(address: &'static str, answers: bool) -> UdpSocket {
    let (place, other) = mpsc::channel();
    let (plug, plugged) = mpsc::channel::<()>();
    let far = thread::spawn(move || {
        unshare(CloneFlags::CLONE_NEWNET).unwrap();
        place.send(nix::unistd::gettid()).unwrap();
        plugged.recv().unwrap();
        ip("addr add 10.9.0.2/24 dev far");
        ip(if answers {
            "link set far up"
        } else {
            "link set far arp off up"
        });
        until("link show far", "state UP");
        ipv6("far", "fd09::2", 64);
        super::socket(address)
    });
    let thread = other.recv().unwrap();
    let namespace = format!("/proc/{}/task/{thread}/ns/net", std::process::id());
    ip(&format!(
        "link add near type veth peer name far address {FAR} netns {namespace}"
    ));
    ip("addr add 10.9.0.1/24 dev near");
    ip("link set near up");
    plug.send(()).unwrap();
    until("link show near", "state UP");
    ipv6("near", "fd09::1", 64);
    far.join().unwrap()
}
