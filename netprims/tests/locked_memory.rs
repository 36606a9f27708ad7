//! Pools under a limit on locked memory.
#![cfg(feature = "ring")]
#![expect(clippy::unwrap_used, reason = "a test's way to fail")]

use std::os::unix::fs::MetadataExt;
use std::process::Command;
use std::time::{Duration, Instant};

use netprims::ring::{Ring, Rung, RxPlan, RxPool, TxPool, Wanted, WhyNot};

const POOL: u32 = 4 << 20;
/// One pool and the ring fit; two pools do not.
const LIMIT: u32 = POOL + POOL / 2;

/// Runs the test's body in a process without CAP_IPC_LOCK that may lock `LIMIT` bytes.
fn limited(test: &str, body: impl FnOnce()) {
    const INSIDE: &str = "NETPRIMS_TEST_LIMITED";
    if std::env::var_os(INSIDE).is_some() {
        return body();
    }
    let mut command = Command::new("prlimit");
    command.arg(format!("--memlock={LIMIT}"));
    // Without the capability in its bounding set root does not get it by executing a program.
    if std::fs::metadata("/proc/self").unwrap().uid() == 0 {
        command.args(["setpriv", "--bounding-set=-ipc_lock"]);
    }
    let output = command
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture", "--test-threads=1"])
        .env(INSIDE, "1")
        .output()
        .expect("prlimit, of util-linux");
    let text = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "under a limit:\n{text}");
    assert!(text.contains("1 passed"), "the body did not run:\n{text}");
}

/// Older kernels (6.1) let go of what was unregistered a moment later.
fn pool_in_time(ring: &mut Ring) -> TxPool {
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        match ring.tx_pool(1, POOL) {
            Ok(pool) => return pool,
            Err(error) => assert!(Instant::now() < deadline, "{error}"),
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn a_dropped_pool_makes_room_for_the_next() {
    limited("a_dropped_pool_makes_room_for_the_next", || {
        let mut ring = Ring::builder().build().unwrap();
        for _ in 0..4 {
            drop(pool_in_time(&mut ring));
        }
        let pool = pool_in_time(&mut ring);
        let error = ring.tx_pool(1, POOL).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(12), "the limit is there");
        assert!(error.to_string().contains("RLIMIT_MEMLOCK"), "{error}");
        drop(pool);
        pool_in_time(&mut ring);
    });
}

#[test]
fn a_pool_to_receive_into_steps_down_where_its_ring_cannot_be_pinned() {
    let name = "a_pool_to_receive_into_steps_down_where_its_ring_cannot_be_pinned";
    limited(name, || {
        let mut ring = Ring::builder().build().unwrap();
        // Half a mebibyte each, for the ring that shows the slots.
        let plan = RxPlan::new(32_768, 16);
        let pools: Vec<_> = (0..16).map(|_| ring.rx_pool(&plan).unwrap()).collect();
        for pool in &pools {
            let why = pool.report().why_not(Wanted::Multishot);
            match pool.report().rung {
                Rung::Multishot => assert_eq!(why, None),
                Rung::Plain => assert!(
                    matches!(why, Some(WhyNot::Refused { errno: 12, .. })),
                    "{}",
                    pool.report()
                ),
                rung => panic!("{rung}"),
            }
        }
        // Seen on 6.18; older kernels do not count the ring.
        let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap();
        let mut numbers = release.split('.').map(|number| number.parse().unwrap_or(0));
        if (numbers.next(), numbers.next()) >= (Some(6), Some(18)) {
            // Which of them depends on what else the user has pinned meanwhile: the limit is the user's.
            let is_plain = |pool: &RxPool| pool.report().rung == Rung::Plain;
            assert!(pools.iter().any(is_plain), "the limit is there");
        }
    });
}
