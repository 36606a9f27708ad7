//! The memory oracle: what the kernel reads cannot be seen by any sanitizer, so the memory itself is watched.
//!
//! The pool lies on a memfd. Whatever is released is overwritten at once through the *file*, past all owners, and must
//! neither reach the receiver nor change afterwards. A slow reader keeps most of the data in the sender's queue, where
//! the socket refers to the pool's pages: a slot that is released too early then puts the overwritten bytes on the wire.
//! The same scenario on a kernel that lies shows that the oracle sees it.

use std::collections::{HashMap, VecDeque};
use std::fs::File;
use std::io::{self, Read};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::FileExt;
use std::time::{Duration, Instant};

use nix::sys::memfd::{MFdFlags, memfd_create};
use socket2::SockRef;

use super::kernel::{Completion, QueueFull, Request};
use super::{Engine, Kernel, Live, Outcome, Strays, Wait};
use crate::sys::memory::{Mapping, Shape};

const SLOT: usize = 64 * 1024;
const SLOTS: usize = 16;
/// The same, as the pool takes them.
const SHAPE: (u32, u32) = (16, 64 * 1024);
const SCRIBBLE: u8 = 0xee;

/// What the oracle saw.
struct Verdict {
    /// Slots that were on their way and not released while the reader slept.
    held: usize,
    /// Bytes that reached the receiver and were not what was sent.
    wrong_on_the_wire: usize,
    /// Bytes of released slots that somebody wrote.
    wrong_in_memory: usize,
    strays: Strays,
}

/// Sends every slot to a reader that sleeps first, overwriting each slot once it is released.
fn watch(kernel: impl Kernel) -> Verdict {
    let file = File::from(memfd_create("oracle", MFdFlags::MFD_CLOEXEC).unwrap());
    let shape = Shape::new(SHAPE.0, SHAPE.1).unwrap();
    file.set_len(at(SHAPE.0)).unwrap();
    let mut engine = Engine::new(kernel, SHAPE.0, Duration::from_secs(2));
    let mapping = Mapping::of_file(&file, shape.bytes()).unwrap();
    let pool = engine.pool_in(mapping, shape).unwrap().unwrap();

    let (near, mut far) = stream_with_room_on_one_side();
    let socket = engine.add(near.into()).unwrap();
    let mut waiting = VecDeque::new();
    for place in 0..SHAPE.0 {
        let mut slot = pool.take().unwrap();
        slot.bytes_mut().fill(u8::try_from(place).unwrap());
        // The slots are taken in the order they lie: what was written is where the file has it.
        let mut byte = [0];
        file.read_exact_at(&mut byte, at(place)).unwrap();
        assert_eq!(u32::from(byte[0]), place);
        waiting.push_back((place, slot));
    }

    // On a stream each send waits for the result of the one before, or their bytes interleave.
    let mut places = HashMap::new();
    let mut is_free = true;
    let mut released = Vec::new();
    let mut run = |engine: &mut Engine<_>, limit: Duration| {
        let deadline = Instant::now() + limit;
        while released.len() < SLOTS && Instant::now() < deadline {
            if is_free && !waiting.is_empty() {
                let (place, slot) = waiting.pop_front().unwrap();
                places.insert(
                    engine.send(socket, slot, true).map_err(|_| ()).unwrap(),
                    place,
                );
                is_free = false;
            }
            engine
                .enter(Some(Wait::AtMost(Duration::from_millis(20))))
                .unwrap();
            while let Some(outcome) = engine.next() {
                match outcome {
                    Outcome::Sent { result, .. } => {
                        assert_eq!(result, Ok(SHAPE.1));
                        is_free = true;
                    }
                    Outcome::Released { key, slot, .. } => {
                        file.write_all_at(&[SCRIBBLE; SLOT], at(places[&key]))
                            .unwrap();
                        released.push(slot);
                    }
                }
            }
        }
        (places.len(), released.len())
    };
    let (sent_early, released_early) = run(&mut engine, Duration::from_millis(300));
    let reader = std::thread::spawn(move || {
        let mut bytes = Vec::new();
        far.read_to_end(&mut bytes).map(|_| bytes).unwrap()
    });
    assert_eq!(run(&mut engine, Duration::from_secs(20)), (SLOTS, SLOTS));
    drop(engine.remove(socket).unwrap());
    let received = reader.join().unwrap();
    // What a lying kernel still has to say.
    engine
        .enter(Some(Wait::AtMost(Duration::from_millis(50))))
        .unwrap();
    assert!(engine.next().is_none());

    assert_eq!(received.len(), SLOTS * SLOT);
    let wrong_on_the_wire = received
        .iter()
        .enumerate()
        .filter(|(at, byte)| usize::from(**byte) != at / SLOT)
        .count();
    let mut memory = vec![0; SLOTS * SLOT];
    file.read_exact_at(&mut memory, 0).unwrap();
    let wrong_in_memory = memory.iter().filter(|byte| **byte != SCRIBBLE).count();
    Verdict {
        held: sent_early - released_early,
        wrong_on_the_wire,
        wrong_in_memory,
        strays: engine.strays(),
    }
}

