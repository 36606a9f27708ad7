//! The memory oracle for receives: what the kernel writes cannot be seen by any sanitizer, so the memory itself is watched.
//!
//! The slots lie on a memfd. What is kept is compared, through the *file* and past its owner, with what was sent, again and
//! again while the kernel goes on receiving. When a receive is over, all memory is overwritten, and must stay so although
//! more data arrives. The same with a seeded defect shows that the oracle sees it.

use std::collections::VecDeque;
use std::fs::File;
use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::FileExt;
use std::time::{Duration, Instant};

use nix::sys::memfd::{MFdFlags, memfd_create};
use rstest::rstest;

use super::rx::Piece;
use super::{End, Engine, Giving, GroupHandle, Key, Live, Outcome, Strays, Wait};
use crate::sys::defect::{self, Defect};
use crate::sys::memory::{Mapping, Shape};
use crate::sys::uring::version;

const SLOTS: u32 = 8;
const SLOT: u32 = 4096;
const TOTAL: usize = 2 << 20;
const SCRIBBLE: u8 = 0xee;
/// How long anything may take before that is an error.
const PATIENCE: Duration = Duration::from_secs(60);
/// How long nothing comes before a receive with a defect is taken to have stopped.
const QUIET: Duration = Duration::from_secs(4);

const SINGLE: Giving = Giving::Ring {
    is_incremental: false,
    is_bundling: false,
};
const BUNDLES: Giving = Giving::Ring {
    is_incremental: false,
    is_bundling: true,
};
const INCREMENTAL: Giving = Giving::Ring {
    is_incremental: true,
    is_bundling: false,
};

struct Watch {
    engine: Engine<Live>,
    handle: GroupHandle,
    file: File,
    far: TcpStream,
    key: Key,
    received: usize,
    wrong: usize,
    end: Option<End>,
}

/// The byte at a place of the stream: no slot looks like another.
fn byte(at: usize) -> u8 {
    let number = u64::try_from(at)
        .unwrap()
        .wrapping_mul(0x9e37_79b9_7f4a_7c15);
    number.to_be_bytes()[0]
}

fn wrong(from: usize, bytes: &[u8]) -> usize {
    let places = from..;
    let differs = |(got, at): (&u8, usize)| *got != byte(at);
    bytes
        .iter()
        .zip(places)
        .filter(|pair| differs(*pair))
        .count()
}

impl Watch {
    /// `None` if the kernel does not know this way of giving, and is older than it.
    fn new(giving: Giving) -> Option<Self> {
        let file = File::from(memfd_create("oracle", MFdFlags::MFD_CLOEXEC).unwrap());
        let shape = Shape::new(SLOTS, SLOT).unwrap();
        file.set_len(u64::from(SLOTS * SLOT)).unwrap();
        let mut engine = Engine::new(Live::new(8, None).unwrap(), 8, PATIENCE);
        let mapping = Mapping::of_file(&file, shape.bytes()).unwrap();
        let handle = match engine.group_in(mapping, shape, giving) {
            Err(refused) if giving == INCREMENTAL => {
                assert_eq!(refused.error.raw_os_error(), Some(libc::EINVAL));
                assert!(!version::is_at_least(6, 12), "{refused:?}");
                return None;
            }
            made => made.unwrap().unwrap(),
        };
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let far = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let near = listener.accept().unwrap().0;
        let socket = engine.add(near.into()).unwrap();
        let key = engine.receive(socket, &handle).unwrap();
        Some(Self {
            engine,
            handle,
            file,
            far,
            key,
            received: 0,
            wrong: 0,
            end: None,
        })
    }

    /// Takes what comes, and keeps every third chunk, which are not to stay longer than the pool has slots to spare.
    fn poll(&mut self, kept: &mut VecDeque<(usize, Piece)>) {
        self.engine
            .enter(Some(Wait::AtMost(Duration::from_millis(5))))
            .unwrap();
        let mut nth = 0;
        while let Some(outcome) = self.engine.next() {
            match outcome {
                Outcome::Received { mut claim, .. } => {
                    let areas = self.engine.areas();
                    let loan = areas.lend(&mut claim);
                    self.wrong += wrong(self.received, loan.bytes());
                    let at = self.received;
                    self.received += loan.bytes().len();
                    if nth % 3 == 0 {
                        kept.extend(loan.detach().map(|piece| (at, piece)));
                    }
                    self.engine.give_back(claim);
                    nth += 1;
                }
                Outcome::ReceiveEnded { end, .. } => self.end = Some(end),
                _ => panic!("nothing but a receive"),
            }
        }
    }

    /// Wrong bytes in what is kept, as the file shows it.
    fn wrong_in_file(&self, kept: &VecDeque<(usize, Piece)>) -> usize {
        let base = self.handle.area().address(0).unwrap().as_ptr().addr();
        kept.iter()
            .map(|(at, piece)| {
                let place = piece.bytes().as_ptr().addr() - base;
                let mut bytes = vec![0; piece.bytes().len()];
                let place = u64::try_from(place).unwrap();
                self.file.read_exact_at(&mut bytes, place).unwrap();
                wrong(*at, &bytes)
            })
            .sum()
    }

    fn scribble(&self) {
        let all = vec![SCRIBBLE; usize::try_from(SLOTS * SLOT).unwrap()];
        self.file.write_all_at(&all, 0).unwrap();
    }

