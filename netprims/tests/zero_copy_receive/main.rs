//! Zero-copy receive on this kernel: the rung it leads to, why no higher one, and that what arrives is what was sent,
//! however short of pages the ring is. Where the kernel has none the same is true of the next rung.
#![cfg(feature = "ring")]
#![expect(clippy::unwrap_used, reason = "a test's way to fail")]

#[path = "../host/zero_copy_receive.rs"]
mod answers;
#[path = "../host/mod.rs"]
mod host;
#[expect(
    unsafe_code,
    reason = "a counting allocator, and a thread that gives up its privilege"
)]
#[path = "../sys"]
mod sys {
    pub(crate) mod counting_allocator;
    pub(crate) mod unprivileged;
}

mod allocations;
mod going_away;
mod ladder;
mod readiness;
mod shortage;
mod stepping_down;
mod stream;

use std::net::{TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use netprims::ring::{
    Event, ReceiveEnd, Ring, RingBuilder, RxBuf, RxPlan, RxPool, Strays, Ticket, Wait, ZeroCopyRx,
};

#[global_allocator]
static ALLOCATOR: sys::counting_allocator::Counting = sys::counting_allocator::Counting;

/// How long anything may take before that is an error. Long: a machine under load is no defect.
const PATIENCE: Duration = Duration::from_secs(300);
const LIMIT: Wait = Wait::AtMost(PATIENCE);
const PAGE: u32 = 4096;

fn tcp() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let near = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    (near, listener.accept().unwrap().0)
}

fn builder() -> RingBuilder {
    Ring::builder().in_flight(16).zero_copy_receive(true)
}

fn plan(pages: u32) -> RxPlan {
    RxPlan::new(pages, PAGE).zero_copy(ZeroCopyRx::NoDevice)
}

/// Bytes of which no page looks like another: a run that comes round after a prime number.
struct Pattern(Vec<u8>);

impl Pattern {
    const ROUND: usize = 65_521;

    fn new() -> Self {
        let byte = |at: usize| {
            let number = u64::try_from(at).unwrap();
            number.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes()[0]
        };
        // Twice, so that a round can start anywhere.
        Self(
            (0..2 * Self::ROUND)
                .map(|at| byte(at % Self::ROUND))
                .collect(),
        )
    }

    /// The bytes from a place of the stream on; at least a round of them.
    fn from(&self, at: u64) -> &[u8] {
        let round = u64::try_from(Self::ROUND).unwrap();
        &self.0[usize::try_from(at % round).unwrap()..]
    }

    /// Whether these are the stream's bytes from there on.
    fn has(&self, at: u64, bytes: &[u8]) -> bool {
        let mut at = at;
        bytes.chunks(Self::ROUND).all(|part| {
            let is_same = self.from(at).starts_with(part);
            at += u64::try_from(part.len()).unwrap();
            is_same
        })
    }
}

/// A stream that is received and checked as it comes.
struct Reader {
    ring: Ring,
    pool: RxPool,
    ticket: Ticket,
    pattern: Pattern,
    received: u64,
    end: Option<ReceiveEnd>,
}

impl Reader {
    fn new(near: impl Into<OwnedFd>, plan: &RxPlan) -> Self {
        Self::on(&builder(), near, plan)
    }

    fn on(builder: &RingBuilder, near: impl Into<OwnedFd>, plan: &RxPlan) -> Self {
        let mut ring = builder.build().unwrap();
        let pool = ring.rx_pool(plan).unwrap();
        let socket = ring.add(near).unwrap();
        let ticket = ring.receive(socket, &pool).unwrap();
        Self {
            ring,
            pool,
            ticket,
            pattern: Pattern::new(),
            received: 0,
            end: None,
        }
    }

    /// Polls once; `keep` says of each chunk, by its place in the stream, whether it is to be kept.
    fn poll(&mut self, wait: Wait, mut keep: impl FnMut(u64) -> bool) -> Vec<(u64, RxBuf)> {
        let mut kept = Vec::new();
        let Self {
            ring,
            ticket,
            pattern,
            received,
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
                assert!(pattern.has(at, &chunk), "wrong bytes from {at} on");
                *received += u64::try_from(chunk.len()).unwrap();
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

    /// Receives to the end, keeping nothing.
    fn finish(&mut self) {
        let deadline = Instant::now() + PATIENCE;
        while self.end.is_none() {
            assert!(Instant::now() < deadline, "{:?}", self.pool.stats());
            self.poll(LIMIT, |_| false);
        }
    }

    fn assert_whole(&self, total: u64) {
        assert_eq!(self.received, total);
        assert!(
            matches!(self.end, Some(ReceiveEnd::Closed)),
            "{:?}",
            self.end
        );
        let stats = self.pool.stats();
        assert_eq!(
            (stats.bytes, stats.copied),
            (total, Some(total)),
            "{stats:?}"
        );
        assert_eq!(self.ring.strays(), Strays::default());
        assert_eq!((self.ring.in_flight(), self.pool.outstanding()), (0, 0));
    }
}

/// Writes so many bytes of the stream, and closes it.
fn write(far: TcpStream, total: u64) -> std::thread::JoinHandle<()> {
    std::thread::spawn(move || write_some(&far, 0, total))
}

fn write_some(mut far: &TcpStream, from: u64, total: u64) {
    use std::io::Write;
    let pattern = Pattern::new();
    let mut at = from;
    // Lengths of all kinds, the same each time.
    let mut dice = 1_u64;
    while at < from + total {
        dice = dice
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        let len = (1 + (dice >> 33) % 60_000).min(from + total - at);
        let bytes = &pattern.from(at)[..usize::try_from(len).unwrap()];
        far.write_all(bytes).unwrap();
        at += len;
    }
}
