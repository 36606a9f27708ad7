//! The example's figures, over loopback.

use std::process::Command;

/// Runs it, and returns its output and the figures of a line of totals by name.
fn run(arguments: &[&str]) -> (String, impl Fn(&str, &str) -> u64) {
    let output = Command::new(env!("CARGO_BIN_EXE_udp_gso"))
        .args(arguments)
        .output()
        .expect("the example");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{text}{errors}");
    let lines = text.clone();
    let figure = move |what: &str, name: &str| {
        let start = format!("udp_gso: {what} ");
        let line = lines.lines().find_map(|line| line.strip_prefix(&start));
        let line = line.unwrap_or_else(|| panic!("no line of what was {what}:\n{lines}"));
        let mut pairs = line.split(' ').filter_map(|pair| pair.split_once('='));
        let (_, value) = pairs
            .find(|(key, _)| *key == name)
            .unwrap_or_else(|| panic!("no {name}:\n{lines}"));
        value.parse().expect("a number")
    };
    (text, figure)
}

#[test]
fn many_datagrams_go_and_come_with_a_call() {
    let (text, figure) = run(&["--bytes", "10000000", "--size", "1200"]);
    for side in ["sent", "received"] {
        assert_eq!(figure(side, "bytes"), 10_000_000);
        assert_eq!(figure(side, "datagrams"), 8334);
    }
    // A window is 109 datagrams, and goes with one call.
    assert_eq!(figure("sent", "calls"), 77);
    assert_eq!(figure("sent", "datagrams_per_call"), 108);
    // The kernel's 54 datagrams at a time arrive as they were cut: in three pieces a window.
    assert!(text.contains("pieces of datagrams of 1200 bytes"), "{text}");
    assert!(figure("received", "calls") < 8334 / 20, "{text}");
}

#[test]
fn without_the_kernels_help_every_piece_is_a_datagram() {
    let (text, figure) = run(&["--bytes", "1000001", "--size", "1000", "--plain"]);
    for side in ["sent", "received"] {
        assert_eq!(figure(side, "bytes"), 1_000_001);
        assert_eq!(figure(side, "datagrams"), 1001);
    }
    // A window is 131 datagrams, of which 64 go with a call.
    assert_eq!(figure("sent", "calls"), 8 * 3 - 1);
    assert!(text.contains("1001 pieces of one datagram"), "{text}");
}