    fn scribbled(file: &File) -> bool {
        let mut all = vec![0; usize::try_from(SLOTS * SLOT).unwrap()];
        file.read_exact_at(&mut all, 0).unwrap();
        all.iter().all(|byte| *byte == SCRIBBLE)
    }
}

/// What the oracle saw.
#[derive(Debug, PartialEq, Eq)]
struct Verdict {
    wrong_when_told: usize,
    wrong_while_kept: usize,
    received: usize,
    end: Option<End>,
    strays: Strays,
}

const SOUND: Verdict = Verdict {
    wrong_when_told: 0,
    wrong_while_kept: 0,
    received: TOTAL,
    end: Some(End::Closed),
    strays: Strays {
        late: 0,
        duplicate: 0,
        unknown: 0,
    },
};

/// Receives a stream while pieces of it are kept, until it ends or nothing has come for this long.
fn receive_all(giving: Giving, quiet: Duration) -> Option<Verdict> {
    let mut watch = Watch::new(giving)?;
    let mut far = watch.far.try_clone().unwrap();
    let writer = std::thread::spawn(move || {
        let stream: Vec<u8> = (0..TOTAL).map(byte).collect();
        // A defect ends the receive early.
        let _ = stream.chunks(3000).try_for_each(|part| far.write_all(part));
        let _ = far.shutdown(std::net::Shutdown::Write);
    });
    let (mut kept, mut wrong_while_kept) = (VecDeque::new(), 0);
    let mut moved = Instant::now();
    while watch.end.is_none() && moved.elapsed() < quiet {
        let before = watch.received;
        watch.poll(&mut kept);
        if watch.received != before {
            moved = Instant::now();
        }
        wrong_while_kept += watch.wrong_in_file(&kept);
        let spare = usize::try_from(SLOTS / 2).unwrap();
        kept.drain(..kept.len().saturating_sub(spare));
    }
    let verdict = Verdict {
        wrong_when_told: watch.wrong,
        wrong_while_kept,
        received: watch.received,
        end: watch.end,
        strays: watch.engine.strays(),
    };
    drop(watch);
    writer.join().unwrap();
    Some(verdict)
}

#[rstest]
fn what_is_kept_does_not_change_while_the_kernel_receives(
    #[values(SINGLE, BUNDLES, INCREMENTAL, Giving::OneByOne)] giving: Giving,
) {
    let verdict = receive_all(giving, PATIENCE);
    let is_known = giving != INCREMENTAL || version::is_at_least(6, 12);
    assert_eq!(verdict, is_known.then_some(SOUND));
}

#[rstest]
#[case::lend_what_is_read(Defect::LendWhatIsRead, SINGLE)]
#[case::lend_what_is_read_plainly(Defect::LendWhatIsRead, Giving::OneByOne)]
#[case::release_at_first_part(Defect::ReleaseAtFirstPart, INCREMENTAL)]
#[case::bundle_by_number(Defect::BundleByNumber, BUNDLES)]
fn a_defect_is_noticed(#[case] bug: Defect, #[case] giving: Giving) {
    // It may lose slots until none is left.
    let verdict = defect::with(Some(bug), || receive_all(giving, QUIET));
    // Kernels without what the defect is in have nothing to notice.
    let has_what_it_is_in = match giving {
        INCREMENTAL => version::is_at_least(6, 12),
        BUNDLES => version::is_at_least(6, 10),
        _ => true,
    };
    if has_what_it_is_in {
        // That it has stopped proves nothing: the machine may be slow.
        let verdict = verdict.map(|verdict| Verdict {
            received: TOTAL,
            end: verdict.end.or(SOUND.end),
            ..verdict
        });
        assert_ne!(verdict, Some(SOUND), "{bug:?} was not noticed");
    }
}

#[rstest]
fn nothing_is_written_when_a_receive_is_over(
    #[values(SINGLE, BUNDLES, INCREMENTAL, Giving::OneByOne)] giving: Giving,
    #[values(false, true)] drops_the_engine: bool,
) {
    let Some(mut watch) = Watch::new(giving) else {
        return;
    };
    // In flight, not only queued.
    watch.poll(&mut VecDeque::new());
    // Keeps the memory mapped, so that a late write would be seen.
    let area = watch.handle.area().clone();
    if !drops_the_engine {
        watch.engine.cancel(watch.key).unwrap();
        while watch.end.is_none() {
            watch.poll(&mut VecDeque::new());
        }
        assert_eq!(watch.end, Some(End::Cancelled));
        watch.scribble();
        watch.far.write_all(&[1; 20_000]).unwrap();
        for _ in 0..10 {
            watch.poll(&mut VecDeque::new());
        }
        assert!(Watch::scribbled(&watch.file));
        return;
    }
    let Watch {
        engine,
        file,
        mut far,
        ..
    } = watch;
    drop(engine);
    assert!(!area.is_leaked());
    file.write_all_at(&vec![SCRIBBLE; usize::try_from(SLOTS * SLOT).unwrap()], 0)
        .unwrap();
    // Whether it is taken depends on how far the close is.
    let _ = far.write_all(&[1; 20_000]);
    std::thread::sleep(Duration::from_millis(30));
    assert!(Watch::scribbled(&file));
}
