use std::collections::VecDeque;
use std::io::Read;
use std::net::TcpStream;

use netprims::ring::{
    Event, ReceiveEnd, Ring, Rung, RxBuf, RxPlan, RxPool, Strays, Wanted, WhyNot, ZeroCopyRx,
};

use super::pattern::Pattern;
use super::writer::PATIENCE;
use crate::answers::{Has, has, refusal};
use crate::host::kernel;

/// How a stream is received.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Way {
    /// By read(2).
    Read,
    /// By a ring, a request for each chunk.
    Plain,
    /// By a ring, a request for many chunks.
    Multishot,
    /// By a ring, a completion for several slots.
    Bundles,
    /// By a ring, several chunks in a slot.
    Incremental,
    /// By a ring, from a queue registered for it; where the kernel has none without a device, as for bundles.
    ZeroCopy,
}

/// What came out of a stream.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Received {
    bytes: u64,
    /// How many were not what they should be, counted each time they are looked at.
    wrong: u64,
    /// Where the first of them stood.
    first_wrong: Option<u64>,
}

const SLOTS: u32 = 64;
/// Chunks that are kept for a while, while the ring goes on in the other slots.
const KEPT: usize = 16;

impl Way {
    pub(crate) const ALL: [Self; 6] = [
        Self::Read,
        Self::Plain,
        Self::Multishot,
        Self::Bundles,
        Self::Incremental,
        Self::ZeroCopy,
    ];

    /// Another stream for each.
    pub(super) fn seed(self) -> u64 {
        match self {
            Self::Read => 1,
            Self::Plain => 2,
            Self::Multishot => 3,
            Self::Bundles => 4,
            Self::Incremental => 5,
            Self::ZeroCopy => 6,
        }
    }

    /// Asserts that a pool is on the rung it asked for, and has what it asked for there, or what comes next for the reason
    /// that this kernel has.
    fn assert_rung(self, pool: &RxPool) {
        let (has_bundles, has_increments) = (kernel() >= (6, 10), kernel() >= (6, 12));
        let report = pool.report();
        let (rung, bundles, incremental) = match self {
            Self::Read => panic!("a pool to read(2)"),
            Self::Plain => (Rung::Plain, false, false),
            Self::Multishot => (Rung::Multishot, false, false),
            Self::Bundles => (Rung::Multishot, has_bundles, false),
            Self::Incremental => (
                Rung::Multishot,
                has_bundles && !has_increments,
                has_increments,
            ),
            Self::ZeroCopy => match Self::queue_rung(pool) {
                Rung::ZeroCopy => (Rung::ZeroCopy, false, false),
                rung => (rung, has_bundles, false),
            },
        };
        let has = (report.rung, report.bundles, report.incremental);
        assert_eq!(has, (rung, bundles, incremental), "{report}");
    }

    /// The rung of a pool that asked for zero-copy: the next one only if this kernel has no queue, which it says.
    fn queue_rung(pool: &RxPool) -> Rung {
        let report = pool.report();
        let why = match report.why_not(Wanted::ZeroCopy) {
            Some(WhyNot::ZeroCopy(why)) => Some(why.clone()),
            None => None,
            other => panic!("{other:?}"),
        };
        if has() != Has::Untold {
            assert_eq!(why, refusal(&ZeroCopyRx::NoDevice));
        }
        assert_eq!(pool.stats().stepped_down, 0);
        match why {
            None => Rung::ZeroCopy,
            Some(_) => Rung::Multishot,
        }
    }

    /// What leads a ring to it, where the kernel has it.
    fn plan(self) -> Option<RxPlan> {
        let plan = RxPlan::new(SLOTS, 1 << 14);
        match self {
            Self::Read => None,
            Self::Plain => Some(plan.at_most(Rung::Plain)),
            Self::Multishot => Some(plan.at_most(Rung::Multishot).bundles(false)),
            Self::Bundles => Some(plan.at_most(Rung::Multishot)),
            Self::Incremental => Some(plan.at_most(Rung::Multishot).incremental(true)),
            Self::ZeroCopy => Some(plan.zero_copy(ZeroCopyRx::NoDevice)),
        }
    }
}

impl Received {
    pub(crate) fn whole(bytes: u64) -> Self {
        Self {
            bytes,
            wrong: 0,
            first_wrong: None,
        }
    }

    /// Takes what came next.
    fn take(&mut self, bytes: &[u8], pattern: &Pattern) {
        self.look(self.bytes, bytes, pattern);
        self.bytes += u64::try_from(bytes.len()).unwrap();
    }

    /// Looks at what stands at a position.
    fn look(&mut self, position: u64, bytes: &[u8], pattern: &Pattern) {
        let wrong = pattern.wrong(position, bytes);
        if let (None, Some(first)) = (self.first_wrong, wrong.first()) {
            self.first_wrong = Some(position + u64::try_from(*first).unwrap());
        }
        self.wrong += u64::try_from(wrong.len()).unwrap();
    }
}

/// Reads to the end.
pub(super) fn read(stream: TcpStream, way: Way, pattern: &Pattern) -> Received {
    match way.plan() {
        Some(plan) => by_ring(stream, way, &plan, pattern),
        None => by_read(stream, pattern),
    }
}

fn by_read(mut stream: TcpStream, pattern: &Pattern) -> Received {
    let mut received = Received::whole(0);
    let mut bytes = vec![0; 1 << 18];
    loop {
        let count = stream.read(&mut bytes).unwrap();
        if count == 0 {
            return received;
        }
        received.take(&bytes[..count], pattern);
    }
}

fn by_ring(stream: TcpStream, way: Way, plan: &RxPlan, pattern: &Pattern) -> Received {
    let is_wide = matches!(way, Way::ZeroCopy);
    let mut ring = Ring::builder().zero_copy_receive(is_wide).build().unwrap();
    let pool = ring.rx_pool(plan).unwrap();
    let socket = ring.add(stream).unwrap();
    ring.receive(socket, &pool).unwrap();
    let mut received = Received::whole(0);
    let mut kept: VecDeque<(u64, RxBuf)> = VecDeque::new();
    let mut end = None;
    while end.is_none() {
        let events = ring.poll(PATIENCE, |event| match event {
            Event::Received { chunk, .. } => {
                let position = received.bytes;
                received.take(&chunk, pattern);
                if position % 2 == 1 {
                    kept.push_back((position, chunk.detach()));
                }
            }
            Event::ReceiveEnded { end: why, .. } => end = Some(why),
            other => panic!("{other:?}"),
        });
        assert!(events.unwrap() > 0, "nothing moves");
        let keep = if end.is_none() { KEPT } else { 0 };
        for (position, buf) in kept.drain(..kept.len().saturating_sub(keep)) {
            received.look(position, &buf, pattern);
        }
    }
    assert!(matches!(end, Some(ReceiveEnd::Closed)), "{end:?}");
    assert_eq!(pool.stats().bytes, received.bytes);
    assert_eq!(pool.outstanding(), 0);
    way.assert_rung(&pool);
    assert_eq!(ring.strays(), Strays::default());
    received
}
