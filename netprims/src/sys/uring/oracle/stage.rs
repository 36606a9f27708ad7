use std::fs::OpenOptions;
use std::io::{ErrorKind, Read};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::OwnedFd;
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::net::UnixStream;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use socket2::{Domain, SockRef, Socket as SocketKind, Type};

use super::PATIENCE;
use super::cell::{And, Cell, Fate, Going, Moment, Part, Situation};
use super::made::{Made, hand_over};
use super::watched::Watched;
use crate::ring::{Event, Ring, SendOptions, Socket, Ticket, TxBuf, TxPool, Wait, ZcPolicy};
use crate::sys::memory::WeakPool;

/// More than a datagram takes, so that one is too long; and what one message of 17 pages takes.
pub(super) const SLOT: u32 = 17 * 4096;
pub(super) const SLOTS: u32 = 5;
/// A send buffer for less than a slot or two: the kernel doubles it.
const ROOM: usize = 64 * 1024;
/// More than a socket takes whose peer does not read.
const MOST: usize = 12 * SLOT as usize;

/// A ring with work in flight, and all that can go away.
pub(super) struct Stage {
    pub(super) ring: Option<Ring>,
    pub(super) pool: Option<TxPool>,
    /// A buffer that an event brought.
    pub(super) kept: Option<TxBuf>,
    /// The socket, once it is taken.
    pub(super) taken: Option<OwnedFd>,
    pub(super) socket: Socket,
    pub(super) far: Far,
    /// The near end once more, where what is forgotten would keep the connection from ending.
    duplicate: Option<OwnedFd>,
    /// A listener that takes no more, and those who wait for it.
    crowd: Option<(TcpListener, Vec<TcpStream>)>,
    /// The descriptor of a ring that is forgotten, so that it does not stay open once the cell is judged.
    pub(super) forgotten: Option<OwnedFd>,
    pub(super) watched: Watched,
    pub(super) spy: WeakPool,
    /// How much of the stream was given to the ring.
    given: usize,
    /// How much was told to be sent.
    sent: usize,
    /// Sends that were asked for.
    asked: u32,
    /// Sends that were told to be sent or to have failed.
    results: u32,
    /// Requests behind the sends that are not done.
    others: u32,
}

const AN_HOUR: Duration = Duration::from_secs(3600);

/// The other end.
pub(super) enum Far {
    Tcp(TcpStream),
    Unix(UnixStream),
    Nobody,
}

impl Stage {
    /// Nothing is in flight.
    pub(super) fn new(cell: &Cell) -> Self {
        let (watched, mapping) = Watched::new(SLOTS, SLOT);
        // What cannot be drained is given up soon, and what can be is waited for.
        let limit = match cell.fate() {
            Fate::Leaked => Duration::from_millis(5),
            Fate::Unmapped => PATIENCE,
        };
        let mut ring = cell
            .made
            .builder()
            .in_flight(16)
            .drain_limit(limit)
            .build()
            .unwrap();
        let pool = ring
            .engine()
            .pool_in(mapping, watched.shape())
            .unwrap()
            .unwrap();
        let spy = pool.downgrade();
        let pool = TxPool::of(pool);
        let kept = Some(an_events_buffer(&mut ring, &pool));
        let (near, far) = ends(cell.situation);
        let lasts = [Going::Forgotten(Part::Ring), Going::Forgotten(Part::Socket)];
        // A ring whose thread has not taken the queue when it gives up keeps the descriptors that are named in it.
        let may_keep = cell.made == Made::WithThread;
        let duplicate =
            (may_keep || lasts.contains(&cell.going)).then(|| near.try_clone().unwrap());
        let socket = ring.add(near).unwrap();
        Self {
            ring: Some(ring),
            pool: Some(pool),
            kept,
            taken: None,
            socket,
            far,
            duplicate,
            crowd: None,
            forgotten: None,
            watched,
            spy,
            given: 0,
            sent: 0,
            asked: 0,
            results: 0,
            others: 0,
        }
    }

