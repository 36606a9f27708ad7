//! Receives of messages against a scripted kernel, which writes what it likes into the slots.

use std::fs::File;
use std::net::UdpSocket;
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileExt;
use std::os::unix::net::{UnixDatagram, UnixStream};
use std::time::Duration;

use nix::sys::memfd::{MFdFlags, memfd_create};
use proptest::prelude::*;
use rstest::rstest;

use super::super::{End, Flight, Giving, Outcome};
use super::*;
use crate::sys::defect::{self, Defect};
use crate::sys::memory::{Mapping, Shape};
use crate::sys::uring::fake::Fake;
use crate::sys::uring::kernel::Completion;
use crate::sys::uring::rx::Head;
use crate::sys::uring::slab::Key;

const SLOTS: u32 = 4;
/// What a message may have.
const LEN: u32 = 100;
const SLOT: u32 = LEN + HEADROOM;

const RING: Giving = Giving::Ring {
    is_incremental: false,
    is_bundling: true,
};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Udp,
    Unix,
    Packets,
}

struct Bench {
    engine: Engine<Fake>,
    handle: GroupHandle,
    file: File,
    key: Key,
}

/// A receive of messages, armed: request 0.
fn bench(kind: Kind, giving: Giving) -> Bench {
    let mut engine = Engine::new(Fake::new(), 8, Duration::from_millis(20));
    let shape = Shape::new(SLOTS, SLOT).unwrap();
    let file = File::from(memfd_create("messages", MFdFlags::MFD_CLOEXEC).unwrap());
    file.set_len(u64::try_from(shape.bytes().get()).unwrap())
        .unwrap();
    let mapping = Mapping::of_file(&file, shape.bytes()).unwrap();
    let handle = engine.group_in(mapping, shape, giving).unwrap().unwrap();
    engine.keep_for_messages(&handle);
    let fd: OwnedFd = match kind {
        Kind::Udp => UdpSocket::bind("127.0.0.1:0").unwrap().into(),
        Kind::Unix => UnixDatagram::pair().unwrap().0.into(),
        Kind::Packets => {
            let kind = socket2::Type::SEQPACKET;
            let pair = socket2::Socket::pair(socket2::Domain::UNIX, kind, None);
            pair.unwrap().0.into()
        }
    };
    let socket = engine.add(fd).unwrap();
    let key = engine.receive(socket, &handle).unwrap();
    engine.enter(None).unwrap();
    assert_eq!(engine.kernel_mut().pushed.len(), 1);
    Bench {
        engine,
        handle,
        file,
        key,
    }
}

impl Bench {
    /// Where a slot begins in the file.
    fn place(&self, slot: u32) -> u64 {
        let area = self.handle.area();
        let [base, start] = [0, slot].map(|slot| area.address(slot).unwrap().as_ptr().addr());
        u64::try_from(start - base).unwrap()
    }

    /// The kernel writes into a slot.
    fn write(&self, slot: u32, offset: u64, bytes: &[u8]) {
        let place = self.place(slot) + offset;
        self.file.write_all_at(bytes, place).unwrap();
    }

    fn post(&mut self, result: i32, buffer: Option<u16>, more: bool) {
        let last = self.engine.kernel_mut().pushed.last().unwrap().user_data;
        let completion = Completion {
            user_data: last,
            result,
            more,
            buffer,
            ..Completion::default()
        };
        self.engine.kernel_mut().posted.push_back(completion);
    }

    /// The slot that the last request names.
    fn named(&mut self) -> u32 {
        let operation = self.engine.kernel_mut().pushed.last().unwrap().operation;
        let Operation::ReceiveMessage { header } = operation else {
            panic!("{operation:?}");
        };
        let area = self.handle.area();
        let holds = |slot: &u32| {
            let start = area.address(*slot).unwrap().as_ptr().addr();
            (start..start + usize::try_from(SLOT).unwrap()).contains(&header.addr())
        };
        (0..SLOTS).find(holds).unwrap()
    }

    /// Slots that are neither free nor shown.
    fn lost(&mut self) -> usize {
        let (_, group) = self.engine.group_of(&self.handle).unwrap();
        group.slots.collect();
        let shown = group.ring.as_ref().map_or(0, |ring| ring.shown());
        usize::try_from(SLOTS).unwrap() - shown - group.slots.free()
    }
}

fn out(name: u32, control: u32, len: u32, flags: u32) -> Vec<u8> {
    let numbers = [name, control, len, flags];
    numbers.into_iter().flat_map(u32::to_ne_bytes).collect()
}

