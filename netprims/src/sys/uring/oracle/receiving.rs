use std::fmt;
use std::fs::File;
use std::io::{ErrorKind, Write};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use socket2::SockRef;

use super::PATIENCE;
use super::cell::{Going, Moment};
use super::made::{Made, hand_over};
use super::watched::Watched;
use crate::caller::{Caller, Capability};
use crate::ring::{Address, Event, Ring, RxBuf, RxPool, Socket, Wait};
use crate::sys::memory::{Mapping, Shape};
use crate::sys::uring::version;
use crate::sys::uring::{Giving, GroupHandle, NoQueue, QueueRefused};

/// A cell of the matrix of receives.
#[derive(Clone, Copy, Debug)]
pub(super) struct Receiving {
    pub(super) made: Made,
    pub(super) way: Way,
    pub(super) peer: Peer,
    pub(super) moment: Moment,
    pub(super) going: Going,
}

/// How the memory is given to the kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    Plain,
    Multishot,
    /// Until nothing has come for an hour: with a clock in flight beside it.
    UntilIdle,
    Bundles,
    Incremental,
    /// From a queue without a device, registered with the memory.
    ZeroCopy,
    /// Datagrams with all that is told of them, each into a slot that its request names.
    PlainMessages,
    /// The same, into slots that are shown.
    Messages,
}

/// What the peer does while the receive goes on. All but those that have gone send when all is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Peer {
    Silent,
    /// Sends more than the slots take.
    Floods,
    Closes,
    Resets,
}

const AN_HOUR: Duration = Duration::from_secs(3600);
pub(super) const SLOT: u32 = 4096;
pub(super) const SLOTS: u32 = 4;
/// What the peer sends at a time: more than all slots take.
const FLOOD: usize = 8 * SLOT as usize;

/// A ring that receives, and all that can go away.
pub(super) struct Receiver {
    pub(super) ring: Option<Ring>,
    pub(super) pool: Option<RxPool>,
    pub(super) kept: Option<RxBuf>,
    pub(super) taken: Option<OwnedFd>,
    pub(super) watched: Watched,
    pub(super) forgotten: Option<OwnedFd>,
    socket: Socket,
    far: Option<File>,
    /// Where the kept buffer came from, if that was told.
    source: Option<Address>,
    /// Bytes of the main stream that were told.
    told: usize,
}

impl Way {
    pub(super) const ALL: [Self; 8] = [
        Self::Plain,
        Self::Multishot,
        Self::UntilIdle,
        Self::Bundles,
        Self::Incremental,
        Self::ZeroCopy,
        Self::PlainMessages,
        Self::Messages,
    ];

    fn has_messages(self) -> bool {
        matches!(self, Self::PlainMessages | Self::Messages)
    }

    /// Memory that a ring receives into in this way. `None` if the kernel refuses it as one does that has not got it, and
    /// is one that has not.
    fn group(self, ring: &mut Ring, mapping: Mapping, shape: Shape) -> Option<GroupHandle> {
        let engine = ring.engine();
        if self == Self::ZeroCopy {
            let mut group = engine.group(shape, self.giving()).unwrap().unwrap();
            return match engine.add_queue_in(&mut group, mapping) {
                Ok(()) => Some(group),
                Err(NoQueue::Refused(refused)) => {
                    assert_without_queues(&refused);
                    eprintln!("listed: {}", refused.error);
                    None
                }
                Err(unfit) => panic!("{unfit:?}"),
            };
        }
        match engine.group_in(mapping, shape, self.giving()) {
            Ok(Some(group)) if self.has_messages() => {
                engine.keep_for_messages(&group);
                Some(group)
            }
            Ok(group) => group,
            Err(refused) => {
                // The one errno for a flag that is not known.
                assert_eq!(refused.error.raw_os_error(), Some(libc::EINVAL));
                let is_known = self != Self::Incremental || version::is_at_least(6, 12);
                assert!(!is_known, "{refused:?}");
                None
            }
        }
    }

    fn giving(self) -> Giving {
        match self {
            Self::Plain | Self::PlainMessages => Giving::OneByOne,
            way => Giving::Ring {
                is_incremental: way == Self::Incremental,
                is_bundling: way == Self::Bundles,
            },
        }
    }
}

