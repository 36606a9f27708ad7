//! The example does what it says.

use std::process::Command;

/// The numbers of the line that tells what became of the bytes.
fn totals(arguments: &[&str]) -> [u64; 5] {
    let program = env!("CARGO_BIN_EXE_zc_epoll");
    let output = Command::new(program)
        .args(arguments)
        .output()
        .expect("zc_epoll");
    let said = String::from_utf8_lossy(&output.stdout);
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}{error}");
    let line = said
        .lines()
        .find_map(|line| line.strip_prefix("zc_epoll: "));
    let fields = line.expect("a line of totals").split(' ').map(|field| {
        let (_, number) = field.split_once('=').expect("name=number");
        number.parse().expect("a number")
    });
    let fields: Vec<u64> = fields.collect();
    fields.try_into().expect("five numbers")
}

#[test]
fn over_loopback_all_arrives_and_all_is_copied() {
    let arguments = ["--bytes", "10000000", "--stubborn"];
    let [buffers, bytes, zero_copied, copied, plain] = totals(&arguments);
    assert_eq!((buffers, bytes), (153, 10_000_000));
    assert_eq!(zero_copied, 0);
    assert_eq!(copied + plain, bytes);
    assert!(copied > plain);
}

#[test]
fn over_loopback_it_goes_over_to_plain_sends() {
    let [_, bytes, zero_copied, copied, plain] = totals(&["--bytes", "50000000"]);
    assert_eq!((zero_copied, copied + plain), (0, bytes));
    assert!(plain > copied);
}

#[test]
fn below_the_threshold_all_is_plain() {
    let arguments = [
        "--bytes",
        "1000000",
        "--size",
        "1000",
        "--threshold",
        "1001",
    ];
    let [buffers, bytes, zero_copied, copied, plain] = totals(&arguments);
    assert_eq!((buffers, bytes), (1001, 1_000_000), "the last one is empty");
    assert_eq!((zero_copied, copied, plain), (0, 0, 1_000_000));
}

#[test]
fn a_file_is_sent_whole() {
    let program = env!("CARGO_BIN_EXE_zc_epoll");
    let len = std::fs::metadata(program).expect("the program").len();
    let [_, bytes, ..] = totals(&["--file", program, "--buffers", "2"]);
    assert_eq!(bytes, len);
}
