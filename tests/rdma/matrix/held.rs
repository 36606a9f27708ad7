//! A side whose memory is watched.

use netprims_rdma::{Buf, BufList, Bufs, ExposedMr, QpType, RemoteAccess, Window};

use super::cell::Cell;
use crate::work::Side;

/// What memory holds that nobody is to write to.
pub(super) const GUARD: u8 = 0xc3;
/// How many buffers a list has at most.
const PIECES: usize = 8;
/// How much a buffer has beyond the longest message, a datagram's header included.
const MORE: usize = 64;

/// One side, and all of its buffers: those that are not posted hold the guard, every byte of them.
pub(super) struct Held<T: QpType> {
    pub(super) side: Side<T>,
    whole: Vec<Buf>,
    pieces: Vec<Buf>,
    pub(super) exposed: ExposedMr,
    /// What the exposed memory is to hold.
    image: Vec<u8>,
    scratch: Vec<u8>,
    pub(super) window: Window,
    guard: Vec<u8>,
}

impl<T: QpType> Held<T> {
    /// For messages of so many bytes at most.
    pub(super) fn new(side: Side<T>, most: usize) -> Self {
        let pd = side.qp.pd();
        let all = |count: u32, size: usize| {
            let memory = pd
                .register_local(count, u32::try_from(size).unwrap())
                .unwrap();
            let bufs: Vec<Buf> = std::iter::from_fn(|| memory.take()).collect();
            bufs
        };
        let bytes = most + 2 * MORE;
        let access = RemoteAccess::ALL | RemoteAccess::WINDOWS;
        let exposed = pd.register_exposed(bytes, access).unwrap();
        exposed.copy_in(0, &vec![GUARD; bytes]).unwrap();
        let mut held = Held {
            whole: all(3, bytes),
            pieces: all(8, bytes.div_ceil(PIECES)),
            window: exposed.alloc_window().unwrap(),
            exposed,
            image: vec![GUARD; bytes],
            scratch: vec![0; bytes],
            guard: vec![GUARD; bytes],
            side,
        };
        for buf in held.whole.iter_mut().chain(&mut held.pieces) {
            buf.fill(GUARD);
        }
        held
    }

    /// A buffer that shows all its bytes.
    pub(super) fn one(&mut self) -> Buf {
        self.whole.pop().unwrap()
    }

    /// A list of all pieces.
    pub(super) fn list(&mut self) -> BufList {
        self.pieces.drain(..).collect()
    }

    /// A buffer that shows so many bytes of guard, or of `bytes`.
    pub(super) fn showing(&mut self, len: usize, bytes: Option<&[u8]>) -> Buf {
        let mut buf = self.one();
        buf.set_len(len);
        if let Some(bytes) = bytes {
            buf.copy_from_slice(bytes);
        }
        buf
    }

    /// The same, in as many pieces as there can be.
    pub(super) fn cut(&mut self, len: usize, bytes: Option<&[u8]>) -> BufList {
        let step = len.div_ceil(PIECES).max(1);
        let mut list = BufList::with_capacity(PIECES);
        for at in (0..len.max(1)).step_by(step) {
            let mut piece = self.pieces.pop().unwrap();
            piece.set_len(step.min(len - at));
            if let Some(bytes) = bytes {
                let end = at + piece.len();
                piece.copy_from_slice(&bytes[at..end]);
            }
            list.push(piece);
        }
        list
    }

    /// Takes buffers back: the bytes that they show. Those that they do not must be as they were.
    pub(super) fn back(&mut self, bufs: Bufs) -> Vec<u8> {
        let mut shown = Vec::new();
        let bufs = match bufs {
            Bufs::None => Vec::new(),
            Bufs::One(buf) => vec![buf],
            Bufs::List(mut list) => list.drain().collect(),
        };
        for mut buf in bufs {
            let len = buf.len();
            shown.extend_from_slice(&buf);
            buf.set_len(buf.capacity());
            assert!(
                buf[len..] == self.guard[len..buf.len()],
                "behind {len} bytes"
            );
            buf[..len].fill(GUARD);
            if buf.len() == self.guard.len() {
                self.whole.push(buf);
            } else {
                self.pieces.push(buf);
            }
        }
        shown
    }

    /// Puts bytes into the exposed memory that are to stay there.
    pub(super) fn expose(&mut self, at: usize, bytes: &[u8]) {
        self.exposed.copy_in(at, bytes).unwrap();
        self.expect(at, bytes);
    }

    /// Says what somebody else puts into the exposed memory.
    pub(super) fn expect(&mut self, at: usize, bytes: &[u8]) {
        self.image[at..at + bytes.len()].copy_from_slice(bytes);
    }

    /// Looks at everything that nobody has: all buffers are here, and nothing but what was expected
    /// was written. Then there is guard everywhere again, of the exposed memory in `used` bytes from `at` on.
    pub(super) fn check(&mut self, cell: Cell, at: usize, used: usize) {
        assert_eq!((self.whole.len(), self.pieces.len()), (3, PIECES));
        for buf in self.whole.iter().chain(&self.pieces) {
            assert!(buf[..] == self.guard[..buf.len()], "{cell:?}: in a buffer");
        }
        self.exposed.copy_out(0, &mut self.scratch).unwrap();
        if self.scratch != self.image {
            let same = self.scratch.iter().zip(&self.image);
            let first = same.take_while(|(is, wanted)| is == wanted).count();
            panic!("{cell:?}: exposed memory differs at byte {first}, of {used} from {at} on");
        }
        self.image[at..at + used].fill(GUARD);
        self.exposed.copy_in(at, &self.guard[..used]).unwrap();
    }
}
