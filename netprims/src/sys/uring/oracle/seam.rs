//! A kernel that says anything at all, about every kind of request at once: results that are late, repeated, out of order
//! or of nothing. Whatever it says, memory is given back once, and only after it has said so of every request that uses
//! it; what is kept of what was received is nobody else's.

use std::collections::HashMap;
use std::fs::File;
use std::net::{SocketAddr, TcpListener};
use std::ops::Range;
use std::os::unix::net::UnixStream;
use std::panic::catch_unwind;
use std::time::Duration;

use proptest::prelude::*;
use proptest::test_runner::{RngAlgorithm, TestRng, TestRunner};
use rstest::rstest;

use super::super::fake::Fake;
use super::super::kernel::{Completion, Operation};
use super::super::{Engine, Giving, GroupHandle, Key, Outcome, Piece, Wish};
use crate::sys::defect::{self, Defect};
use crate::sys::memory::{Pool, Shape};

const SLOTS: u32 = 4;
const SLOT: u32 = 4096;

/// What the kernel says next.
#[derive(Clone, Copy, Debug)]
struct Said {
    /// Of which of the requests so far; of none if it is false.
    of: Option<prop::sample::Index>,
    result: i32,
    more: bool,
    notification: bool,
    buffer: Option<u16>,
    buffer_more: bool,
}

fn said() -> impl Strategy<Value = Said> {
    let result = prop_oneof![
        4 => 0..=10_000_i32,
        1 => Just(-libc::EOPNOTSUPP),
        1 => Just(-libc::ENOBUFS),
        1 => Just(-libc::ECANCELED),
        1 => Just(i32::MIN),
        1 => -40..0_i32,
    ];
    let of = prop_oneof![
        9 => any::<prop::sample::Index>().prop_map(Some),
        1 => Just(None),
    ];
    let buffer = prop_oneof![Just(None), (0..6_u16).prop_map(Some)];
    let flags = any::<(bool, bool, bool)>();
    (of, result, buffer, flags).prop_map(
        |(of, result, buffer, (more, notification, buffer_more))| Said {
            of,
            result,
            more,
            notification,
            buffer,
            buffer_more,
        },
    )
}

/// A ring with every kind of request in flight, and what was seen of them.
struct Confused {
    engine: Engine<Fake>,
    pool: Pool,
    groups: Vec<GroupHandle>,
    /// What is sent to.
    socket: Key,
    /// All that was posted.
    posted: Vec<Completion>,
    /// Whether a send was told to be sent, while it is in flight.
    sends: HashMap<Key, bool>,
    /// What was received and is kept, with where it lies.
    kept: Vec<(Range<usize>, Piece)>,
}

impl Confused {
    fn new() -> Self {
        let mut engine = Engine::new(Fake::new(), 32, Duration::ZERO);
        let shape = Shape::new(SLOTS, SLOT).unwrap();
        let pool = engine.pool(shape).unwrap().unwrap();
        let ring = |is_incremental, is_bundling| Giving::Ring {
            is_incremental,
            is_bundling,
        };
        let ways = [
            Giving::OneByOne,
            ring(false, false),
            ring(false, true),
            ring(true, false),
        ];
        let groups = ways.map(|way| engine.group(shape, way).unwrap().unwrap());
        let near = UnixStream::pair().unwrap().0;
        let socket = engine.add(near.into()).unwrap();
        let mut confused = Self {
            engine,
            pool,
            groups: groups.into(),
            socket,
            posted: Vec::new(),
            sends: HashMap::new(),
            kept: Vec::new(),
        };
        confused.ask();
        confused
    }

    /// One request of each kind.
    fn ask(&mut self) {
        let Self { engine, groups, .. } = &mut *self;
        let stream = || UnixStream::pair().unwrap().0;
        for group in groups {
            let socket = engine.add(stream().into()).unwrap();
            engine.receive(socket, group).unwrap();
        }
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let listener = engine.add(listener.into()).unwrap();
        engine.accept(listener).unwrap();
        let socket = engine.add(stream().into()).unwrap();
        let to = || SocketAddr::from(([127, 0, 0, 1], 9)).into();
        engine.connect(socket, to(), None).unwrap();
        let limit = Duration::from_secs(1);
        engine.connect(socket, to(), Some(limit)).unwrap();
        engine.timeout(limit).unwrap();
        engine.shutdown(socket, libc::SHUT_WR).unwrap();
        engine.enter(None).unwrap();
        self.send(true);
        self.send(false);
    }

    /// Sends, if there is a slot, and hands it over.
    fn send(&mut self, zero_copy: bool) {
        let Some(slot) = self.pool.take() else { return };
        let wish = if zero_copy {
            Wish::ZeroCopy
        } else {
            Wish::Plain
        };
        let sent = self.engine.send(self.socket, slot, wish);
        self.sends.insert(sent.map_err(|_| ()).unwrap(), false);
        self.engine.enter(None).unwrap();
    }

