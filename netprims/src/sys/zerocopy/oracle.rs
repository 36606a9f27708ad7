//! The wire as the judge: what a receiver gets is what was in the buffers when they were sent, although every buffer is
//! overwritten the moment it comes back.
//!
//! A reader that stalls keeps most of the data in the sender's queue, where the socket refers to the pool's pages: also
//! over loopback, which copies only what is delivered. A buffer that comes back too early then puts the overwritten
//! bytes on the wire, and the same with a seeded defect shows that this is seen.

use std::io::Read;
use std::net::{TcpListener, TcpStream};
use std::os::fd::{AsFd, AsRawFd};
use std::sync::mpsc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, poll};
use socket2::SockRef;

use super::{Engine, Limits, Live, Outcome, Refusal, State, Taken, Totals};
use crate::sys::defect::{self, Defect};
use crate::sys::memory::{Mapping, Pool, Process, Shape, Slot};

const SLOT: usize = 64 * 1024;
const SLOTS: u32 = 64;
const SCRIBBLE: u8 = 0xee;
/// How long anything may take before that is an error.
const PATIENCE: Duration = Duration::from_secs(60);

/// Bytes that are told apart by their position, and never those of a scribble for long.
struct Pattern {
    table: Vec<u8>,
}

/// The table's length: a prime, so that no buffer size hides a shift.
const PERIOD: usize = 1_000_003;

/// xorshift64.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    /// From 1 to `most`.
    fn size(&mut self, most: usize) -> usize {
        1 + usize::try_from(self.next() % most as u64).unwrap()
    }
}

impl Pattern {
    fn new() -> Self {
        let mut random = Random(0x9e37_79b9_7f4a_7c15);
        let words = (0..PERIOD.div_ceil(8)).flat_map(|_| random.next().to_ne_bytes());
        let mut table: Vec<u8> = words.take(PERIOD).collect();
        table.extend_from_within(..SLOT);
        Self { table }
    }

    /// What belongs at a position of the stream.
    fn at(&self, position: usize, len: usize) -> &[u8] {
        &self.table[position % PERIOD..][..len]
    }
}

/// What a receiver saw.
#[derive(Debug)]
struct Received {
    bytes: usize,
    wrong: usize,
}

/// Reads to the end of the stream, slowly, once it is told to.
fn reader(mut far: TcpStream) -> (mpsc::Sender<()>, JoinHandle<Received>) {
    let (start, started) = mpsc::channel();
    let read = move || {
        let pattern = Pattern::new();
        let mut buf = vec![0; SLOT];
        let mut received = Received { bytes: 0, wrong: 0 };
        let mut pause = 0;
        // Also when the sender has panicked, so that nobody waits for this.
        let _ = started.recv();
        loop {
            let len = far.read(&mut buf).unwrap();
            if len == 0 {
                return received;
            }
            let want = pattern.at(received.bytes, len);
            if buf[..len] != *want {
                received.wrong += buf
                    .iter()
                    .zip(want)
                    .filter(|(got, want)| got != want)
                    .count();
            }
            received.bytes += len;
            if received.bytes >= pause {
                pause = received.bytes + (1 << 20);
                thread::sleep(Duration::from_millis(1));
            }
        }
    };
    (start, thread::spawn(read))
}

/// A connection that takes megabytes at one end while the other end has room for little.
fn stream_with_room_on_one_side() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    SockRef::from(&listener).set_recv_buffer_size(4096).unwrap();
    let near = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    SockRef::from(&near).set_send_buffer_size(4 << 20).unwrap();
    near.set_nonblocking(true).unwrap();
    crate::sys::sockopt::ZEROCOPY
        .set_flag(&SockRef::from(&near), true)
        .unwrap();
    (near, listener.accept().unwrap().0)
}

fn live(near: TcpStream) -> Live<TcpStream> {
    let number = near.as_raw_fd();
    Live::new(near, number, Process::current().unwrap(), true)
}

/// A sender of the pattern.
struct Source {
    engine: Engine<Live<TcpStream>>,
    pool: Pool,
    pattern: Pattern,
    random: Random,
    /// Bytes that were given to the engine.
    given: usize,
}

impl Source {
    fn new(near: TcpStream) -> Self {
        let limits = Limits {
            threshold: 16 * 1024,
            in_flight: 64,
            copies_when_full: true,
            give_up_after: 0,
        };
        let shape = Shape::of_pages(SLOTS, u32::try_from(SLOT).unwrap()).unwrap();
        Self {
            engine: Engine::new(live(near), limits),
            pool: Pool::new(Mapping::anonymous(shape.bytes()).unwrap(), shape, None),
            pattern: Pattern::new(),
            random: Random(42),
            given: 0,
        }
    }

