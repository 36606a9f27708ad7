//! `netprims rdma` on any machine, with RDMA or without.

use std::fs;
use std::process::{Command, Output};

fn netprims(words: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_netprims"));
    command.args(words.split_whitespace());
    command
}

fn said(output: &Output) -> String {
    let text = [&output.stdout[..], &output.stderr].concat();
    String::from_utf8_lossy(&text).into_owned()
}

#[test]
fn without_the_library_the_command_says_what_to_install_and_ends_with_3() {
    let folder = tempfile::tempdir().unwrap();
    // The loader takes the first file of the name, and this is none of its kind.
    fs::write(folder.path().join("libibverbs.so.1"), "no library").unwrap();
    for words in ["list", "list --json", "ping server", "bw client 127.0.0.1"] {
        let mut command = netprims(&format!("rdma {words}"));
        let output = command
            .env("LD_LIBRARY_PATH", folder.path())
            .output()
            .unwrap();
        let said = said(&output);
        assert_eq!(output.status.code(), Some(3), "{said}");
        assert!(said.contains("libibverbs.so.1 cannot be loaded"), "{said}");
        assert!(said.contains("install rdma-core's libraries"), "{said}");
        assert_eq!(output.stdout, b"", "{said}");
    }
}

#[test]
fn what_is_there_is_listed_or_nothing_is_there() {
    let output = netprims("rdma list --json").output().unwrap();
    match output.status.code() {
        Some(0) => {
            let listed: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
            assert_eq!(listed["schema"], "netprims.rdma.list");
            assert!(!listed["devices"].as_array().unwrap().is_empty());
        }
        Some(1) => assert!(
            said(&output).contains("/dev/infiniband"),
            "{}",
            said(&output)
        ),
        code => assert_eq!(code, Some(3), "{}", said(&output)),
    }
}

#[test]
fn help_tells_how_the_command_ends_and_what_is_the_default() {
    let help = said(&netprims("--help").output().unwrap());
    assert!(
        help.contains("3    there is no RDMA library, or no RDMA device"),
        "{help}"
    );
    let help = said(&netprims("rdma bw client --help").output().unwrap());
    assert!(
        help.contains("[default: write]") && help.contains("[default: 65536]"),
        "{help}"
    );
    let help = said(&netprims("rdma ping client --help").output().unwrap());
    assert!(
        help.contains("[possible values: rc, uc, ud]") || help.contains("- rc:"),
        "{help}"
    );
}
