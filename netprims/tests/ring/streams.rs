//! Streams whose every byte is known, and a ring that checks them as they come.

use std::io::Write;
use std::os::fd::OwnedFd;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use netprims::ring::{
    Event, ReceiveEnd, Ring, Rung, RxBuf, RxPlan, RxPool, RxStats, Socket, Strays, Ticket, Wait,
};

use super::{LIMIT, PATIENCE};

/// A plan that leads to each way of receiving, where the kernel has it.
pub(super) fn plan(way: &str, slots: u32, slot_len: u32) -> RxPlan {
    let plan = RxPlan::new(slots, slot_len);
    match way {
        "plain" => plan.at_most(Rung::Plain),
        "multishot" => plan.bundles(false),
        "bundles" => plan,
        "incremental" => plan.incremental(true),
        _ => unreachable!(),
    }
}

/// The byte at a place of the stream: no slot and no page looks like another.
pub(super) fn byte(at: usize) -> u8 {
    let number = u64::try_from(at)
        .unwrap()
        .wrapping_mul(0x9e37_79b9_7f4a_7c15);
    number.to_be_bytes()[0]
}

/// How many bytes are not those of the stream.
pub(super) fn wrong(from: usize, bytes: &[u8]) -> usize {
    let places = from..;
    bytes
        .iter()
        .zip(places)
        .filter(|(got, at)| **got != byte(*at))
        .count()
}

/// Numbers that look random and are the same each time.
pub(super) struct Dice(u64);

impl Dice {
    pub(super) fn new() -> Self {
        Self(1)
    }

    pub(super) fn below(&mut self, limit: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % limit
    }
}

/// Writes the stream in pieces of a byte to a mebibyte, and closes it.
pub(super) fn write_stream(mut far: impl Write + Send + 'static, total: usize) -> JoinHandle<()> {
    std::thread::spawn(move || {
        let stream: Vec<u8> = (0..total).map(byte).collect();
        let (mut dice, mut rest) = (Dice::new(), &stream[..]);
        while !rest.is_empty() {
            let most = 1 << dice.below(21);
            let (now, later) = rest.split_at((1 + dice.below(most)).min(rest.len()));
            far.write_all(now).unwrap();
            rest = later;
        }
    })
}

/// A stream that is received and checked as it comes.
pub(super) struct Reader {
    pub(super) ring: Ring,
    pub(super) pool: RxPool,
    pub(super) ticket: Ticket,
    pub(super) received: usize,
    pub(super) wrong: usize,
    pub(super) end: Option<ReceiveEnd>,
}

impl Reader {
    pub(super) fn new(near: impl Into<OwnedFd>, plan: &RxPlan) -> Self {
        let ring = Ring::builder().in_flight(16).build().unwrap();
        Self::of(ring, near, plan)
    }

    pub(super) fn of(mut ring: Ring, near: impl Into<OwnedFd>, plan: &RxPlan) -> Self {
        let pool = ring.rx_pool(plan).unwrap();
        let socket = ring.add(near).unwrap();
        let ticket = ring.receive(socket, &pool).unwrap();
        Self {
            ring,
            pool,
            ticket,
            received: 0,
            wrong: 0,
            end: None,
        }
    }

    /// Polls once; `keep` gets each chunk that is to be kept, with its place in the stream.
    pub(super) fn poll(
        &mut self,
        wait: Wait,
        mut keep: impl FnMut(usize) -> bool,
    ) -> Vec<(usize, RxBuf)> {
        let mut kept = Vec::new();
        let Self {
            ring,
            ticket,
            received,
            wrong: bad,
            end,
            ..
        } = self;
        ring.poll(wait, |event| match event {
            Event::Received {
                ticket: which,
                chunk,
                ..
            } => {
                assert_eq!(which, *ticket);
                assert!(end.is_none(), "a chunk behind the end");
                let at = *received;
                *bad += wrong(at, &chunk);
                *received += chunk.len();
                if keep(at) {
                    kept.push((at, chunk.detach()));
                }
            }
            Event::ReceiveEnded {
                ticket: which,
                end: why,
                ..
            } => {
                assert_eq!(which, *ticket);
                assert!(end.replace(why).is_none(), "the end is told twice");
            }
            other => panic!("{other:?}"),
        })
        .unwrap();
        kept
    }

    pub(super) fn is_over(&self) -> bool {
        self.end.is_some()
    }

    /// Polls until the receive has ended.
    pub(super) fn cancelled(&mut self) -> ReceiveEnd {
        let deadline = Instant::now() + PATIENCE;
        loop {
            assert!(Instant::now() < deadline, "it never ended");
            self.poll(Wait::AtMost(Duration::from_millis(2)), |_| false);
            if let Some(end) = self.end.take() {
                return end;
            }
        }
    }

    pub(super) fn stats(&self) -> RxStats {
        self.pool.stats()
    }

    pub(super) fn assert_whole(&self, total: usize) {
        assert_eq!((self.received, self.wrong), (total, 0));
        assert!(
            matches!(self.end, Some(ReceiveEnd::Closed)),
            "{:?}",
            self.end
        );
        assert_eq!(self.stats().bytes, u64::try_from(total).unwrap());
        assert_eq!(self.ring.strays(), Strays::default());
        assert_eq!(self.ring.in_flight(), 0);
        assert_eq!(self.pool.outstanding(), 0);
    }
}

/// Polls until a receive has ended; how, and how many bytes came before.
pub(super) fn finish(ring: &mut Ring, ticket: Ticket) -> (ReceiveEnd, usize) {
    let (mut told, mut bytes) = (None, 0);
    let deadline = Instant::now() + PATIENCE;
    while told.is_none() {
        assert!(Instant::now() < deadline, "it never ended");
        ring.poll(LIMIT, |event| match event {
            Event::Received { chunk, .. } => bytes += chunk.len(),
            Event::ReceiveEnded {
                ticket: which, end, ..
            } => {
                assert_eq!(which, ticket);
                told = Some(end);
            }
            other => panic!("{other:?}"),
        })
        .unwrap();
    }
    assert_eq!((ring.in_flight(), ring.strays()), (0, Strays::default()));
    (told.unwrap(), bytes)
}

pub(super) fn receiving(near: impl Into<OwnedFd>, way: &str) -> (Ring, RxPool, Socket, Ticket) {
    let mut ring = Ring::builder().build().unwrap();
    let pool = ring.rx_pool(&plan(way, 4, 4096)).unwrap();
    let socket = ring.add(near).unwrap();
    let ticket = ring.receive(socket, &pool).unwrap();
    (ring, pool, socket, ticket)
}