    /// Sends until `volume` bytes are given or the socket is full. True for the former.
    fn send(&mut self, volume: usize) -> bool {
        if let Some(outcome) = self.engine.go_on().unwrap() {
            take(outcome);
        }
        while self.given < volume && self.engine.rest() == 0 {
            let Some(mut slot) = self.pool.take() else {
                return false;
            };
            let len = self.random.size(SLOT).min(volume - self.given);
            assert!(slot.set_len(len));
            slot.bytes_mut()
                .copy_from_slice(self.pattern.at(self.given, len));
            match self.engine.send(slot, None) {
                Ok(Taken::Copied(slot)) => scribble(slot),
                Ok(Taken::Held { .. }) => {}
                Ok(Taken::Doubtful { error, .. }) => panic!("{error}"),
                Err((_, Refusal::System(error))) if error.raw_os_error() == Some(libc::EAGAIN) => {
                    return false;
                }
                Err((_, refusal)) => panic!("{refusal:?}"),
            }
            self.given += len;
        }
        self.engine.rest() == 0
    }

    /// Overwrites what has come back.
    fn reap(&mut self) {
        while let Some(outcome) = self.engine.next().unwrap() {
            take(outcome);
        }
    }

    fn wait(&self) {
        let is_writable = if self.pool.outstanding() < SLOTS {
            PollFlags::POLLOUT
        } else {
            PollFlags::empty()
        };
        let socket = self.engine.kernel().socket();
        poll(&mut [PollFd::new(socket.as_fd(), is_writable)], 100_u16).unwrap();
    }
}

fn take(outcome: Outcome) {
    match outcome {
        Outcome::Released { slot, .. } => scribble(slot),
        Outcome::Other(message) => panic!("{message:?}"),
    }
}

fn scribble(mut slot: Slot) {
    let capacity = slot.capacity();
    assert!(slot.set_len(capacity));
    slot.bytes_mut().fill(SCRIBBLE);
}

/// Sends so much through a reader that stalls and is slow.
fn through_a_slow_reader(volume: usize) -> (Received, Totals, State) {
    let (near, far) = stream_with_room_on_one_side();
    let (start, reader) = reader(far);
    let mut source = Source::new(near);
    assert!(!source.send(volume), "the socket has room for all of it");
    start.send(()).unwrap();
    let mut deadline = Instant::now() + PATIENCE;
    let mut seen = 0;
    while !source.send(volume) || source.engine.in_flight() > 0 {
        source.reap();
        if source.given > seen {
            (seen, deadline) = (source.given, Instant::now() + PATIENCE);
        }
        assert!(Instant::now() < deadline, "nothing moves");
        source.wait();
    }
    let (totals, state) = (source.engine.totals(), source.engine.state());
    drop(source);
    (reader.join().unwrap(), totals, state)
}

/// 64 MiB, or 1 GiB where the full volume is asked for.
fn volume() -> usize {
    match std::env::var_os("LAB_FULL") {
        Some(_) => 1 << 30,
        None => 64 << 20,
    }
}

#[test]
fn a_buffer_is_on_the_wire_as_it_was_sent() {
    let volume = volume();
    let (received, totals, state) = defect::with(None, || through_a_slow_reader(volume));
    assert_eq!((received.bytes, received.wrong), (volume, 0));
    assert_eq!((state, totals.strays), (State::ZeroCopy, 0));
    // Loopback copies what it delivers, and says so.
    assert_eq!(totals.zero_copied, 0);
    assert_eq!(totals.copied + totals.plain, volume as u64);
    assert!(totals.copied > totals.plain, "{totals:?}");
    let (received, ..) = defect::with(Some(Defect::ReturnAtSend), || {
        through_a_slow_reader(64 << 20)
    });
    assert!(received.wrong > 0, "the defect was not noticed");
}

/// Closes with a reader that stalls, overwrites every slot, and lets the reader read. What it got, and what it should.
fn close_with_a_stalled_reader() -> (Received, usize) {
    let (near, far) = stream_with_room_on_one_side();
    let (start, reader) = reader(far);
    let mut source = Source::new(near);
    assert!(!source.send(usize::MAX));
    assert!(source.engine.awaited() > 1, "the kernel has let go");
    let Source {
        engine,
        pool,
        given,
        ..
    } = source;
    let taken = given - engine.rest();
    drop(engine);
    assert_eq!(pool.outstanding(), 0, "every slot is back");
    let slots: Vec<_> = std::iter::from_fn(|| pool.take()).collect();
    assert_eq!(slots.len(), SLOTS as usize);
    slots.into_iter().for_each(scribble);
    start.send(()).unwrap();
    (reader.join().unwrap(), taken)
}

#[test]
fn a_closed_socket_has_what_was_sent() {
    let (received, taken) = defect::with(None, close_with_a_stalled_reader);
    assert_eq!((received.bytes, received.wrong), (taken, 0));
    let (received, _) = defect::with(Some(Defect::FreeAtClose), close_with_a_stalled_reader);
    assert!(received.wrong > 0, "the defect was not noticed");
}
