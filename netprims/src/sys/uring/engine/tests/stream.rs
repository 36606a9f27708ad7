//! Whatever happens to the sends of a stream: a model of the peer says what it may see.

use std::collections::HashMap;

use proptest::prelude::*;

use super::*;
use crate::sys::uring::kernel::Operation;

#[derive(Clone, Debug)]
enum Step {
    /// Sends so many bytes.
    Send {
        len: usize,
        zero_copy: bool,
        limited: bool,
    },
    /// Sends so many buffers as one.
    Message {
        buffers: usize,
        zero_copy: bool,
        limited: bool,
    },
    /// The kernel finishes what it has: it takes a share of the bytes, of 255.
    Take {
        share: u8,
    },
    Fail {
        errno: i32,
    },
    /// The time of what the kernel has is up, when a share of the bytes is taken.
    TimeIsUp {
        share: u8,
    },
    /// From now on limits complete so.
    LimitsCome {
        when: When,
    },
    /// The limits that come later do.
    Come,
    /// The oldest notification that is owed comes.
    Notify,
    Cancel {
        which: usize,
    },
    /// The kernel takes no requests, until it does again.
    Refuse {
        refuses: bool,
    },
}

/// When a limit completes, seen from what it limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum When {
    Before,
    Behind,
    Later,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0_usize..=100, any::<bool>(), any::<bool>())
            .prop_map(|(len, zero_copy, limited)| Step::Send { len, zero_copy, limited }),
        2 => (1_usize..=5, any::<bool>(), any::<bool>())
            .prop_map(|(buffers, zero_copy, limited)| Step::Message { buffers, zero_copy, limited }),
        4 => Just(Step::Take { share: 255 }),
        1 => any::<u8>().prop_map(|share| Step::Take { share }),
        1 => prop::sample::select(vec![libc::EPIPE, libc::ECANCELED, libc::EOPNOTSUPP])
            .prop_map(|errno| Step::Fail { errno }),
        1 => prop_oneof![Just(0), any::<u8>()].prop_map(|share| Step::TimeIsUp { share }),
        1 => prop::sample::select(vec![When::Before, When::Behind, When::Later])
            .prop_map(|when| Step::LimitsCome { when }),
        1 => Just(Step::Come),
        2 => Just(Step::Notify),
        1 => any::<usize>().prop_map(|which| Step::Cancel { which }),
        1 => any::<bool>().prop_map(|refuses| Step::Refuse { refuses }),
    ]
}

/// The stream as the peer sees it, and what the sender is told.
struct Model {
    bench: Bench,
    /// Which send each buffer is of.
    owners: HashMap<usize, Key>,
    sent: Vec<(Key, usize)>,
    /// Requests that are finished.
    done: usize,
    owed: VecDeque<usize>,
    when: When,
    /// Limits that are still to complete, and how.
    limits: VecDeque<(usize, i32)>,
    /// What the peer has, as runs of bytes of one send.
    taken: Vec<(Key, usize)>,
    /// With how many sends were queued by then.
    told: Vec<(Key, Result<u32, i32>, usize)>,
    released: usize,
    slots: usize,
}

const SLOTS: u32 = 24;

impl Model {
    fn new() -> Self {
        let socket = UnixStream::pair().unwrap().0.into();
        Self {
            bench: bench_of(socket, SLOTS, SLOTS),
            owners: HashMap::new(),
            sent: Vec::new(),
            done: 0,
            owed: VecDeque::new(),
            when: When::Behind,
            limits: VecDeque::new(),
            taken: Vec::new(),
            told: Vec::new(),
            released: 0,
            slots: 0,
        }
    }

