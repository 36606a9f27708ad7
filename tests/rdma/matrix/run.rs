//! One piece of work, from its bytes to what is left of it.

use netprims_rdma::{
    Bufs, Datagram, Done, Error, ExposedMr, Qp, QpType, Queue, Rejected, RemoteSlice, Rts,
    WcOpcode, WcStatus, Wr,
};

use super::cell::{Cell, Kind, Opcode, Refusal};
use super::held::Held;
use super::requests::{Requests, Source, Target};
use crate::work::{LocalSide, Manner, pattern};

/// Where requests begin in exposed memory: the first of an odd number of bytes, and a word.
pub(super) const AT: usize = 33;
const WORD: usize = 32;
/// How many bytes a window shows, from the first of those.
pub(super) const WINDOW: usize = 24;
/// How many bytes precede a datagram.
const HEADER: usize = 40;
/// What the request and the one behind it are called, and their receives.
pub(super) const REQUEST: u64 = 1;
const MARKER: u64 = 2;

/// The request runs, and does what it says.
pub(super) fn runs<T: Requests>(
    cell: Cell,
    long: usize,
    a: &mut Held<T>,
    b: &mut Held<T>,
    to: Option<&Datagram>,
) {
    let Cell {
        kind,
        opcode,
        manner,
        ..
    } = cell;
    if opcode.is_about_a_key() {
        return about_a_key(cell, a, b);
    }
    let work = Work::new(cell, long);
    let (at, len) = (work.at, work.bytes.len());
    if opcode.fetches() {
        b.expose(at, &work.bytes);
    }
    // An unreliable write is over when it is sent; what is sent behind it arrives behind it.
    let is_silent = kind == Kind::Uc && opcode == Opcode::Write;
    let has_marker = manner.is_batch || !manner.is_signalled || is_silent;
    if opcode.is_received() {
        let bufs = match manner.local {
            LocalSide::Several => Bufs::List(b.list()),
            _ => Bufs::One(b.one()),
        };
        b.side.post_recv(bufs, REQUEST);
    }
    if has_marker {
        let buf = b.one();
        b.side.post_recv(buf, MARKER);
    }
    let mut target = work.target(b.exposed.remote(), to);
    if opcode == Opcode::SendWithInvalidate {
        target.key = T::bind(b).key();
    }
    let exposed = a.exposed.clone();
    let posted = {
        let from = work.source(a, &exposed);
        let wr = T::request(opcode, from, target);
        let marker = has_marker.then(|| T::marker(target));
        post(&mut a.side.qp, manner, wr, marker)
    };
    posted.unwrap_or_else(|error| panic!("{cell:?}: {error}"));

    let mut done = a.side.wait(1 + usize::from(has_marker)).into_iter();
    let own = done.next().unwrap();
    well(&own, cell, REQUEST, Queue::Send);
    let wanted = match opcode {
        Opcode::Write | Opcode::WriteWithImm => WcOpcode::RdmaWrite,
        Opcode::Read => WcOpcode::RdmaRead,
        Opcode::CompareSwap => WcOpcode::CompareAndSwap,
        Opcode::FetchAdd => WcOpcode::FetchAndAdd,
        _ => WcOpcode::Send,
    };
    // Nobody says what an unsignalled one was.
    assert!(
        !manner.is_signalled || own.opcode == wanted,
        "{cell:?}: {own:?}"
    );
    let shown = a.back(own.bufs);
    // What was fetched, or what was sent and is as it was.
    match manner.local {
        LocalSide::One | LocalSide::Several => assert!(shown == work.bytes, "{cell:?}: this side"),
        LocalSide::Exposed => a.expect(at, &work.bytes),
        LocalSide::Inline => assert!(shown.is_empty(), "{cell:?}"),
    }
    for marker in done {
        well(&marker, cell, MARKER, Queue::Send);
    }
    let count = usize::from(opcode.is_received()) + usize::from(has_marker);
    for received in b.side.wait(count) {
        if received.token == MARKER {
            well(&received, cell, MARKER, Queue::Recv);
            b.back(received.bufs);
        } else {
            arrived(cell, &work, a, b, received);
        }
    }
    match opcode {
        Opcode::Write | Opcode::WriteWithImm => b.expect(at, &work.bytes),
        Opcode::CompareSwap | Opcode::FetchAdd => b.expect(at, &work.then),
        _ => {}
    }
    a.check(cell, at, len);
    b.check(cell, at, len);
    assert_eq!(a.side.qp.in_flight(Queue::Send), 0, "{cell:?}");
}