/// Where a slot lies in the file.
fn at(place: u32) -> u64 {
    u64::from(place) * u64::from(SHAPE.1)
}

/// A connection that takes all slots at one end while the other end has room for a few.
fn stream_with_room_on_one_side() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    SockRef::from(&listener).set_recv_buffer_size(4096).unwrap();
    let near = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    SockRef::from(&near).set_send_buffer_size(4 << 20).unwrap();
    (near, listener.accept().unwrap().0)
}

#[test]
fn released_slots_are_neither_read_nor_written_by_the_kernel() {
    let verdict = watch(Live::new(SHAPE.0).unwrap());
    assert!(
        verdict.held > 1,
        "the sleeping reader held nothing up: no test"
    );
    assert_eq!(verdict.wrong_on_the_wire, 0);
    assert_eq!(verdict.wrong_in_memory, 0);
    assert_eq!(verdict.strays, Strays::default());
}

#[test]
fn the_oracle_sees_a_slot_that_is_released_at_the_first_completion() {
    let verdict = watch(Lying {
        kernel: Live::new(SHAPE.0).unwrap(),
    });
    assert!(
        verdict.wrong_on_the_wire > 0,
        "the overwritten bytes were sent"
    );
    assert!(
        verdict.strays.late > 0,
        "and the notifications came to nothing"
    );
}

/// Hides that a notification follows, which makes the engine release at the first completion.
struct Lying {
    kernel: Live,
}

// SAFETY: it breaks the contract, that is what it is for. What the engine hands out too early is never touched: the
// test writes through the file, and holds the slots, so the mapping stays until the kernel's socket is gone.
unsafe impl Kernel for Lying {
    unsafe fn push(&mut self, request: &Request) -> Result<(), QueueFull> {
        // SAFETY: the caller's promise, passed on.
        unsafe { self.kernel.push(request) }
    }

    fn queued(&mut self) -> usize {
        self.kernel.queued()
    }

    fn enter(&mut self, wait: Option<Wait>) -> io::Result<()> {
        self.kernel.enter(wait)
    }

    fn completion(&mut self) -> Option<Completion> {
        let completion = self.kernel.completion()?;
        Some(Completion {
            more: false,
            ..completion
        })
    }

    fn cancel_all(&mut self, limit: Duration) -> io::Result<()> {
        self.kernel.cancel_all(limit)
    }

    unsafe fn register(&mut self, buffer: u16, address: *mut u8, len: usize) -> io::Result<()> {
        // SAFETY: the caller's promise, passed on.
        unsafe { self.kernel.register(buffer, address, len) }
    }

    fn sends_zero_copy(&self) -> bool {
        self.kernel.sends_zero_copy()
    }

    fn reports_usage(&self) -> bool {
        self.kernel.reports_usage()
    }
}