#[rstest]
#[case::internet(Kind::Udp, 112, 512)]
#[case::unix(Kind::Unix, 112, 0)]
fn a_request_says_how_much_room_there_is(
    #[case] kind: Kind,
    #[case] name: u32,
    #[case] control: usize,
) {
    let mut bench = bench(kind, RING);
    let operation = bench.engine.kernel_mut().pushed[0].operation;
    let Operation::ReceiveMessages { group: 0, header } = operation else {
        panic!("{operation:?}");
    };
    // SAFETY: the request was pushed and has no completion yet (the promise to `push`).
    let header = unsafe { header.read() };
    assert_eq!((header.msg_namelen, header.msg_controllen), (name, control));
    assert!(header.msg_name.is_null() && header.msg_control.is_null());
    assert_eq!((header.msg_iovlen, header.msg_flags), (0, 0));
}

/// Of a message in a shown slot: the result, what the kernel says its length was, and what is told.
#[rstest]
#[case::whole(Kind::Udp, 640 + 100, 100, Some((100, false)))]
#[case::cut(Kind::Udp, 640 + 100, 101, Some((100, true)))]
#[case::empty(Kind::Udp, 640, 0, Some((0, false)))]
#[case::unix(Kind::Unix, 128 + 100, 100, Some((100, false)))]
#[case::unix_behind_the_slot(Kind::Unix, 128 + 101, 101, Some((100, true)))]
#[case::an_end(Kind::Packets, 128, 0, None)]
fn a_message_is_told(
    #[case] kind: Kind,
    #[case] result: i32,
    #[case] len: u32,
    #[case] want: Option<(usize, bool)>,
) {
    let mut bench = bench(kind, RING);
    bench.write(2, 0, &out(16, 0, len, 0));
    bench.post(result, Some(2), len != 0);
    match want {
        Some((len, is_cut)) => {
            let Some(Outcome::Received { mut claim, .. }) = bench.engine.next() else {
                panic!("it brought bytes");
            };
            let areas = bench.engine.areas();
            let loan = areas.lend(&mut claim);
            let head = Head::of(loan.head()).unwrap();
            let is_short = usize::try_from(head.len).unwrap() > loan.bytes().len();
            assert_eq!(
                (loan.bytes().len(), loan.is_cut() || is_short),
                (len, is_cut)
            );
            assert_eq!(head.name.len(), 16);
            bench.engine.give_back(claim);
        }
        None => {
            let told = bench.engine.next();
            let end = End::Closed;
            assert!(matches!(told, Some(Outcome::ReceiveEnded { end: told, .. }) if told == end));
        }
    }
    assert!(bench.engine.next().is_none());
    assert_eq!((bench.engine.strays().duplicate, bench.lost()), (0, 0));
}

#[test]
fn a_head_that_is_taken_for_bytes_is_noticed() {
    let told = || {
        let mut bench = bench(Kind::Udp, RING);
        bench.write(2, 0, &out(16, 0, 4, 0));
        bench.write(2, 640, b"four");
        bench.post(644, Some(2), true);
        let Some(Outcome::Received { mut claim, .. }) = bench.engine.next() else {
            panic!("it brought bytes");
        };
        let bytes = bench.engine.areas().lend(&mut claim).bytes().to_vec();
        bench.engine.give_back(claim);
        bytes
    };
    assert_eq!(defect::with(None, told), b"four");
    assert_ne!(defect::with(Some(Defect::TakeTheHead), told), b"four");
}

/// A head that is not whole: nobody knows what is in the slot.
#[rstest]
#[case::internet(Kind::Udp, 639)]
#[case::unix(Kind::Unix, 127)]
#[case::a_byte(Kind::Udp, 1)]
fn a_result_of_less_than_a_head_breaks_the_receive(#[case] kind: Kind, #[case] result: i32) {
    let mut bench = bench(kind, RING);
    bench.post(result, Some(0), false);
    let told = bench.engine.next();
    let end = End::Failed(libc::EPROTO);
    assert!(matches!(told, Some(Outcome::ReceiveEnded { end: told, .. }) if told == end));
    assert_eq!((bench.engine.strays().duplicate, bench.lost()), (1, 0));
}