    /// Brings a cell's work to its moment.
    pub(super) fn play(mut self, cell: &Cell) -> Self {
        let mut last = self.send(cell).unwrap();
        if cell.moment != Moment::Told {
            // It waits for the one before, where it would overtake it.
            last = self.send(cell).unwrap();
        }
        if cell.moment == Moment::Told {
            while self.poll(cell) && self.given < MOST {
                match self.send(cell) {
                    Some(ticket) => last = ticket,
                    None => break,
                }
            }
        }
        let ring = self.ring.as_mut().unwrap();
        match cell.work.and {
            And::Nothing | And::Together | And::Limited => {}
            And::ShutDown => {
                ring.shutdown(self.socket, Shutdown::Write).unwrap();
                self.others += 1;
            }
            And::Cancel => ring.cancel(last).unwrap(),
            And::Accept => {
                let listener = ring.add(TcpListener::bind("127.0.0.1:0").unwrap());
                ring.accept(listener.unwrap()).unwrap();
            }
            And::Connect => {
                let (full, others) = full_listener();
                let near = SocketKind::new(Domain::IPV4, Type::STREAM, None).unwrap();
                let near = ring.add(near).unwrap();
                let to = full.local_addr().unwrap();
                ring.connect_within(near, to, AN_HOUR).unwrap();
                self.crowd = Some((full, others));
            }
            And::Timeout => _ = ring.timeout(AN_HOUR).unwrap(),
        }
        match cell.moment {
            Moment::Queued => {}
            Moment::HandedOver => hand_over(ring),
            Moment::Told => _ = self.poll(cell),
        }
        if cell.going.takes_the_socket() {
            self.taken = Some(self.remove());
        }
        self
    }

    /// Sends one more buffer, or two; `None` if too many are out.
    fn send(&mut self, cell: &Cell) -> Option<Ticket> {
        let mut bufs = vec![self.fill()?];
        let policy = cell.work.policy();
        self.asked += 1;
        if cell.work.and == And::Together {
            let Some(second) = self.fill() else {
                self.asked -= 1;
                self.given -= bufs.iter().map(|buf| buf.len()).sum::<usize>();
                return None;
            };
            bufs.push(second);
            let ring = self.ring.as_mut().unwrap();
            return Some(ring.send_vectored(self.socket, &mut bufs, policy).unwrap());
        }
        let mut options = SendOptions::new().policy(policy);
        if cell.work.and == And::Limited {
            options = options.within(AN_HOUR);
        }
        let ring = self.ring.as_mut().unwrap();
        Some(ring.send(self.socket, bufs.remove(0), options).unwrap())
    }

    /// A free buffer with what comes next in the stream.
    fn fill(&mut self) -> Option<TxBuf> {
        let mut slot = self.pool.as_ref().unwrap().take()?.into_slot();
        self.watched.allow(&mut slot);
        let mut buf = TxBuf::new(slot);
        let text = pattern(self.given, buf.len());
        buf.copy_from_slice(text);
        self.given += text.len();
        Some(buf)
    }

    /// Takes what is told until all is done that was asked for. False if nothing comes for a moment: a send waits for room,
    /// and whether it would have had it a moment later makes no difference to what must hold.
    fn poll(&mut self, cell: &Cell) -> bool {
        let deadline = Instant::now() + PATIENCE;
        loop {
            assert!(
                Instant::now() < deadline,
                "there is always something to tell"
            );
            let wait = Wait::AtMost(Duration::from_millis(2));
            let Self {
                ring,
                sent,
                results,
                others,
                ..
            } = self;
            let told = ring.as_mut().unwrap().poll(wait, |event| match event {
                Event::Sent { result, .. } => {
                    *results += 1;
                    match (result, cell.situation.errno()) {
                        (Ok(bytes), None) => *sent += bytes,
                        (Err(error), Some(errno)) if error.raw_os_error() == Some(errno) => {}
                        (Err(_), None) if matches!(cell.work.and, And::ShutDown | And::Cancel) => {}
                        (result, _) => panic!("{result:?}"),
                    }
                }
                // The slot becomes free.
                Event::Released { buf, .. } => drop(buf),
                Event::ShutDown { .. } => *others -= 1,
                other => panic!("{other:?}"),
            });
            let told = told.unwrap();
            self.watched.overwrite_what_is_free(&self.spy);
            if self.results == self.asked && self.others == 0 {
                return true;
            }
            if told == 0 {
                return false;
            }
        }
    }

    /// Takes the socket from the ring, once the kernel's thread, if there is one, has come to what is queued.
    fn remove(&mut self) -> OwnedFd {
        let deadline = Instant::now() + PATIENCE;
        loop {
            match self.ring.as_mut().unwrap().remove(self.socket) {
                Ok(taken) => return taken,
                Err(busy) if busy.raw_os_error() == Some(libc::EBUSY) => {
                    assert!(Instant::now() < deadline, "{busy}");
                }
                Err(error) => panic!("{error}"),
            }
        }
    }

    /// Whether the shutdown came before all sends: it does not wait for one that the kernel tries again.
    pub(super) fn was_overtaken(&mut self, cell: &Cell) -> bool {
        let Far::Tcp(far) = &self.far else {
            return false;
        };
        if cell.work.and != And::ShutDown {
            return false;
        }
        far.set_nonblocking(true).unwrap();
        let is_at_its_end = far.peek(&mut [0]).is_ok_and(|len| len == 0);
        far.set_nonblocking(false).unwrap();
        is_at_its_end
    }

