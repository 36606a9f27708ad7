//! A device that sends without copying, without hardware.

use std::process::Command;

/// Runs `ip`.
pub(crate) fn ip(arguments: &str) {
    let output = Command::new("ip")
        .args(arguments.split(' '))
        .output()
        .expect("ip, of iproute2");
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "ip {arguments}: {text}");
}

/// A device that takes everything and delivers nothing, with a neighbour at 10.7.0.2. Which of the two kinds there is
/// depends on the kernel's configuration.
pub(crate) fn black_hole() {
    let kinds = ["ifb", "dummy"];
    let added = kinds.iter().any(|kind| {
        let added = Command::new("ip")
            .args(["link", "add", "hole", "type", kind])
            .output();
        added.expect("ip, of iproute2").status.success()
    });
    assert!(added, "this kernel has neither of {kinds:?}");
    ip("link set hole mtu 65535 up");
    ip("addr add 10.7.0.1/24 dev hole");
    ip("neigh add 10.7.0.2 lladdr 02:00:00:00:00:02 dev hole");
}
