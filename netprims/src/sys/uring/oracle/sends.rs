//! The memory oracle: what the kernel reads cannot be seen by any sanitizer, so the memory itself is watched.
//!
//! The pool lies on a memfd. Whatever may be used again is overwritten at once through the *file*, past all owners, and
//! must neither reach the receiver nor change afterwards. A sleeping reader keeps most of the data in the sender's queue,
//! where the socket refers to the pool's pages: a slot that is released too early then puts the overwritten bytes on the
//! wire. The same with a seeded defect shows that the oracle sees it.

use std::collections::VecDeque;
use std::fs::File;
use std::io::Read;
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::FileExt;
use std::time::{Duration, Instant};

use nix::sys::memfd::{MFdFlags, memfd_create};
use rstest::rstest;
use socket2::SockRef;

use super::super::{Engine, Key, Live, Outcome, Strays, Wait, Wish};
use crate::sys::defect::{self, Defect};
use crate::sys::memory::{Mapping, Pool, Shape, Slot};

const SLOT: usize = 64 * 1024;
const SLOTS: usize = 16;
/// The same, as the pool takes them.
const SHAPE: (u32, u32) = (16, 64 * 1024);
const SCRIBBLE: u8 = 0xee;
/// How long anything may take before that is an error.
const PATIENCE: Duration = Duration::from_secs(60);

/// A ring whose pool is watched, and a connection whose other end sleeps.
struct Watch {
    engine: Engine<Live>,
    pool: Pool,
    file: File,
    socket: Key,
    far: TcpStream,
    /// Filled slots that are not sent yet.
    waiting: VecDeque<Slot>,
    /// Slots that came back, kept so that they are not taken again.
    released: Vec<Slot>,
    sent: usize,
    is_free: bool,
    /// How many slots go as one send.
    together: u8,
}

impl Watch {
    /// With a pool whose slots hold their number in every byte.
    fn new(drain_limit: Duration) -> Self {
        let file = File::from(memfd_create("oracle", MFdFlags::MFD_CLOEXEC).unwrap());
        let shape = Shape::new(SHAPE.0, SHAPE.1).unwrap();
        file.set_len(at(SHAPE.0)).unwrap();
        let mut engine = Engine::new(Live::new(SHAPE.0, None).unwrap(), SHAPE.0, drain_limit);
        let mapping = Mapping::of_file(&file, shape.bytes()).unwrap();
        let pool = engine.pool_in(mapping, shape).unwrap().unwrap();
        let (near, far) = stream_with_room_on_one_side();
        let socket = engine.add(near.into()).unwrap();
        let mut waiting = VecDeque::new();
        for place in 0..SHAPE.0 {
            let mut slot = pool.take().unwrap();
            slot.bytes_mut().fill(u8::try_from(place).unwrap());
            waiting.push_back(slot);
        }
        Self {
            engine,
            pool,
            file,
            socket,
            far,
            waiting,
            released: Vec::new(),
            sent: 0,
            is_free: true,
            together: 1,
        }
    }

    /// Sends and takes what comes until `is_done`, one send at a time. What is free is overwritten.
    fn run(&mut self, is_done: impl Fn(&Self) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        while !is_done(self) {
            assert!(Instant::now() < deadline, "the kernel does not finish");
            if self.is_free && !self.waiting.is_empty() {
                self.send();
                self.is_free = false;
            }
            self.scribble_on_what_can_be_taken();
            let wait = Wait::AtMost(Duration::from_millis(20));
            self.engine.enter(Some(wait)).unwrap();
            while let Some(outcome) = self.engine.next() {
                match outcome {
                    Outcome::Sent { result, .. } => {
                        assert_eq!(result, Ok(SHAPE.1 * u32::from(self.together)));
                        self.sent += usize::from(self.together);
                        self.is_free = true;
                    }
                    Outcome::Released { released, .. } => {
                        scribble(&self.file, &released.slot);
                        self.released.push(released.slot);
                    }
                    _ => panic!("nothing but sends was queued"),
                }
            }
        }
    }

    fn send(&mut self) {
        let socket = self.socket;
        if self.together == 1 {
            let slot = self.waiting.pop_front().unwrap();
            assert!(self.engine.send(socket, slot, Wish::ZeroCopy).is_ok());
            return;
        }
        let slots: Vec<_> = self.waiting.drain(..usize::from(self.together)).collect();
        self.engine.check_message(socket, slots.iter()).unwrap();
        let slots = slots.into_iter();
        let key = self.engine.put_together(socket, slots, Wish::ZeroCopy);
        let started = self.engine.start_message(key.unwrap(), socket, drop);
        started.unwrap();
    }

    /// Whether the sender's queue refers to slots, as far as how many are sent and released shows. How many there can be
    /// depends on the host's limit for send buffers.
    fn is_held_up(&self) -> bool {
        let is_early = defect::seeded(Defect::ReleaseAtFirstCompletion)
            || defect::seeded(Defect::ReleaseMessageAtFirstCompletion);
        let released = if is_early { 0 } else { self.released.len() };
        self.sent - released > 1
    }

