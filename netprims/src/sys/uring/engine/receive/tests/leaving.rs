//! What becomes of memory when its owners go.

use std::panic::{AssertUnwindSafe, catch_unwind};

use super::*;

#[test]
fn a_group_is_let_go_when_neither_handle_nor_receive_is_left() {
    let (mut bench, key) = bench(2, SINGLE);
    let shape = Shape::new(2, LEN).unwrap();
    let other = |bench: &mut Bench| {
        drop(bench.engine.group(shape, SINGLE).unwrap());
        std::mem::take(&mut bench.kernel().groups)
    };
    assert_eq!(other(&mut bench), [(0, Some(2)), (1, Some(2))]);
    let area = bench.handle.area().clone();
    let elsewhere = bench.engine.group(shape, SINGLE).unwrap().unwrap();
    assert_eq!(other(&mut bench), [(1, None), (1, Some(2)), (2, Some(2))]);
    bench.handle = elsewhere;
    assert_eq!(
        other(&mut bench),
        [(2, None), (2, Some(2))],
        "a receive takes from it"
    );
    bench.kernel().result(0, 0, false);
    assert_eq!(bench.all(), [Seen::End(key, End::Closed)]);
    assert_eq!(other(&mut bench), [(0, None), (2, None), (0, Some(2))]);
    assert!(!area.is_leaked());
}

#[test]
fn a_group_the_kernel_does_not_forget_is_kept() {
    let (mut bench, _) = bench(2, SINGLE);
    let shape = Shape::new(2, LEN).unwrap();
    let dead = bench.engine.group(shape, SINGLE).unwrap().unwrap();
    let area = dead.area().clone();
    drop(dead);
    bench.enter();
    let refused = || Err(io::Error::from_raw_os_error(libc::ENOENT));
    bench.kernel().group_results.push_back(refused());
    assert!(bench.engine.group(shape, SINGLE).is_err());
    // It is tried again, and in the end leaked.
    bench.kernel().group_results.extend([refused(), refused()]);
    drop(bench);
    assert!(area.is_leaked());
}

/// What becomes of the memory of a receive in flight when the engine goes.
#[rstest]
#[case::the_kernel_lets_go(Some(-libc::ECANCELED), false)]
#[case::the_end_came_first(Some(0), false)]
#[case::the_kernel_is_silent(None, true)]
fn going_away(
    #[values(SINGLE, BUNDLES, INCREMENTAL, Giving::OneByOne)] giving: Giving,
    #[case] answer: Option<i32>,
    #[case] is_leaked: bool,
) {
    let (mut bench, _) = bench(2, giving);
    if let Some(result) = answer {
        bench.kernel().result(0, result, false);
    }
    let area = bench.handle.area().clone();
    drop(bench);
    assert_eq!(area.is_leaked(), is_leaked);
}

#[test]
fn a_skipped_drain_is_noticed() {
    let drop_in_flight = || {
        let (bench, _) = bench(2, Giving::OneByOne);
        let area = bench.handle.area().clone();
        drop(bench);
        area.is_leaked()
    };
    assert!(drop_in_flight());
    assert!(!defect::with(Some(Defect::SkipTheDrain), drop_in_flight));
}

#[test]
fn going_away_with_data_untold_leaks_nothing() {
    let (mut bench, key) = bench(4, BUNDLES);
    bench.kernel().fill(0, 350, 0, true);
    assert_eq!(bench.next(), Some(Seen::Chunk(key, 100)));
    let kept = bench.detach();
    bench.kernel().fill(0, 10, 3, false);
    let area = bench.handle.area().clone();
    drop(bench);
    assert!(!area.is_leaked());
    assert_eq!(kept.unwrap().bytes(), [0; 100]);
}

#[test]
fn a_panic_on_the_way_out_leaks_what_the_kernel_writes() {
    let (mut bench, _) = bench(2, SINGLE);
    bench.kernel().enter_panics = true;
    let area = bench.handle.area().clone();
    assert!(catch_unwind(AssertUnwindSafe(|| drop(bench))).is_err());
    assert!(area.is_leaked());
}