    fn send(&mut self, lens: &[usize], zero_copy: bool, limited: bool) {
        let mut slots = Vec::new();
        for len in lens {
            let Some(mut slot) = self.bench.pool.take() else {
                return;
            };
            assert!(slot.set_len(*len));
            slots.push(slot);
        }
        let wish = if zero_copy {
            Wish::ZeroCopy
        } else {
            Wish::Plain
        };
        let addresses: Vec<_> = slots.iter().map(|slot| slot.address().addr()).collect();
        let Bench { engine, socket, .. } = &mut self.bench;
        if engine.check_message(*socket, slots.iter()).is_err() {
            return;
        }
        let count = slots.len();
        let key = engine
            .put_together(*socket, slots.into_iter(), wish)
            .unwrap();
        if limited {
            engine.limit(key, Duration::from_secs(1));
        }
        if engine.start_message(key, *socket, drop).is_ok() {
            self.slots += count;
            self.sent.push((key, lens.iter().sum()));
            self.owners
                .extend(addresses.into_iter().map(|at| (at, key)));
        }
    }

    /// What the request that is not finished names, if the kernel was handed it.
    fn underway(&mut self) -> Option<(usize, Vec<(usize, usize)>)> {
        let _ = self.bench.engine.enter(None);
        let kernel = self.bench.kernel();
        let handed_over = kernel.pushed.len() - kernel.queued;
        let mut messages = kernel.messages.iter();
        let mut found = None;
        for (nth, request) in kernel.pushed[..handed_over].iter().enumerate() {
            let ranges = match request.operation {
                Operation::Send { address, len, .. } => {
                    vec![(address.addr(), usize::try_from(len).unwrap())]
                }
                Operation::SendMessage { .. } => messages.next().unwrap().clone(),
                _ => continue,
            };
            if nth >= self.done {
                assert!(found.is_none(), "the kernel has two requests of a stream");
                found = Some((nth, ranges));
            }
        }
        found
    }

    fn take(&mut self, share: u8) {
        if let Some((nth, ranges)) = self.underway() {
            let bytes = self.take_of(ranges, share);
            self.finish(nth, bytes, -libc::ECANCELED);
        }
    }

    /// The peer takes a share of the bytes.
    fn take_of(&mut self, ranges: Vec<(usize, usize)>, share: u8) -> i32 {
        let all: usize = ranges.iter().map(|range| range.1).sum();
        let bytes = all * usize::from(share) / 255;
        let mut left = bytes;
        for (address, len) in ranges {
            let here = left.min(len);
            self.taken.push((self.owners[&address], here));
            left -= here;
        }
        i32::try_from(bytes).unwrap()
    }

    fn time_is_up(&mut self, share: u8) {
        let Some((nth, ranges)) = self.underway() else {
            return;
        };
        if self.limit_of(nth).is_none() {
            return;
        }
        let result = match self.take_of(ranges, share) {
            0 => -libc::ECANCELED,
            bytes => bytes,
        };
        self.finish(nth, result, -libc::ETIME);
    }

    /// The request that limits another.
    fn limit_of(&mut self, nth: usize) -> Option<usize> {
        let next = self.bench.kernel().pushed.get(nth + 1)?;
        let is_limit = matches!(next.operation, Operation::Limit { .. });
        is_limit.then_some(nth + 1)
    }

    fn finish(&mut self, nth: usize, result: i32, of_limit: i32) {
        let owed = self.bench.kernel().is_zero_copy(nth);
        let limit = self.limit_of(nth).map(|limit| (limit, of_limit));
        self.limits.extend(limit);
        if self.when == When::Before {
            self.come();
        }
        self.bench.kernel().result(nth, result, owed);
        if owed {
            self.owed.push_back(nth);
        }
        self.done = nth + 1;
        self.listen();
        if self.when == When::Behind {
            self.come();
        }
    }

    fn come(&mut self) {
        while let Some((limit, result)) = self.limits.pop_front() {
            self.bench.kernel().result(limit, result, false);
        }
        self.listen();
    }

    fn listen(&mut self) {
        while let Some(outcome) = self.bench.engine.next() {
            match outcome {
                Outcome::Sent { key, result } => self.told.push((key, result, self.sent.len())),
                Outcome::Released { .. } => self.released += 1,
                _ => panic!("something else"),
            }
        }
    }

