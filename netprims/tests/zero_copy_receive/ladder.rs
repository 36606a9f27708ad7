use netprims::ring::{
    NoZeroCopyRx, Ring, Rung, RxPlan, RxReport, SqPoll, Wanted, WhyNot, ZeroCopyRx,
};
use rstest::rstest;
use std::time::Duration;

use super::{PAGE, builder, plan};
use crate::answers::{Has, has, refusal};
use crate::host;
use crate::sys::unprivileged::become_nobody;

/// Whether zero-copy receive without a device works for this thread.
pub(crate) fn has_no_device() -> bool {
    has() == Has::Both && host::is_root()
}

fn report(plan: &RxPlan) -> RxReport {
    let mut ring = builder().build().unwrap();
    ring.rx_pool(plan).unwrap().report().clone()
}

fn why(report: &RxReport) -> Option<NoZeroCopyRx> {
    match report.why_not(Wanted::ZeroCopy) {
        None => None,
        Some(WhyNot::ZeroCopy(why)) => Some(why.clone()),
        Some(other) => panic!("{other}"),
    }
}

fn lo() -> ZeroCopyRx {
    ZeroCopyRx::Device {
        interface: "lo".into(),
        queue: 0,
    }
}

#[rstest]
#[case::no_device(ZeroCopyRx::NoDevice)]
#[case::a_device_that_cannot(lo())]
fn the_report_says_which_rung_and_why_no_higher_one(#[case] source: ZeroCopyRx) {
    let report = report(&RxPlan::new(16, PAGE).zero_copy(source.clone()));
    let want = refusal(&source);
    if has() != Has::Untold {
        assert_eq!(why(&report), want);
    }
    let rung = match why(&report) {
        None => Rung::ZeroCopy,
        Some(_) => Rung::Multishot,
    };
    assert_eq!(report.rung, rung);
    let text = report.to_string();
    assert!(text.starts_with(&format!("receives: {rung}")), "{text}");
    if let Some(why) = why(&report) {
        assert!(text.contains(&format!("zero-copy: no, {why}")), "{text}");
    }
}

#[test]
fn without_the_capability_it_is_refused_and_the_report_says_so() {
    let report = std::thread::spawn(|| {
        become_nobody().unwrap();
        report(&plan(4))
    });
    let report = report.join().unwrap();
    let want = match has() {
        Has::Neither => NoZeroCopyRx::KernelWithout,
        _ => NoZeroCopyRx::NotPermitted,
    };
    assert_eq!(why(&report), Some(want));
    assert_eq!(report.rung, Rung::Multishot);
}

#[test]
fn an_interface_that_is_not_there_is_refused_before_the_kernel_is_asked() {
    let source = ZeroCopyRx::Device {
        interface: "none-such".into(),
        queue: 0,
    };
    let report = report(&RxPlan::new(16, PAGE).zero_copy(source));
    assert_eq!(why(&report), Some(NoZeroCopyRx::NoDevice));
}

#[test]
fn a_ring_that_was_not_built_for_it_steps_down() {
    let mut ring = Ring::builder().build().unwrap();
    let pool = ring.rx_pool(&plan(4)).unwrap();
    assert_eq!(why(pool.report()), Some(NoZeroCopyRx::NotBuiltFor));
}

#[test]
fn a_ring_with_a_thread_for_its_queue_steps_down() {
    let thread = SqPoll {
        idle: Duration::from_millis(1),
        cpu: None,
    };
    let mut ring = builder().sqpoll(thread).build().unwrap();
    let pool = ring.rx_pool(&plan(4)).unwrap();
    assert_eq!(why(pool.report()), Some(NoZeroCopyRx::NotDeferred));
}

#[rstest]
#[case::not_in_the_plan(RxPlan::new(4, PAGE), Rung::Multishot, "the plan does without")]
#[case::excluded(plan(4).at_most(Rung::Multishot), Rung::Multishot, "the plan's at_most excludes it")]
#[case::all_excluded(plan(4).at_most(Rung::Plain), Rung::Plain, "the plan's at_most excludes it")]
fn what_the_plan_does_without_is_not_tried(
    #[case] plan: RxPlan,
    #[case] rung: Rung,
    #[case] want: &str,
) {
    let report = report(&plan);
    let why = report.why_not(Wanted::ZeroCopy).map(WhyNot::to_string);
    assert_eq!(why.as_deref(), Some(want));
    assert_eq!(report.rung, rung);
}

#[test]
fn a_pool_has_as_many_pages_as_its_slots_have_bytes() {
    let mut ring = builder().build().unwrap();
    let plan = RxPlan::new(3, 65_536).zero_copy(ZeroCopyRx::NoDevice);
    let pool = ring.rx_pool(&plan).unwrap();
    let want = if pool.report().rung == Rung::ZeroCopy {
        (48, PAGE)
    } else {
        (3, 65_536)
    };
    assert_eq!((pool.slots(), pool.slot_len()), want);
}
