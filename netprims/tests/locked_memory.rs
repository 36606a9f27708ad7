//! Pools under a limit on locked memory.
#![cfg(feature = "ring")]

use std::time::{Duration, Instant};

use again::with_lockable_memory;
use netprims::ring::{Ring, Rung, RxPlan, RxPool, TxPool, Wanted, WhyNot};

mod again;

const POOL: u32 = 4 << 20;
/// One pool and the ring fit; two pools do not.
const LIMIT: u32 = POOL + POOL / 2;

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
    with_lockable_memory(LIMIT, "a_dropped_pool_makes_room_for_the_next", || {
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
    with_lockable_memory(LIMIT, name, || {
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
        let is_plain = |pool: &RxPool| pool.report().rung == Rung::Plain;
        let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap();
        let mut numbers = release.split('.').map_while(|number| number.parse().ok());
        match (numbers.next(), numbers.next()) {
            // Which of them depends on what else the user has pinned meanwhile: the limit is the user's.
            (Some(6), Some(18)) => assert!(pools.iter().any(is_plain), "the limit is there"),
            // The kernel does not count the ring.
            (Some(6), Some(..=12)) | (Some(7), Some(2)) => {
                assert!(!pools.iter().any(is_plain), "there is a limit");
            }
            _ => {}
        }
    });
}