    fn run(&mut self, step: Step) {
        match step {
            Step::Send {
                len,
                zero_copy,
                limited,
            } => self.send(&[len], zero_copy, limited),
            Step::Message {
                buffers,
                zero_copy,
                limited,
            } => self.send(&vec![10; buffers], zero_copy, limited),
            Step::TimeIsUp { share } => self.time_is_up(share),
            Step::LimitsCome { when } => self.when = when,
            Step::Come => self.come(),
            Step::Take { share } => self.take(share),
            Step::Fail { errno } => {
                if let Some((nth, _)) = self.underway() {
                    if errno != libc::EOPNOTSUPP || self.bench.kernel().is_zero_copy(nth) {
                        self.finish(nth, -errno, -libc::ECANCELED);
                    }
                }
            }
            Step::Notify => {
                if let Some(nth) = self.owed.pop_front() {
                    self.bench.kernel().notify(nth, 0);
                    self.listen();
                }
            }
            Step::Cancel { which } => {
                if !self.sent.is_empty() {
                    let key = self.sent[which % self.sent.len()].0;
                    let _ = self.bench.engine.cancel(key);
                    self.listen();
                }
            }
            Step::Refuse { refuses } => {
                let _ = self.bench.engine.enter(None);
                let kernel = self.bench.kernel();
                kernel.room = if refuses { kernel.queued } else { 64 };
            }
        }
    }

    /// Lets everything end.
    fn end(&mut self) {
        self.bench.kernel().room = 64;
        // Each end takes a request at most, and two where it is refused without copying.
        for _ in 0..=2 * self.sent.len() {
            self.come();
            self.take(255);
        }
        while !self.owed.is_empty() {
            self.run(Step::Notify);
        }
    }
}

proptest! {
    #[test]
    fn a_stream_has_each_send_whole_in_order_or_ends_where_a_hole_was_told(
        steps in prop::collection::vec(step(), 0..60),
    ) {
        let mut model = Model::new();
        for step in steps {
            model.run(step);
        }
        model.end();
        // Each is told once, and every slot is back.
        let mut keys: Vec<_> = model.told.iter().map(|told| told.0).collect();
        keys.sort_by_key(|key| key.to_bits());
        keys.dedup();
        prop_assert_eq!(keys.len(), model.told.len());
        prop_assert_eq!(model.told.len(), model.sent.len());
        prop_assert_eq!((model.released, model.bench.engine.in_flight()), (model.slots, 0));
        prop_assert_eq!(model.bench.free_slots(), SLOTS as usize);
        prop_assert_eq!(model.bench.engine.strays(), Strays::default());
        // What was told is what the peer has, in the order it was sent.
        let mut taken = Vec::new();
        for (key, bytes) in &model.taken {
            match taken.last_mut() {
                Some((last, sum)) if last == key => *sum += bytes,
                _ => taken.push((*key, *bytes)),
            }
        }
        taken.retain(|(_, bytes)| *bytes > 0);
        let results: HashMap<_, _> = model.told.iter().map(|told| (told.0, told.1)).collect();
        let want: Vec<_> = model
            .sent
            .iter()
            .map(|(key, _)| (*key, results[key].unwrap_or(0) as usize))
            .filter(|(_, bytes)| *bytes > 0)
            .collect();
        prop_assert_eq!(taken, want);
        // Of what was queued behind a hole before that was told, nothing was taken.
        for (key, result, queued) in &model.told {
            let place = model.sent.iter().position(|sent| sent.0 == *key).unwrap();
            let is_hole = match result {
                Ok(bytes) => (*bytes as usize) < model.sent[place].1,
                Err(errno) => *errno != libc::ECANCELED,
            };
            if is_hole {
                let behind = &model.sent[place + 1..*queued];
                prop_assert!(behind.iter().all(|(key, _)| results[key] == Err(libc::ECANCELED)));
            }
        }
    }
}