    fn post(&mut self, said: Said) {
        let kernel = self.engine.kernel_mut();
        let request = said.of.map(|of| *of.get(&kernel.pushed));
        let is_accept =
            request.is_some_and(|request| matches!(request.operation, Operation::Accept));
        let completion = Completion {
            // No key has these bits.
            user_data: request.map_or(1 << 40 | 1 << 20, |request| request.user_data),
            result: if is_accept {
                said.result.min(-1)
            } else {
                said.result
            },
            more: said.more,
            notification: said.notification,
            buffer: said.buffer,
            buffer_more: said.buffer_more,
            ..Completion::default()
        };
        if is_accept && said.result > 0 {
            // A number that is nobody's is what an accept's result is.
            let nth = kernel
                .pushed
                .iter()
                .position(|pushed| pushed.user_data == completion.user_data);
            let file = File::open("/dev/null").unwrap();
            kernel.accepted(nth.unwrap(), file.into(), said.more);
        } else {
            kernel.posted.push_back(completion);
        }
        self.posted.push(completion);
    }

    /// Takes what there is to be told.
    fn poll(&mut self) -> Result<(), TestCaseError> {
        while let Some(outcome) = self.engine.next() {
            match outcome {
                Outcome::Sent { key, .. } => {
                    let was_sent = self.sends.insert(key, true);
                    prop_assert_eq!(was_sent, Some(false), "once, while it is in flight");
                }
                Outcome::Released { key, released } => {
                    drop(released);
                    prop_assert_eq!(
                        self.sends.remove(&key),
                        Some(true),
                        "once, after it was sent"
                    );
                    prop_assert!(self.is_over(key), "the kernel may still read it");
                }
                Outcome::Received { mut claim, .. } => {
                    let areas = self.engine.areas();
                    let bytes = areas.lend(&mut claim).bytes().as_ptr_range();
                    let range = bytes.start.addr()..bytes.end.addr();
                    prop_assert!(range.len() <= SLOT as usize);
                    let mut others = self.kept.iter().map(|(kept, _)| kept);
                    let is_apart =
                        others.all(|kept| kept.end <= range.start || range.end <= kept.start);
                    prop_assert!(is_apart, "received into what is kept");
                    if self.kept.len() < 6 {
                        let piece = areas.lend(&mut claim).detach();
                        self.kept.extend(piece.map(|piece| (range, piece)));
                    }
                    self.engine.give_back(claim);
                }
                _ => {}
            }
            prop_assert_eq!(self.pool.outstanding() as usize, self.sends.len());
        }
        // Sometimes refused sends go again, and receives are armed again.
        self.engine.enter(None).unwrap();
        Ok(())
    }

    /// Whether the kernel has said of every request of a send that nothing more comes.
    fn is_over(&mut self, key: Key) -> bool {
        let bits = key.to_bits();
        let kernel = self.engine.kernel_mut();
        let requests = kernel
            .pushed
            .iter()
            .filter(|pushed| pushed.user_data == bits);
        let read = self.posted.len() - kernel.posted.len();
        let last = self.posted[..read]
            .iter()
            .filter(|said| said.user_data == bits && !said.more);
        last.count() >= requests.count()
    }
}

/// Lets the kernel say all this.
fn play(script: Vec<(Said, bool)>) -> Result<(), TestCaseError> {
    let mut confused = Confused::new();
    for (said, polls) in script {
        confused.post(said);
        if polls {
            confused.poll()?;
            confused.send(true);
        }
    }
    confused.poll()?;
    let Confused {
        engine,
        pool,
        sends,
        kept,
        ..
    } = confused;
    drop(engine);
    // What has not come back is not free: leaked, or given back by the last completions.
    let free = std::iter::from_fn(|| pool.take())
        .map(std::mem::forget)
        .count();
    prop_assert!(free >= SLOTS as usize - sends.len());
    let is_whole = |(range, piece): &(Range<usize>, Piece)| piece.bytes().len() == range.len();
    prop_assert!(kept.iter().all(is_whole));
    Ok(())
}

/// The first script that shows a fault, if one does.
fn fault(seeded: Option<Defect>) -> Option<String> {
    let config = ProptestConfig::default();
    // With a defect, one script that shows it is enough, and there must be one each time.
    let (cases, max_shrink_iters) = match seeded {
        Some(_) => (10_000, 0),
        None => (config.cases, config.max_shrink_iters),
    };
    let config = ProptestConfig {
        cases,
        max_shrink_iters,
        failure_persistence: None,
        ..config
    };
    let mut runner = match seeded {
        Some(_) => {
            TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha))
        }
        None => TestRunner::new(config),
    };
    let script = prop::collection::vec((said(), any::<bool>()), 0..60);
    let played = runner.run(&script, |script| {
        let played = catch_unwind(|| defect::with(seeded, || play(script)));
        played.unwrap_or_else(|_| Err(TestCaseError::fail("panicked")))
    });
    played.err().map(|fault| fault.to_string())
}

#[test]
fn whatever_the_kernel_says_memory_has_one_owner() {
    assert_eq!(fault(None), None);
}

#[rstest]
#[case::release_at_first_completion(Defect::ReleaseAtFirstCompletion)]
#[case::trust_a_stale_id(Defect::TrustAStaleId)]
#[case::lend_what_is_read(Defect::LendWhatIsRead)]
fn a_defect_is_noticed(#[case] bug: Defect) {
    assert!(fault(Some(bug)).is_some(), "{bug:?} was not noticed");
}
