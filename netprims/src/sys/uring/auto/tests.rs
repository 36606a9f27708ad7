//! A path is what it does with zero-copy sends; results come late, in any order.

use std::collections::VecDeque;

use super::*;
use proptest::prelude::*;
use rstest::rstest;

const LONG: u32 = 1 << 16;

/// A socket with its path, which tells a result when so many others are in flight.
struct Bench {
    auto: Auto,
    policy: AutoPolicy,
    in_flight: VecDeque<Round>,
    most_in_flight: usize,
}

impl Bench {
    fn new(policy: AutoPolicy, most_in_flight: usize) -> Self {
        Self {
            auto: Auto::default(),
            policy,
            in_flight: VecDeque::new(),
            most_in_flight,
        }
    }

    /// Sends, having made room by telling the oldest. Whether it was zero-copy.
    fn send(&mut self, becomes: Usage) -> bool {
        if self.in_flight.len() == self.most_in_flight {
            self.tell(0, becomes);
        }
        let round = self.auto.choose(LONG, &self.policy);
        self.in_flight.extend(round);
        round.is_some()
    }

    fn tell(&mut self, nth: usize, usage: Usage) {
        let round = self.in_flight.remove(nth).unwrap();
        self.auto.told(round, usage);
    }

    fn zero_copy_of(&mut self, sends: u32, becomes: Usage) -> u32 {
        (0..sends).map(|_| u32::from(self.send(becomes))).sum()
    }
}

/// How many tries there can be among so many sends after the socket gave up.
fn tries(sends: u64, retry_after: u32) -> u64 {
    let first = u64::from(retry_after.max(1));
    let longest = first * u64::from(LONGEST);
    let (mut back_off, mut at, mut tries) = (first, first, 0);
    while at < sends {
        back_off = (back_off * 2).min(longest);
        at += back_off + 1;
        tries += 1;
    }
    tries
}

#[rstest]
#[case::one_at_a_time(1, 100, 8 + 1)]
#[case::late_results(16, 100, 8 - 1 + 16 + 1)]
#[case::so_many_in_flight_that_no_result_comes(1000, 900, 900)]
#[case::many_sends(16, 65_536, 8 - 1 + 16 + 10)]
#[case::a_million(16, 1_000_000, 8 - 1 + 16 + 24)]
fn a_path_that_copies_costs_this_much(
    #[case] most_in_flight: usize,
    #[case] sends: u32,
    #[case] zero_copy: u32,
    #[values(Usage::Copied, Usage::Unknown)] becomes: Usage,
) {
    let mut bench = Bench::new(AutoPolicy::new(), most_in_flight);
    assert_eq!(bench.zero_copy_of(sends, becomes), zero_copy);
}

#[rstest]
#[case::just_below(16_383, false)]
#[case::just_enough(16_384, true)]
#[case::nothing(0, false)]
#[case::all(u32::MAX, true)]
fn a_send_is_long_enough_or_not(#[case] len: u32, #[case] is_zero_copy: bool) {
    let mut auto = Auto::default();
    let chosen = auto.choose(len, &AutoPolicy::new());
    assert_eq!(chosen.is_some(), is_zero_copy);
}

#[test]
fn short_sends_do_not_shorten_the_back_off() {
    let mut bench = Bench::new(AutoPolicy::new(), 1);
    bench.zero_copy_of(20, Usage::Copied);
    let before = bench.auto.wait;
    for _ in 0..1000 {
        assert_eq!(bench.auto.choose(16_383, &AutoPolicy::new()), None);
    }
    assert_eq!(bench.auto.wait, before);
}

#[test]
fn seven_copied_and_one_not_is_no_run_of_eight() {
    let mut bench = Bench::new(AutoPolicy::new(), 1);
    for nth in 0..10_000_u32 {
        let becomes = if nth % 8 == 0 {
            Usage::ZeroCopied
        } else {
            Usage::Copied
        };
        assert!(bench.send(becomes), "send {nth}");
    }
}

/// Gives up, with so many more in flight.
fn given_up(still_in_flight: usize) -> Bench {
    let mut bench = Bench::new(AutoPolicy::new(), 8 + still_in_flight);
    bench.zero_copy_of(u32::try_from(8 + still_in_flight).unwrap(), Usage::Copied);
    (0..8).for_each(|_| bench.tell(0, Usage::Copied));
    assert!(!bench.send(Usage::Copied));
    assert_eq!(bench.in_flight.len(), still_in_flight);
    bench
}

#[test]
fn one_that_is_not_copied_ends_the_back_off() {
    let mut bench = given_up(0);
    while !bench.send(Usage::Copied) {}
    bench.tell(0, Usage::ZeroCopied);
    assert!((0..1000).all(|_| bench.send(Usage::ZeroCopied)));
}

#[test]
fn what_was_in_flight_when_it_gave_up_does_not_count_again() {
    let mut bench = given_up(100);
    bench.tell(50, Usage::ZeroCopied);
    for nth in 0..99 {
        bench.tell(0, Usage::Copied);
        assert!(bench.auto.choose(LONG, &bench.policy).is_some(), "{nth}");
    }
    assert_eq!(bench.auto.copied, 0);
}