/// The request is refused by name, the device does not see it, and its memory comes back.
pub(super) fn refused<T: Requests>(
    cell: Cell,
    long: usize,
    refusal: Refusal,
    a: &mut Held<T>,
    to: Option<&Datagram>,
) {
    let work = Work::new(cell, long);
    let far = RemoteSlice::new(0, u64::MAX, a.exposed.remote().key());
    let target = work.target(far, to);
    let exposed = a.exposed.clone();
    let rejected = {
        let from = work.source(a, &exposed);
        let wr = T::request(cell.opcode, from, target);
        post(&mut a.side.qp, cell.manner, wr, None).unwrap_err()
    };
    let wanted = match (&rejected.error, refusal) {
        (Error::MessageTooLong { len, .. }, Refusal::TooLong)
        | (Error::InlineTooLong { len, .. }, Refusal::TooLongInline)
        | (Error::WrongLength { len, .. }, Refusal::NotEightBytes) => *len,
        (error, _) => panic!("{cell:?}: {error}"),
    };
    assert_eq!(wanted, work.bytes.len(), "{cell:?}");
    a.back(rejected.bufs.unwrap());
    a.check(cell, work.at, work.bytes.len());
    assert!(!a.side.qp.has_failed(), "{cell:?}");
}

/// The numbers of one request.
struct Work {
    cell: Cell,
    /// What moves.
    bytes: Vec<u8>,
    /// What an atomic leaves there.
    then: Vec<u8>,
    /// Where exposed memory is used, on both sides.
    at: usize,
    values: (u64, u64),
    imm: u32,
}

impl Work {
    fn new(cell: Cell, long: usize) -> Self {
        let len = cell.len.bytes(long);
        let seed = cell.opcode.number() ^ (u8::from(cell.manner.is_signalled) << 7) ^ 0x20;
        let bytes: Vec<u8> = pattern(seed).take(len).collect();
        let is = match bytes.first_chunk() {
            Some(word) => u64::from_ne_bytes(*word),
            None => 0,
        };
        // Signalled ones hit, the others miss.
        let hits = cell.manner.is_signalled;
        let values = (if hits { is } else { !is }, 0x0123_4567_89ab_cdef);
        let then = match cell.opcode {
            Opcode::FetchAdd => is.wrapping_add(values.1),
            _ if hits => values.1,
            _ => is,
        };
        let at = if cell.opcode.is_atomic() { WORD } else { AT };
        Work {
            cell,
            bytes,
            then: then.to_ne_bytes().to_vec(),
            at,
            values,
            imm: 0x0102_0304 ^ u32::from(seed),
        }
    }

    /// This side's memory.
    fn source<'a, T: QpType>(&'a self, a: &mut Held<T>, exposed: &'a ExposedMr) -> Source<'a> {
        let len = self.bytes.len();
        let sent = (!self.cell.opcode.fetches()).then_some(&self.bytes[..]);
        match self.cell.manner.local {
            LocalSide::Inline => Source::Inline(&self.bytes),
            LocalSide::One => Source::Memory(a.showing(len, sent).into()),
            LocalSide::Several => Source::Memory(a.cut(len, sent).into()),
            LocalSide::Exposed => {
                if let Some(sent) = sent {
                    a.expose(self.at, sent);
                }
                Source::Memory(exposed.part(self.at..self.at + len).unwrap().into())
            }
        }
    }

    fn target<'a>(&self, memory: RemoteSlice, to: Option<&'a Datagram>) -> Target<'a> {
        let (at, len) = (self.at as u64, self.bytes.len() as u64);
        // A word is there for an atomic whatever this side has.
        let len = if self.cell.opcode.is_atomic() { 8 } else { len };
        Target {
            there: memory.slice(at..at + len).unwrap(),
            key: memory.key(),
            imm: self.imm,
            to,
            values: self.values,
        }
    }
}

/// Posts a request as the manner says, and another one behind it.
fn post<'a, T: QpType>(
    qp: &mut Qp<T, Rts>,
    manner: Manner,
    wr: Wr<'a, T>,
    marker: Option<Wr<'a, T>>,
) -> Result<(), Rejected> {
    let wr = if manner.is_signalled {
        wr
    } else {
        wr.unsignalled()
    };
    if !manner.is_batch {
        qp.post(wr, REQUEST)?;
        return marker.map_or(Ok(()), |marker| qp.post(marker, MARKER));
    }
    let mut batch = qp.batch();
    batch.push(wr, REQUEST)?;
    if let Some(marker) = marker {
        batch.push(marker, MARKER)?;
    }
    batch.post().unwrap();
    Ok(())
}

