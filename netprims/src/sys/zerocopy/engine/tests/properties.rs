use proptest::prelude::*;

use super::*;

#[derive(Clone, Debug)]
enum Op {
    Send(usize),
    GoOn,
    Answer(Answer),
    Finish(prop::sample::Index, usize, bool),
    Other,
    Reap,
}

fn op() -> impl Strategy<Value = Op> {
    const WAY_OUT: [i32; 8] = [
        libc::ENOBUFS,
        libc::EPERM,
        libc::EACCES,
        libc::EINVAL,
        libc::EHOSTUNREACH,
        libc::ENETUNREACH,
        libc::EMSGSIZE,
        libc::EIO,
    ];
    let late = prop::sample::select(WAY_OUT.to_vec());
    let before = [libc::EOPNOTSUPP, libc::ECONNREFUSED];
    let errno = prop::sample::select([&WAY_OUT[..], &before].concat());
    let answer = prop_oneof![
        4 => (1_usize..1200).prop_map(Answer::Take),
        1 => errno.clone().prop_map(Answer::Fail),
        1 => Just(Answer::Fail(libc::EAGAIN)),
        1 => errno.prop_map(Answer::FailCounted),
        1 => late.prop_map(Answer::FailCountedLate),
    ];
    prop_oneof![
        6 => (0_usize..=1000).prop_map(Op::Send),
        2 => Just(Op::GoOn),
        3 => answer.prop_map(Op::Answer),
        4 => (any::<prop::sample::Index>(), 1_usize..5, any::<bool>())
            .prop_map(|(nth, most, copied)| Op::Finish(nth, most, copied)),
        1 => Just(Op::Other),
        3 => Just(Op::Reap),
    ]
}

proptest! {
    /// Whatever the kernel takes, refuses, merges and reorders: no slot is anybody's while the kernel may read it, each
    /// comes back once, the stream has every byte in order, and every byte is counted once.
    #[test]
    fn a_slot_is_never_back_too_early(
        is_stream: bool,
        tells_device_errors: bool,
        mtu in 0_usize..1200,
        knows_mtu: bool,
        first in prop_oneof![Just(u32::MAX - 2), any::<u32>()],
        in_flight in 1_usize..6,
        give_up_after in 0_u32..4,
        ops in prop::collection::vec(op(), 0..80),
    ) {
        let mut bench = bench_from(first, is_stream, in_flight);
        bench.kernel().tells_device_errors = tells_device_errors;
        (bench.kernel().mtu, bench.kernel().knows_mtu) = (mtu, knows_mtu);
        bench.engine.limits.give_up_after = give_up_after;
        let mut others = 0;
        let mut tickets: Vec<u64> = Vec::new();
        let mut back = Vec::new();
        for op in ops {
            match op {
                Op::Send(len) => match bench.send(len) {
                    Ok(Taken::Copied(slot)) | Err((slot, _)) => {
                        prop_assert!(!bench.engine.kernel().reads(&addresses(&slot)));
                    }
                    Ok(Taken::Held { ticket, .. } | Taken::Doubtful { ticket, .. }) => {
                        tickets.push(ticket);
                    }
                },
                Op::GoOn => drop(bench.go_on()),
                Op::Answer(answer) => bench.kernel().answers.push_back(answer),
                Op::Finish(nth, most, copied) => {
                    let reading = bench.kernel().reading.len();
                    if reading > 0 {
                        bench.kernel().finish(nth.index(reading), most, copied);
                    }
                }
                Op::Other => {
                    others += 1;
                    bench.kernel().posted.push_back(Received::Other(Message::empty()));
                }
                Op::Reap => {
                    let reaped = bench.reap();
                    prop_assert_eq!(reaped.early, 0);
                    others -= reaped.others.len();
                    back.extend(reaped.released.into_iter().map(|(ticket, ..)| ticket));
                }
            }
            prop_assert_eq!(bench.free_too_early(), 0);
            prop_assert!(bench.engine.state() != State::Disturbed);
        }
        bench.kernel().answers.clear();
        prop_assert_eq!(bench.go_on().unwrap(), 0);
        while !bench.kernel().reading.is_empty() {
            bench.kernel().finish(0, 3, true);
        }
        let reaped = bench.reap();
        back.extend(reaped.released.into_iter().map(|(ticket, ..)| ticket));
        prop_assert_eq!(others, reaped.others.len());
        back.sort_unstable();
        let totals = bench.engine.totals();
        if bench.engine.state() == State::InDoubt {
            // It was not counted, and the kernel will never say so.
            prop_assert_eq!(back.len() + 1, tickets.len());
            prop_assert_eq!(bench.engine.in_flight(), 1);
        } else {
            prop_assert_eq!(&back, &tickets);
            prop_assert_eq!(bench.pool.outstanding(), 0);
        }
        prop_assert_eq!(&bench.engine.kernel().taken, &bench.given);
        let bytes = totals.zero_copied + totals.copied + totals.plain;
        prop_assert_eq!(bytes, bench.given.len() as u64);
    }
}
