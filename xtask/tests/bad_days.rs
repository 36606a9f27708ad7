//! What goes wrong on other people's machines ends in one clear line and a non-zero exit.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output};

/// xtask with an empty cache and only these programs on the PATH.
fn xtask(folder: &Path, programs: &[(&str, &str)], arguments: &[&str]) -> Output {
    let path = folder.join("bin");
    fs::create_dir_all(&path).expect("a folder");
    for (name, script) in programs {
        let program = path.join(name);
        fs::write(&program, format!("#!/bin/sh\n{script}\n")).expect("a program");
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).expect("its mode");
    }
    Command::new(env!("CARGO_BIN_EXE_xtask"))
        .args(arguments)
        .env_clear()
        .env("PATH", &path)
        .env("NETPRIMS_CACHE", folder.join("cache"))
        .output()
        .expect("xtask runs")
}

/// The one line a failure is.
fn line(output: &Output) -> String {
    assert!(!output.status.success());
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let errors: Vec<&str> = said
        .lines()
        .filter(|line| line.starts_with("error: "))
        .collect();
    assert_eq!(errors.len(), 1, "{said}");
    assert!(said.trim_end().ends_with(errors[0]), "{said}");
    errors[0].to_owned()
}

#[test]
fn an_unknown_kernel_is_answered_with_the_known_ones() {
    let folder = tempfile::tempdir().unwrap();
    let output = xtask(
        folder.path(),
        &[],
        &["lab", "run", "--kernel", "5.4", "--", "true"],
    );
    assert_eq!(
        line(&output),
        "error: no kernel \"5.4\": the lab has 6.1, 6.12, 7.2"
    );
    assert!(
        !folder.path().join("cache").exists(),
        "nothing is touched before the name is known"
    );
}

#[test]
fn without_apt_the_missing_packages_are_listed() {
    let folder = tempfile::tempdir().unwrap();
    let output = xtask(folder.path(), &[], &["lab", "run", "--", "true"]);
    let line = line(&output);
    assert!(
        line.contains("qemu-system-x86 (>= 8; none found)"),
        "{line}"
    );
    assert!(
        line.contains("ibverbs-utils") && line.contains("rdmacm-utils"),
        "{line}"
    );
    assert!(
        line.contains("run this as root on Debian or Ubuntu"),
        "{line}"
    );
}

#[test]
fn an_old_qemu_is_named_with_its_version() {
    let folder = tempfile::tempdir().unwrap();
    let qemu = ("qemu-system-x86_64", "echo QEMU emulator version 7.2.11");
    let output = xtask(folder.path(), &[qemu], &["lab", "run", "--", "true"]);
    assert!(line(&output).contains("qemu-system-x86 (>= 8; found 7)"));
}

#[test]
fn without_a_place_for_the_cache_it_says_which_variable_to_set() {
    let output = Command::new(env!("CARGO_BIN_EXE_xtask"))
        .args(["lab", "list"])
        .env_clear()
        .output()
        .unwrap();
    assert!(line(&output).contains("NETPRIMS_CACHE"));
}

#[test]
fn an_unknown_benchmark_is_answered_with_the_known_ones() {
    let folder = tempfile::tempdir().unwrap();
    let output = xtask(folder.path(), &[], &["bench", "no-such"]);
    assert!(line(&output).contains("no benchmark \"no-such\": there are "));
}