#[test]
fn tries_that_are_still_in_flight_do_not_count_when_it_goes_on() {
    let mut bench = given_up(0);
    while bench.in_flight.len() < 3 {
        bench.send(Usage::Copied);
    }
    bench.tell(2, Usage::ZeroCopied);
    bench.tell(0, Usage::Copied);
    bench.tell(0, Usage::Copied);
    assert_eq!(bench.auto.copied, 0);
}

#[test]
fn failed_sends_say_nothing_about_the_path() {
    let mut bench = Bench::new(AutoPolicy::new(), 1);
    assert_eq!(bench.zero_copy_of(1000, Usage::NotSent), 1000);
}

#[test]
fn with_nothing_to_give_up_after_it_never_does() {
    let mut bench = Bench::new(AutoPolicy::new().give_up_after(0), 4);
    assert_eq!(bench.zero_copy_of(1000, Usage::Copied), 1000);
}

#[test]
fn a_socket_keeps_little() {
    assert!(size_of::<Auto>() <= 16, "{}", size_of::<Auto>());
    assert!(size_of::<Option<Round>>() <= 2);
}

#[cfg(feature = "serde")]
#[test]
fn a_configuration_names_what_differs() {
    let policy: AutoPolicy = serde_json::from_str(r#"{"min_len": 32768}"#).unwrap();
    assert_eq!(policy, AutoPolicy::new().min_len(32_768));
    let text = serde_json::to_string(&policy).unwrap();
    assert_eq!(serde_json::from_str::<AutoPolicy>(&text).unwrap(), policy);
    serde_json::from_str::<AutoPolicy>(r#"{"min_length": 1}"#).unwrap_err();
}

fn number() -> impl Strategy<Value = u32> {
    prop_oneof![3 => 0_u32..20, 1 => any::<u32>(), 1 => u32::MAX - 3..=u32::MAX]
}

#[derive(Clone, Debug)]
enum Op {
    Send(u32),
    /// So many in a row, told when there is no room.
    Flood(u16),
    Tell(prop::sample::Index, Usage),
}

fn op() -> impl Strategy<Value = Op> {
    let usage = prop::sample::select(vec![
        Usage::Copied,
        Usage::Copied,
        Usage::Copied,
        Usage::Unknown,
        Usage::NotSent,
        Usage::ZeroCopied,
    ]);
    prop_oneof![
        2 => number().prop_map(Op::Send),
        1 => (0_u16..2000).prop_map(Op::Flood),
        4 => (any::<prop::sample::Index>(), usage).prop_map(|(nth, usage)| Op::Tell(nth, usage)),
    ]
}

/// What has happened since a send was not copied.
#[derive(Default)]
struct Stretch {
    sends: u64,
    zero_copy: u64,
    not_sent: u64,
}

proptest! {
    /// Whatever the results, in whatever order they come: since the last send that was not copied there were no more
    /// zero-copy ones than promised.
    #[test]
    fn the_budget_holds(
        min_len in number(),
        give_up_after in number(),
        retry_after in number(),
        most_in_flight in 1_usize..40,
        ops in prop::collection::vec(op(), 0..200),
    ) {
        let policy = AutoPolicy { min_len, give_up_after, retry_after };
        let mut bench = Bench::new(policy, most_in_flight);
        let mut stretch = Stretch::default();
        for op in ops {
            let lengths = match op {
                Op::Send(len) => std::iter::repeat_n(len, 1),
                Op::Flood(sends) => std::iter::repeat_n(u32::MAX, usize::from(sends)),
                Op::Tell(nth, usage) => {
                    let waiting = bench.in_flight.len();
                    if waiting > 0 {
                        bench.tell(nth.index(waiting), usage);
                        match usage {
                            Usage::ZeroCopied => stretch = Stretch::default(),
                            Usage::NotSent => stretch.not_sent += 1,
                            _ => {}
                        }
                    }
                    continue;
                }
            };
            for len in lengths {
                if bench.in_flight.len() == most_in_flight {
                    bench.tell(0, Usage::Copied);
                }
                let round = bench.auto.choose(len, &policy);
                prop_assert!(round.is_none() || len >= min_len);
                stretch.sends += u64::from(len >= min_len);
                stretch.zero_copy += u64::from(round.is_some());
                bench.in_flight.extend(round);
                let before = u64::from(give_up_after) + u64::try_from(most_in_flight)? - 1;
                let most = before + stretch.not_sent + tries(stretch.sends, retry_after);
                prop_assert!(give_up_after == 0 || stretch.zero_copy <= most);
            }
        }
    }

    /// Where nothing is copied, every send that is long enough is zero-copy, however late that is told.
    #[test]
    fn nothing_is_lost_where_nothing_is_copied(
        min_len in number(),
        give_up_after in number(),
        retry_after in number(),
        most_in_flight in 1_usize..40,
        lengths in prop::collection::vec(number(), 0..300),
    ) {
        let policy = AutoPolicy { min_len, give_up_after, retry_after };
        let mut bench = Bench::new(policy, most_in_flight);
        for len in lengths {
            if bench.in_flight.len() == most_in_flight {
                bench.tell(0, Usage::ZeroCopied);
            }
            let round = bench.auto.choose(len, &policy);
            prop_assert_eq!(round.is_some(), len >= min_len);
            bench.in_flight.extend(round);
        }
    }
}