    /// What the peer does before anything goes away.
    pub(super) fn peer_first(&mut self, situation: Situation) {
        match situation {
            Situation::ClosesFirst => self.far = Far::Nobody,
            Situation::ResetsFirst => self.reset(),
            _ => {}
        }
    }

    /// What the peer does when all is gone: it must get what was sent, as far as it gets it.
    pub(super) fn peer_last(&mut self, situation: Situation) {
        if let Some(duplicate) = self.duplicate.take() {
            let _ = SockRef::from(&duplicate).shutdown(Shutdown::Write);
        }
        let received = match (situation, &mut self.far) {
            (Situation::ResetsLast, _) => return self.reset(),
            (Situation::ReadsLater, Far::Tcp(far)) => read_all(far),
            (Situation::Refuses, Far::Unix(far)) => read_all(far),
            _ => return,
        };
        assert!(
            received.len() >= self.sent,
            "{} < {}",
            received.len(),
            self.sent
        );
        assert!(received.len() <= self.given);
        let is_right = received == pattern(0, received.len());
        assert!(is_right, "wrong bytes on the wire");
    }

    fn reset(&mut self) {
        if let Far::Tcp(far) = &self.far {
            SockRef::from(far).set_linger(Some(Duration::ZERO)).unwrap();
        }
        self.far = Far::Nobody;
    }
}

/// A pool's buffer that has been sent and released.
fn an_events_buffer(ring: &mut Ring, pool: &TxPool) -> TxBuf {
    let near = UdpSocket::bind("127.0.0.1:0").unwrap();
    near.connect(near.local_addr().unwrap()).unwrap();
    let socket = ring.add(near).unwrap();
    let mut buf = pool.take().unwrap();
    buf.set_len(100).unwrap();
    ring.send(socket, buf, ZcPolicy::Always).unwrap();
    let mut back = None;
    while back.is_none() {
        ring.poll(Wait::AtMost(PATIENCE), |event| {
            if let Event::Released { buf, .. } = event {
                back = Some(buf);
            }
        })
        .unwrap();
    }
    ring.remove(socket).unwrap();
    back.unwrap()
}

/// A socket to send to, and its other end.
fn ends(situation: Situation) -> (OwnedFd, Far) {
    match situation {
        Situation::NoSocket => {
            // `O_PATH`
            let path = OpenOptions::new()
                .read(true)
                .custom_flags(0o10000000)
                .open("/");
            (path.unwrap().into(), Far::Nobody)
        }
        Situation::TooLong => {
            let near = UdpSocket::bind("127.0.0.1:0").unwrap();
            near.connect(near.local_addr().unwrap()).unwrap();
            (near.into(), Far::Nobody)
        }
        Situation::Refuses => {
            let (near, far) = UnixStream::pair().unwrap();
            SockRef::from(&near).set_send_buffer_size(ROOM).unwrap();
            (near.into(), Far::Unix(far))
        }
        _ => {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            SockRef::from(&listener).set_recv_buffer_size(4096).unwrap();
            let near = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
            SockRef::from(&near).set_send_buffer_size(ROOM).unwrap();
            if situation == Situation::ShutDown {
                near.shutdown(Shutdown::Write).unwrap();
            }
            (near.into(), Far::Tcp(listener.accept().unwrap().0))
        }
    }
}

/// A listener whose queue is full: who connects waits.
fn full_listener() -> (TcpListener, Vec<TcpStream>) {
    let listener = SocketKind::new(Domain::IPV4, Type::STREAM, None).unwrap();
    let any: SocketAddr = "127.0.0.1:0".parse().unwrap();
    listener.bind(&any.into()).unwrap();
    listener.listen(0).unwrap();
    let listener = TcpListener::from(listener);
    let waiting = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    (listener, vec![waiting])
}

/// What a connection brings until it ends, or is cut off.
fn read_all(far: &mut impl Read) -> Vec<u8> {
    let mut received = Vec::new();
    match far.read_to_end(&mut received) {
        Err(error) if error.kind() != ErrorKind::ConnectionReset => panic!("{error}"),
        _ => received,
    }
}

/// What `len` bytes of the stream are from the `nth` on: nowhere near the same, and nothing that overwrites them.
fn pattern(nth: usize, len: usize) -> &'static [u8] {
    static STREAM: OnceLock<Vec<u8>> = OnceLock::new();
    let stream = STREAM.get_or_init(|| {
        // A prime, so that a shift shows.
        let byte = |at: usize| u8::try_from((at % 199) ^ (at / 4096 % 16)).unwrap();
        (0..MOST + SLOT as usize).map(byte).collect()
    });
    &stream[nth..nth + len]
}