impl Peer {
    pub(super) const ALL: [Self; 4] = [Self::Silent, Self::Floods, Self::Closes, Self::Resets];
}

impl Receiving {
    pub(super) fn all(made: Made, way: Way, peer: Peer) -> impl Iterator<Item = Self> {
        Moment::ALL.into_iter().flat_map(move |moment| {
            let goings = Going::all().into_iter();
            goings.map(move |going| Self {
                made,
                way,
                peer,
                moment,
                going,
            })
        })
    }

    /// Why it cannot be run.
    pub(super) fn reason_not_run(self) -> Option<&'static str> {
        let is_impossible = self.made == Made::WithThread && self.way == Way::ZeroCopy;
        is_impossible.then_some(
            "zero-copy receive takes a ring that defers its work, which one with a thread does not",
        )
    }
}

impl Receiver {
    /// With a buffer that is kept, and nothing in flight. `None` on a kernel without this way.
    pub(super) fn new(made: Made, way: Way) -> Option<Self> {
        let (watched, mapping) = Watched::new(SLOTS, SLOT);
        let mut ring = made
            .builder()
            .drain_limit(PATIENCE)
            .zero_copy_receive(way == Way::ZeroCopy)
            .build()
            .unwrap();
        let pool = RxPool::watched(way.group(&mut ring, mapping, watched.shape())?);
        let kept = a_detached_chunk(&mut ring, &pool, way);
        let source = kept.source();
        assert_eq!(source.is_some(), way.has_messages());
        let (near, far) = connected(way);
        let socket = ring.add(near).unwrap();
        Some(Self {
            ring: Some(ring),
            pool: Some(pool),
            kept: Some(kept),
            taken: None,
            watched,
            forgotten: None,
            socket,
            far: Some(far),
            source,
            told: 0,
        })
    }

    /// Brings a cell's work to its moment.
    pub(super) fn play(mut self, cell: &Receiving) -> Self {
        let ring = self.ring.as_mut().unwrap();
        let pool = self.pool.as_ref().unwrap();
        match cell.way {
            Way::UntilIdle => ring.receive_until_idle(self.socket, pool, AN_HOUR),
            _ => ring.receive(self.socket, pool),
        }
        .unwrap();
        match cell.moment {
            Moment::Queued => {}
            Moment::HandedOver => hand_over(ring),
            Moment::Told => {
                self.send(100);
                self.take(100);
            }
        }
        match cell.peer {
            Peer::Silent => {}
            Peer::Floods => self.send(FLOOD),
            Peer::Closes => self.far = None,
            Peer::Resets => {
                let far = self.far.take().unwrap();
                SockRef::from(&far)
                    .set_linger(Some(Duration::ZERO))
                    .unwrap();
            }
        }
        if cell.going.takes_the_socket() {
            self.taken = Some(self.ring.as_mut().unwrap().remove(self.socket).unwrap());
        }
        self
    }

    /// The peer sends so many bytes, or as many as there is room for.
    pub(super) fn send(&mut self, len: usize) {
        let Some(far) = &mut self.far else { return };
        SockRef::from(&*far).set_nonblocking(true).unwrap();
        let bytes: Vec<u8> = (0..len).map(byte).collect();
        for part in bytes.chunks(SLOT as usize) {
            match far.write(part) {
                Err(error) if is_over(error.kind()) => return,
                written => assert!(written.unwrap() > 0),
            }
        }
    }

    /// Takes so many bytes, each as it was sent.
    pub(super) fn take(&mut self, len: usize) {
        let deadline = Instant::now() + PATIENCE;
        while self.told < len {
            assert!(Instant::now() < deadline, "{} bytes came", self.told);
            let told = &mut self.told;
            let ring = self.ring.as_mut().unwrap();
            ring.poll(Wait::AtMost(PATIENCE), |event| match event {
                Event::Received { chunk, .. } => {
                    assert!((*told..).zip(&*chunk).all(|(at, got)| *got == byte(at)));
                    *told += chunk.len();
                }
                other => panic!("{other:?}"),
            })
            .unwrap();
        }
    }