#[rstest]
#[case::nothing_comes(-libc::ECONNREFUSED, End::Failed(libc::ECONNREFUSED))]
#[case::cancelled(-libc::ECANCELED, End::Cancelled)]
fn an_error_gives_the_slot_back(
    #[case] result: i32,
    #[case] end: End,
    #[values(RING, Giving::OneByOne)] giving: Giving,
) {
    let mut bench = bench(Kind::Udp, giving);
    bench.post(result, None, false);
    let told = bench.engine.next();
    assert!(matches!(told, Some(Outcome::ReceiveEnded { end: told, .. }) if told == end));
    assert_eq!((bench.engine.strays().duplicate, bench.lost()), (0, 0));
}

#[test]
fn a_stream_is_refused() {
    let mut bench = bench(Kind::Udp, RING);
    let fd = UnixStream::pair().unwrap().0;
    let socket = bench.engine.add(fd.into()).unwrap();
    let refused = bench.engine.receive(socket, &bench.handle);
    assert!(matches!(refused, Err(NotQueued::NoMessages)));
    assert_eq!(bench.engine.in_flight(), 1);
}

/// What becomes of the memory of a receive in flight when the engine goes.
#[rstest]
#[case::the_kernel_lets_go(Some(-libc::ECANCELED), false)]
#[case::the_kernel_is_silent(None, true)]
fn going_away(
    #[values(RING, Giving::OneByOne)] giving: Giving,
    #[case] answer: Option<i32>,
    #[case] is_leaked: bool,
) {
    let mut bench = bench(Kind::Udp, giving);
    if let Some(result) = answer {
        bench.post(result, None, false);
    }
    let area = bench.handle.area().clone();
    let before = crate::sys::memory::leaked_bytes();
    drop(bench);
    assert_eq!(area.is_leaked(), is_leaked);
    if is_leaked {
        assert!(crate::sys::memory::leaked_bytes() > before);
    }
}

fn hostile_number() -> impl Strategy<Value = u32> {
    prop_oneof![0..900_u32, any::<u32>(), Just(u32::MAX)]
}

proptest! {
    /// Whatever the kernel says and writes, what is read lies in the slot that it names, and no slot is used twice.
    #[test]
    fn hostile_lengths_reach_nothing_else(
        kind in prop_oneof![Just(Kind::Udp), Just(Kind::Unix), Just(Kind::Packets)],
        steps in prop::collection::vec(
            (
                prop_oneof![0..900_i32, any::<i32>()],
                prop::array::uniform4(hostile_number()),
                0..6_u16,
                any::<bool>(),
                any::<bool>(),
            ),
            1..12,
        ),
        is_shown: bool,
    ) {
        let mut bench = bench(kind, if is_shown { RING } else { Giving::OneByOne });
        let mut kept = Vec::new();
        let base = bench.handle.area().address(0).unwrap().as_ptr().addr();
        for (result, [name, control, len, flags], buffer, more, keeps) in steps {
            let numbers = out(name, control, len, flags);
            if is_shown {
                bench.write(u32::from(buffer) % SLOTS, 0, &numbers);
                bench.post(result, Some(buffer), more);
            } else {
                let in_kernel = bench.engine.flights.find(bench.key).is_some_and(Flight::in_kernel);
                if !in_kernel {
                    break;
                }
                let slot = bench.named();
                // `msg_namelen`, `msg_controllen` and `msg_flags`.
                let header = u64::from(HEADROOM) - 56;
                bench.write(slot, header + 8, &name.to_ne_bytes());
                bench.write(slot, header + 40, &u64::from(control).to_ne_bytes());
                bench.write(slot, header + 48, &flags.to_ne_bytes());
                bench.post(result, None, false);
            }
            while let Some(outcome) = bench.engine.next() {
                let Outcome::Received { mut claim, .. } = outcome else {
                    continue;
                };
                let areas = bench.engine.areas();
                let loan = areas.lend(&mut claim);
                let (bytes, head) = (loan.bytes(), loan.head());
                prop_assert!(bytes.len() <= usize::try_from(LEN).unwrap());
                prop_assert!(head.len() == 640 || (head.len() == 128 && kind != Kind::Udp));
                let offset = bytes.as_ptr().addr() - base;
                let stride = bench.handle.area().address(1).unwrap().as_ptr().addr() - base;
                prop_assert_eq!(offset % stride, head.len());
                prop_assert!(head.len() + bytes.len() <= usize::try_from(SLOT).unwrap());
                let told = Head::of(head).unwrap();
                let all = told.name.iter().chain(told.control).chain(bytes);
                std::hint::black_box(all.fold(0_u8, |sum, byte| sum.wrapping_add(*byte)));
                if keeps {
                    kept.extend(loan.detach());
                }
                bench.engine.give_back(claim);
            }
            bench.engine.enter(None).unwrap();
        }
        kept.clear();
    }
}
