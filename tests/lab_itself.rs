//! Seeded faults: what the lab must report as failures, each within its deadline. They are run by
//! `cargo xtask test`, which knows the verdict each must get; none of them may pass.

use lab_tests::gate;
use netprims_rdma::{Device, QpCap};
use nix::sys::mman::{MlockAllFlags, mlockall};
use std::fs::{self, File};
use std::process::Command;
use std::time::Duration;

#[test]
fn hangs() {
    gate(|_| std::thread::sleep(Duration::from_secs(3600)));
}

#[test]
fn leaks_a_descriptor() {
    gate(|_| std::mem::forget(File::open("/proc/self/status").unwrap()));
}

#[test]
fn leaves_a_vf() {
    gate(|lab| {
        let device = lab.netdevsim(1);
        fs::write(device.sysfs().join("sriov_numvfs"), "2").unwrap();
        std::mem::forget(device);
    });
}

#[test]
fn leaks_a_queue_pair() {
    gate(|_| {
        let context = Device::by_name("rxe0").unwrap().open().unwrap();
        let pd = context.alloc_pd().unwrap();
        let cq = context.create_cq(16).unwrap();
        let depth = QpCap::new(1, 1);
        std::mem::forget(pd.create_rc(&cq, &cq, depth).unwrap());
    });
}

#[test]
fn leaks_a_memory_region() {
    gate(|_| {
        let context = Device::by_name("rxe0").unwrap().open().unwrap();
        let pd = context.alloc_pd().unwrap();
        std::mem::forget(pd.register_local(4, 4096).unwrap());
    });
}

#[test]
fn leaves_memory_locked() {
    gate(|_| mlockall(MlockAllFlags::MCL_CURRENT).unwrap());
}

#[test]
fn leaves_a_process_and_a_namespace() {
    gate(|lab| {
        lab.sh("ip netns add left");
        lab.sh(
            "setsid sleep 300 >/dev/null 2>&1 & until grep -qsx sleep /proc/$!/comm; do :; done",
        );
    });
}

#[test]
fn provokes_a_kernel_warning() {
    gate(|_| fs::write("/dev/kmsg", "WARNING: CPU: 0 PID: 1 at seeded\n").unwrap());
}

#[test]
fn panics_the_guest() {
    gate(|_| {
        fs::write("/proc/sysrq-trigger", "c").unwrap();
        std::thread::sleep(Duration::from_secs(60));
    });
}

#[test]
fn runs_outside_the_gate() {}

#[test]
fn exits_in_the_middle() {
    gate(|_| std::process::exit(0));
}

#[test]
fn skips_without_leave() {
    gate(|lab| lab.skip("because it likes to"));
}

/// The one good test: the faults before it must not spoil it.
#[test]
fn zz_still_works_after_all_that() {
    gate(|_| assert!(Command::new("true").status().unwrap().success()));
}
