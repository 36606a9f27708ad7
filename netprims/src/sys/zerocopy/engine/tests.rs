//! The engine against a scripted kernel: parts, wrapped and merged ranges, failures that count, and the way out.

use std::ops::Range;

use rstest::rstest;

use super::super::fake::{Answer, Fake};
use super::super::outcome::{Refusal, Taken};
use super::*;
use crate::sys::defect;
use crate::sys::memory::{Mapping, Pool, Shape, Slot};
use crate::sys::usage::Usage;

mod counting;
mod properties;

const SLOT: u32 = 1000;
/// Shorter sends are plain.
const THRESHOLD: usize = 100;

struct Bench {
    engine: Engine<Fake>,
    pool: Pool,
    /// Every byte that was given, in order.
    given: Vec<u8>,
    /// What came back when the rest of a buffer was taken.
    flushed: Reaped,
}

fn bench(is_stream: bool, in_flight: usize) -> Bench {
    bench_from(u32::MAX - 1, is_stream, in_flight)
}

fn bench_from(first: u32, is_stream: bool, in_flight: usize) -> Bench {
    let limits = Limits {
        threshold: THRESHOLD,
        in_flight,
        copies_when_full: true,
        give_up_after: 0,
    };
    let shape = Shape::of_pages(16, SLOT).unwrap();
    Bench {
        engine: Engine::counting_from(first, Fake::new(is_stream, first), limits),
        pool: Pool::new(Mapping::anonymous(shape.bytes()).unwrap(), shape, None),
        given: Vec::new(),
        flushed: Reaped::default(),
    }
}

fn addresses(slot: &Slot) -> Range<usize> {
    let start = slot.address().addr();
    start..start + slot.capacity()
}

impl Bench {
    fn kernel(&mut self) -> &mut Fake {
        self.engine.kernel_mut()
    }

    fn slot(&mut self, len: usize) -> Slot {
        let mut slot = self.pool.take().unwrap();
        assert!(slot.set_len(len));
        let mark = u8::try_from(self.given.len() % 251).unwrap();
        slot.bytes_mut().fill(mark);
        slot
    }

    fn send(&mut self, len: usize) -> Result<Taken, (Slot, Refusal)> {
        let slot = self.slot(len);
        let bytes = slot.bytes().to_vec();
        let taken = self.engine.send(slot, None);
        if matches!(taken, Ok(Taken::Copied(_) | Taken::Held { .. })) {
            self.given.extend(bytes);
        }
        taken
    }

    /// The ticket of a send that is in flight, and what the stream had no room for.
    fn held(&mut self, len: usize) -> (u64, usize) {
        match self.send(len) {
            Ok(Taken::Held { ticket, rest }) => (ticket, rest),
            other => panic!("{}", what(&other)),
        }
    }

    /// Goes on with the rest of a buffer; how much is left then.
    fn go_on(&mut self) -> Result<usize, Refusal> {
        if let Some(outcome) = self.engine.go_on()? {
            self.flushed.take(outcome, self.engine.kernel());
        }
        Ok(self.engine.rest())
    }

    /// All that came back. A slot that does while the kernel may read it is an early one.
    fn reap(&mut self) -> Reaped {
        let mut reaped = std::mem::take(&mut self.flushed);
        while let Some(outcome) = self.engine.next().unwrap() {
            reaped.take(outcome, self.engine.kernel());
        }
        reaped
    }

    /// Slots of the pool that are free although the kernel may read them.
    fn free_too_early(&self) -> usize {
        let free: Vec<_> = std::iter::from_fn(|| self.pool.take()).collect();
        let early = |slot: &&Slot| self.engine.kernel().reads(&addresses(slot));
        free.iter().filter(early).count()
    }
}

#[derive(Debug, Default)]
struct Reaped {
    released: Vec<(u64, usize, Usage)>,
    others: Vec<Message>,
    early: usize,
}

impl Reaped {
    fn take(&mut self, outcome: Outcome, kernel: &Fake) {
        match outcome {
            Outcome::Released {
                ticket,
                slot,
                bytes,
                usage,
            } => {
                self.early += usize::from(kernel.reads(&addresses(&slot)));
                self.released.push((ticket, bytes, usage));
            }
            Outcome::Other(message) => self.others.push(message),
        }
    }
}

fn what(taken: &Result<Taken, (Slot, Refusal)>) -> String {
    match taken {
        Ok(Taken::Copied(_)) => "copied".to_owned(),
        Ok(Taken::Held { ticket, rest }) => format!("held {ticket} {rest}"),
        Ok(Taken::Doubtful { ticket, error }) => {
            format!("doubtful {ticket} {}", error.raw_os_error().unwrap_or(0))
        }
        Err((_, Refusal::Full(limit))) => format!("{limit:?}"),
        Err((_, Refusal::System(error))) => format!("errno {}", error.raw_os_error().unwrap_or(0)),
    }
}