    /// Whether the kept buffer is as it was received.
    pub(super) fn is_kept_whole(&self) -> bool {
        let is_whole = |kept: &RxBuf| {
            let is_filled = !kept.is_empty() && kept.iter().all(|byte| *byte == KEPT);
            is_filled && kept.source() == self.source
        };
        self.kept.as_ref().is_none_or(is_whole)
    }

    /// The slots that nobody may write, once the ring is gone.
    pub(super) fn overwrite_what_is_not_kept(&mut self) {
        let kept = (0..SLOTS).filter(|slot| {
            let is_alive = self.kept.is_some();
            let contents = self.watched.contents(*slot);
            is_alive && contents.windows(10).any(|bytes| bytes == [KEPT; 10])
        });
        let kept: Vec<u32> = kept.collect();
        self.watched.overwrite_all_but(&kept);
    }
}

/// What the kept buffer holds.
const KEPT: u8 = 0x55;

/// What a byte of the main stream is: none of what is kept or overwrites.
pub(super) fn byte(at: usize) -> u8 {
    u8::try_from(at % 79).unwrap()
}

/// Asserts that a queue without a device was refused by a kernel that has none and says so, or for want of privilege.
fn assert_without_queues(refused: &QueueRefused) {
    match refused.error.raw_os_error() {
        Some(libc::EINVAL) => {
            let is_without = !refused.support.no_device && !version::is_at_least(7, 2);
            assert!(is_without, "{refused:?}");
        }
        Some(libc::EPERM) => {
            let is_capable = Caller::look().has(Capability::NetAdmin);
            assert_ne!(is_capable, Some(true), "{refused:?}");
        }
        _ => panic!("{refused:?}"),
    }
}

fn is_over(kind: ErrorKind) -> bool {
    let over = [
        ErrorKind::BrokenPipe,
        ErrorKind::ConnectionRefused,
        ErrorKind::ConnectionReset,
        ErrorKind::WouldBlock,
    ];
    over.contains(&kind)
}

/// A chunk that came over another connection, whose receive is over.
fn a_detached_chunk(ring: &mut Ring, pool: &RxPool, way: Way) -> RxBuf {
    let (near, mut far) = connected(way);
    far.write_all(&[KEPT; 10]).unwrap();
    let socket = ring.add(near).unwrap();
    let ticket = ring.receive(socket, pool).unwrap();
    let (mut kept, mut is_over) = (None, false);
    while !is_over {
        ring.poll(Wait::AtMost(PATIENCE), |event| match event {
            Event::Received { chunk, .. } => kept = Some(chunk.detach()),
            Event::ReceiveEnded { .. } => is_over = true,
            other => panic!("{other:?}"),
        })
        .unwrap();
        if kept.is_some() && !is_over {
            let _ = ring.cancel(ticket);
        }
    }
    ring.remove(socket).unwrap();
    kept.unwrap()
}

fn connected(way: Way) -> (OwnedFd, File) {
    let any = "127.0.0.1:0";
    if way.has_messages() {
        let near = UdpSocket::bind(any).unwrap();
        let far = UdpSocket::bind(any).unwrap();
        far.connect(near.local_addr().unwrap()).unwrap();
        return (near.into(), OwnedFd::from(far).into());
    }
    let listener = TcpListener::bind(any).unwrap();
    let near = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let far = OwnedFd::from(listener.accept().unwrap().0);
    (near.into(), far.into())
}

impl fmt::Display for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Plain => "a plain receive",
            Self::Multishot => "a multishot receive",
            Self::UntilIdle => "a multishot receive with a limit on silence",
            Self::Bundles => "a multishot receive of bundles",
            Self::Incremental => "a multishot receive, incremental",
            Self::ZeroCopy => "a zero-copy receive without a device",
            Self::PlainMessages => "a plain receive of messages",
            Self::Messages => "a multishot receive of messages",
        })
    }
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Silent => "the peer sends when all is gone",
            Self::Floods => "the peer sends more than there is room for",
            Self::Closes => "the peer closes first",
            Self::Resets => "the peer resets first",
        })
    }
}