    fn scribble_on_what_can_be_taken(&mut self) {
        while let Some(slot) = self.pool.take() {
            scribble(&self.file, &slot);
            // With a defect it has another owner, who frees it.
            std::mem::forget(slot);
        }
    }

    /// Lets the reader read to the end.
    fn read_all(far: TcpStream) -> std::thread::JoinHandle<Vec<u8>> {
        std::thread::spawn(move || {
            let (mut far, mut bytes) = (far, Vec::new());
            far.read_to_end(&mut bytes).map(|_| bytes).unwrap()
        })
    }
}

/// What the oracle saw.
#[derive(Debug)]
struct Verdict {
    wrong_on_the_wire: usize,
    wrong_in_memory: usize,
    strays: Strays,
}

/// Sends every slot to the sleeping reader, then lets it read.
fn send_all() -> Verdict {
    send_all_by(1)
}

/// The same, so many slots at a time.
fn send_all_by(together: u8) -> Verdict {
    let mut watch = Watch::new(PATIENCE);
    watch.together = together;
    watch.run(Watch::is_held_up);
    let reader = Watch::read_all(watch.far.try_clone().unwrap());
    let is_early = defect::seeded(Defect::ReleaseAtFirstCompletion);
    // With the defect the notifications come late.
    let late = if is_early { SLOTS as u64 } else { 0 };
    watch.run(|watch| watch.released.len() == SLOTS && watch.engine.strays().late == late);
    drop(watch.engine.remove(watch.socket).unwrap());
    let received = reader.join().unwrap();
    assert_eq!(received.len(), SLOTS * SLOT);
    let wrong_on_the_wire = wrong(&received);
    assert!(watch.engine.next().is_none());
    let mut memory = vec![0; SLOTS * SLOT];
    watch.file.read_exact_at(&mut memory, 0).unwrap();
    let wrong_in_memory = memory.iter().filter(|byte| **byte != SCRIBBLE).count();
    watch.released.drain(..).for_each(std::mem::forget);
    Verdict {
        wrong_on_the_wire,
        wrong_in_memory,
        strays: watch.engine.strays(),
    }
}

#[rstest]
#[case::free_at_send(Defect::FreeAtSend)]
#[case::release_at_first_completion(Defect::ReleaseAtFirstCompletion)]
fn a_buffer_is_on_the_wire_as_it_was_sent(#[case] bug: Defect) {
    let sound = defect::with(None, send_all);
    assert_eq!((sound.wrong_on_the_wire, sound.wrong_in_memory), (0, 0));
    assert_eq!(sound.strays, Strays::default());
    let buggy = defect::with(Some(bug), send_all);
    assert!(buggy.wrong_on_the_wire > 0, "{bug:?} was not noticed");
}

#[test]
fn a_message_is_on_the_wire_as_it_was_sent() {
    let send = || send_all_by(4);
    let sound = defect::with(None, send);
    assert_eq!((sound.wrong_on_the_wire, sound.wrong_in_memory), (0, 0));
    assert_eq!(sound.strays, Strays::default());
    let bug = Defect::ReleaseMessageAtFirstCompletion;
    let buggy = defect::with(Some(bug), send);
    assert!(buggy.wrong_on_the_wire > 0, "{bug:?} was not noticed");
}

/// Drops a ring while the reader sleeps, overwrites what the pool has free then, and lets the reader read.
fn drop_with_sends_in_flight() -> usize {
    let mut watch = Watch::new(Duration::from_millis(20));
    watch.run(Watch::is_held_up);
    let Watch {
        engine,
        pool,
        file,
        far,
        released,
        ..
    } = watch;
    released.into_iter().for_each(std::mem::forget);
    drop(engine);
    while let Some(slot) = pool.take() {
        scribble(&file, &slot);
        std::mem::forget(slot);
    }
    wrong(&Watch::read_all(far).join().unwrap())
}

#[test]
fn a_dropped_ring_frees_nothing_the_kernel_reads() {
    assert_eq!(defect::with(None, drop_with_sends_in_flight), 0);
    let buggy = defect::with(Some(Defect::SkipTheDrain), drop_with_sends_in_flight);
    assert!(buggy > 0, "the defect was not noticed");
}

/// Where a slot lies in the file.
fn at(place: u32) -> u64 {
    u64::from(place) * u64::from(SHAPE.1)
}

/// Overwrites a slot past its owner.
fn scribble(file: &File, slot: &Slot) {
    file.write_all_at(&[SCRIBBLE; SLOT], at(slot.place()))
        .unwrap();
}

/// Bytes that are not those of the slots, in the order they were sent.
fn wrong(received: &[u8]) -> usize {
    received
        .iter()
        .enumerate()
        .filter(|(at, byte)| usize::from(**byte) != at / SLOT)
        .count()
}

/// A connection that takes several slots at one end while the other end has room for less than one.
fn stream_with_room_on_one_side() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    SockRef::from(&listener).set_recv_buffer_size(4096).unwrap();
    let near = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    SockRef::from(&near).set_send_buffer_size(4 << 20).unwrap();
    (near, listener.accept().unwrap().0)
}
