//! Messages of sockets whose kernel keeps their order.

use rstest::rstest;
use socket2::{Domain, Socket as AnySocket, Type};

use super::*;

type Told = Vec<(Key, Result<u32, i32>)>;

fn messages(kind: Type) -> Bench {
    let socket = AnySocket::pair(Domain::UNIX, kind, None).unwrap().0;
    bench_of(socket.into(), 8, 8)
}

fn plainly<const N: usize>(bench: &mut Bench) -> [Key; N] {
    [(); N].map(|()| {
        let slot = bench.pool.take().unwrap();
        let sent = bench.engine.send(bench.socket, slot, Wish::Plain);
        sent.map_err(|_| ()).unwrap()
    })
}

fn results(bench: &mut Bench) -> Told {
    let mut told = Vec::new();
    while let Some(outcome) = bench.engine.next() {
        if let Outcome::Sent { key, result } = outcome {
            told.push((key, result));
        }
    }
    told
}

fn queued(bench: &mut Bench) -> Vec<u64> {
    let pushed = bench.kernel().pushed.iter();
    pushed.map(|request| request.user_data).collect()
}

#[rstest]
#[case::sent(100, Ok(100))]
#[case::refused(-libc::EMSGSIZE, Err(libc::EMSGSIZE))]
#[case::cancelled(-libc::ECANCELED, Err(libc::ECANCELED))]
fn the_next_message_is_queued_when_the_one_before_has_its_result(
    #[values(Type::SEQPACKET, Type::DGRAM)] kind: Type,
    #[case] result: i32,
    #[case] told: Result<u32, i32>,
) {
    let mut bench = messages(kind);
    let keys: [Key; 3] = plainly(&mut bench);
    for nth in 0..3 {
        let bits: Vec<_> = keys.iter().map(|key| key.to_bits()).collect();
        assert_eq!(queued(&mut bench), bits[..=nth], "one by one, each whole");
        bench.kernel().result(nth, result, false);
        assert_eq!(results(&mut bench), [(keys[nth], told)]);
    }
    assert_eq!((bench.engine.in_flight(), bench.free_slots()), (0, 8));
}

#[test]
fn a_ring_that_takes_nothing_more_ends_every_message_that_waits() {
    let mut bench = messages(Type::SEQPACKET);
    let keys: [Key; 4] = plainly(&mut bench);
    bench.kernel().queued = 0;
    bench.kernel().room = 0;
    let error = io::Error::from_raw_os_error(libc::EEXIST);
    bench.kernel().enter_results.push_back(Err(error));
    bench.kernel().result(0, 100, false);
    let told = results(&mut bench);
    let [first, second, third, fourth] = keys;
    let cancelled = Err(libc::ECANCELED);
    let want = [
        (first, Ok(100)),
        (second, Err(libc::EEXIST)),
        (third, cancelled),
        (fourth, cancelled),
    ];
    assert_eq!(told, want);
    assert_eq!((bench.engine.in_flight(), bench.free_slots()), (0, 8));
    bench.kernel().room = 4;
    let [next] = plainly(&mut bench);
    assert_eq!(queued(&mut bench)[1..], [next.to_bits()], "it is tried");
}

#[test]
fn datagrams_that_may_get_lost_do_not_wait() {
    let mut bench = bench(4);
    let keys: [Key; 3] = plainly(&mut bench);
    assert_eq!(queued(&mut bench), keys.map(Key::to_bits));
}