#[test]
fn each_buffer_comes_back_when_its_number_does() {
    let mut bench = bench(true, 8);
    let tickets: Vec<_> = (0..4).map(|_| bench.held(500).0).collect();
    assert_eq!(bench.reap().released, []);
    // The numbers pass 2^32 - 1.
    bench.kernel().finish(1, 2, false);
    let middle = [
        (tickets[1], 500, Usage::ZeroCopied),
        (tickets[2], 500, Usage::ZeroCopied),
    ];
    assert_eq!(bench.reap().released, middle);
    bench.kernel().finish(1, 1, true);
    assert_eq!(bench.reap().released, [(tickets[3], 500, Usage::Copied)]);
    bench.kernel().finish(0, 1, false);
    assert_eq!(
        bench.reap().released,
        [(tickets[0], 500, Usage::ZeroCopied)]
    );
    let totals = bench.engine.totals();
    assert_eq!(
        (totals.buffers, totals.zero_copied, totals.copied),
        (4, 1500, 500)
    );
    assert_eq!(bench.engine.in_flight(), 0);
}

#[test]
fn below_the_threshold_the_buffer_is_back_at_once() {
    let mut bench = bench(true, 8);
    for len in [0, 1, THRESHOLD - 1] {
        assert_eq!(what(&bench.send(len)), "copied");
    }
    bench.held(THRESHOLD);
    assert_eq!(bench.kernel().sends, [false, false, false, true]);
    assert_eq!(bench.engine.totals().plain, 100);
}

#[test]
fn what_a_stream_had_no_room_for_goes_before_the_next() {
    let mut bench = bench(true, 8);
    bench.kernel().answers.push_back(Answer::Take(300));
    let (ticket, rest) = bench.held(1000);
    assert_eq!((rest, bench.engine.rest()), (700, 700));
    bench.kernel().finish(0, 1, false);
    assert_eq!(bench.reap().released, [], "a part of it is not sent");
    assert_eq!(what(&bench.send(200)), format!("errno {}", libc::EAGAIN));
    bench.kernel().answers.push_back(Answer::Fail(libc::EAGAIN));
    assert_eq!(bench.go_on().unwrap(), 700);
    // The last 50 bytes are below the threshold.
    bench.kernel().answers.push_back(Answer::Take(650));
    assert_eq!(bench.go_on().unwrap(), 50);
    assert_eq!(bench.go_on().unwrap(), 0);
    assert_eq!(bench.reap().released, []);
    bench.kernel().finish(0, 1, false);
    assert_eq!(bench.reap().released, [(ticket, 1000, Usage::Copied)]);
    assert_eq!(bench.engine.kernel().taken, bench.given);
}

#[test]
fn a_plain_send_that_was_cut_is_released_when_all_is_taken() {
    let mut bench = bench(true, 8);
    bench
        .kernel()
        .answers
        .extend([Answer::Take(10), Answer::Take(20)]);
    let (ticket, rest) = bench.held(90);
    assert_eq!(rest, 80);
    assert_eq!(bench.go_on().unwrap(), 60);
    assert_eq!(bench.reap().released, []);
    assert_eq!(bench.go_on().unwrap(), 0);
    assert_eq!(bench.reap().released, [(ticket, 90, Usage::Copied)]);
}

#[test]
fn a_broken_stream_keeps_the_rest_until_it_is_closed() {
    let mut bench = bench(true, 8);
    bench
        .kernel()
        .answers
        .extend([Answer::Take(300), Answer::Fail(libc::EPIPE)]);
    let (ticket, _) = bench.held(1000);
    let error = bench.go_on().unwrap_err();
    assert!(matches!(error, Refusal::System(error) if error.raw_os_error() == Some(libc::EPIPE)));
    assert_eq!(bench.engine.rest(), 700);
    assert!(bench.engine.give_up().is_none(), "the kernel reads it");
    bench.kernel().finish(0, 1, false);
    assert_eq!(bench.reap().released, [(ticket, 300, Usage::ZeroCopied)]);
}

#[rstest]
#[case::room_in_the_kernel(true, true, "copied")]
#[case::room_in_the_kernel_or_none(true, false, "Kernel")]
#[case::datagram(false, true, "copied")]
#[case::datagram_or_none(false, false, "Kernel")]
fn without_room_it_copies_or_refuses(
    #[case] is_stream: bool,
    #[case] copies: bool,
    #[case] want: &str,
) {
    let mut bench = bench(is_stream, 8);
    bench.engine.limits.copies_when_full = copies;
    bench
        .kernel()
        .answers
        .push_back(Answer::Fail(libc::ENOBUFS));
    assert_eq!(what(&bench.send(500)), want);
    assert_eq!(bench.engine.totals().full, u64::from(copies));
    bench.held(500);
    assert_eq!(bench.engine.state(), State::ZeroCopy);
}

#[rstest]
#[case(true, "copied")]
#[case(false, "InFlight")]
fn more_than_can_be_in_flight_are_copied_or_refused(#[case] copies: bool, #[case] want: &str) {
    let mut bench = bench(true, 2);
    bench.engine.limits.copies_when_full = copies;
    bench.held(500);
    bench.held(500);
    assert_eq!(what(&bench.send(500)), want);
    bench.kernel().finish(0, 1, false);
    bench.reap();
    bench.held(500);
}