/// What the peer got.
fn arrived<T: QpType>(cell: Cell, work: &Work, a: &Held<T>, b: &mut Held<T>, received: Done) {
    let Cell {
        kind,
        opcode,
        manner,
        ..
    } = cell;
    well(&received, cell, REQUEST, Queue::Recv);
    let wanted = opcode.has_imm().then_some(work.imm);
    assert_eq!(received.imm(), wanted, "{cell:?}");
    let header = if kind == Kind::Ud { HEADER } else { 0 };
    let len = u32::try_from(header + work.bytes.len()).unwrap();
    assert_eq!(received.received_len(), len, "{cell:?}");
    let is_one = matches!(received.bufs, Bufs::One(_));
    if kind == Kind::Ud && !manner.has_srq {
        assert_eq!(received.source(), Some(a.side.qp.number()), "{cell:?}");
        assert_eq!(received.header().is_some(), is_one, "{cell:?}");
    }
    if is_one && opcode.is_message() && !(kind == Kind::Ud && manner.has_srq) {
        assert!(received.message() == work.bytes, "{cell:?}");
    }
    let wanted = if opcode.is_message() {
        WcOpcode::Recv
    } else {
        WcOpcode::RecvRdmaWithImm
    };
    assert_eq!(received.opcode, wanted, "{cell:?}");
    let shown = b.back(received.bufs);
    match opcode.is_message() {
        true => assert!(shown[header..] == work.bytes, "{cell:?}: that side"),
        false => assert!(shown.is_empty(), "{cell:?}: {} bytes", shown.len()),
    }
}

/// A request that gives or takes a key of this side. Whether it did is seen by the peer, and by the next request about the
/// same window: one that has a key is not given another.
fn about_a_key<T: Requests>(cell: Cell, a: &mut Held<T>, b: &mut Held<T>) {
    let there = T::bind(a);
    if cell.opcode == Opcode::BindWindow {
        read_by(cell, there, a, b);
    }
    let manner = match cell.opcode {
        Opcode::BindWindow => Manner::PLAIN,
        _ => cell.manner,
    };
    let has_marker = manner.is_batch || !manner.is_signalled;
    if has_marker {
        let buf = b.one();
        b.side.post_recv(buf, MARKER);
    }
    let nothing = Target {
        there,
        key: there.key(),
        imm: 0,
        to: None,
        values: (0, 0),
    };
    let marker = has_marker.then(|| T::marker(nothing));
    let invalidation = T::invalidation(&a.window);
    post(&mut a.side.qp, manner, invalidation, marker).unwrap();
    for (done, token) in a.side.wait(1 + usize::from(has_marker)).iter().zip(1..) {
        well(done, cell, token, Queue::Send);
        let is_told = token == REQUEST && manner.is_signalled;
        assert!(
            !is_told || done.opcode == WcOpcode::LocalInvalidate,
            "{cell:?}"
        );
    }
    for received in b.side.wait(usize::from(has_marker)) {
        well(&received, cell, MARKER, Queue::Recv);
        b.back(received.bufs);
    }
    a.check(cell, 0, 0);
    b.check(cell, 0, 0);
}

/// The peer reads by a key what is there.
fn read_by<T: Requests>(cell: Cell, there: RemoteSlice, a: &mut Held<T>, b: &mut Held<T>) {
    let bytes: Vec<u8> = pattern(0x11).take(WINDOW).collect();
    a.expose(AT, &bytes);
    let local = Source::Memory(b.showing(WINDOW, None).into());
    let target = Target {
        there,
        key: there.key(),
        imm: 0,
        to: None,
        values: (0, 0),
    };
    let read = T::request(Opcode::Read, local, target);
    b.side.qp.post(read, REQUEST).unwrap();
    let done = b.side.wait(1).remove(0);
    assert_eq!(done.status, WcStatus::Success, "by a window");
    assert!(b.back(done.bufs) == bytes, "by a window");
    a.check(cell, AT, WINDOW);
}

fn well(done: &Done, cell: Cell, token: u64, queue: Queue) {
    assert_eq!(
        (done.status, done.token, done.queue),
        (WcStatus::Success, token, queue),
        "{cell:?}: {done:?}"
    );
}