#[test]
fn a_path_that_copies_gets_plain_sends_and_now_and_then_another_chance() {
    let mut bench = bench(true, 8);
    bench.engine.limits.give_up_after = 3;
    let mut send = |copied| {
        let taken = what(&bench.send(500));
        bench.kernel().finish(0, 1, copied);
        bench.reap();
        (taken == "copied", bench.engine.state())
    };
    // One that is not copied begins the count anew.
    for copied in [true, true, false, true, true] {
        assert_eq!(send(copied), (false, State::ZeroCopy));
    }
    assert_eq!(send(true), (false, State::GivenUp));
    for round in 0..2 {
        for _ in 0..255 {
            assert_eq!(send(true), (true, State::GivenUp));
        }
        let is_over = round == 1;
        let state = if is_over {
            State::ZeroCopy
        } else {
            State::GivenUp
        };
        assert_eq!(send(!is_over), (false, state));
    }
    assert_eq!(send(true), (false, State::ZeroCopy));
}

#[test]
fn a_stream_that_refuses_twice_gets_plain_sends() {
    let mut bench = bench(true, 8);
    let refuses = Answer::Fail(libc::EOPNOTSUPP);
    bench.kernel().answers.push_back(refuses);
    bench.held(500);
    assert_eq!(
        bench.engine.state(),
        State::ZeroCopy,
        "it was an ICMP message"
    );
    bench.kernel().answers.extend([refuses, refuses]);
    assert_eq!(what(&bench.send(500)), "copied");
    assert_eq!(what(&bench.send(500)), "copied");
    assert_eq!(bench.engine.state(), State::Refused);
    assert_eq!(bench.kernel().sends, [true, false, false]);
}

#[test]
fn other_messages_are_handed_out_also_those_a_failed_send_came_upon() {
    let mut bench = bench(false, 8);
    let other = Received::Other(Message::empty());
    let ticket = bench.held(500).0;
    bench.kernel().posted.extend([other.clone(), other.clone()]);
    bench.kernel().finish(0, 1, true);
    bench.kernel().knows_mtu = true;
    bench.kernel().answers.push_back(Answer::Fail(libc::EPERM));
    assert_eq!(what(&bench.send(500)), format!("errno {}", libc::EPERM));
    bench.kernel().posted.push_back(other);
    assert!(bench.engine.has_news());
    let reaped = bench.reap();
    assert_eq!(reaped.others.len(), 3);
    assert_eq!(reaped.released, [(ticket, 500, Usage::Copied)]);
}

#[test]
fn what_is_left_to_the_kernel_has_other_pages() {
    let mut bench = bench(true, 8);
    bench.held(500);
    bench.kernel().answers.push_back(Answer::Take(10));
    bench.held(90);
    assert!(
        bench.engine.give_up().is_some(),
        "the kernel has copied what it took"
    );
    let abandoned = bench.engine.abandon();
    assert_eq!(
        abandoned,
        Abandoned {
            renewed: 1,
            leaked: 0
        }
    );
    assert_eq!(bench.pool.outstanding(), 0);
}

#[test]
fn a_forgotten_engine_keeps_its_slots() {
    let mut bench = bench(true, 8);
    bench.held(500);
    let Bench { engine, pool, .. } = bench;
    std::mem::forget(engine);
    assert_eq!(pool.outstanding(), 1);
}

/// Two sends, of which the second is done first.
fn out_of_order() -> bool {
    let mut bench = bench(true, 8);
    bench.held(500);
    bench.held(500);
    bench.kernel().finish(1, 1, false);
    bench.reap().early > 0
}

/// A buffer in two parts, of which the first is done before the second is sent.
fn in_parts() -> bool {
    let mut bench = bench(true, 8);
    bench.kernel().answers.push_back(Answer::Take(300));
    bench.held(1000);
    bench.kernel().finish(0, 1, false);
    bench.reap();
    let _ = bench.go_on();
    bench.engine.kernel().taken != bench.given
}

/// A datagram that a firewall refused, and one behind it.
fn after_a_failure_that_counts() -> bool {
    let mut bench = bench(false, 8);
    bench
        .kernel()
        .answers
        .push_back(Answer::FailCounted(libc::EPERM));
    assert!(bench.send(500).is_err());
    bench.held(500);
    bench.reap().early > 0
}

#[rstest]
#[case::order(Defect::ReleaseUpToTheLast, out_of_order)]
#[case::parts(Defect::ReleaseAtFirstPiece, in_parts)]
#[case::count(Defect::MiscountFailures, after_a_failure_that_counts)]
fn a_defect_is_noticed(#[case] bug: Defect, #[case] is_wrong: fn() -> bool) {
    assert!(!defect::with(None, is_wrong));
    assert!(defect::with(Some(bug), is_wrong), "{bug:?} was not noticed");
}
