//! Brings work to its moment.

use std::any::Any;
use std::mem;
use std::sync::{Arc, Weak};

use crate::sys::fake::{BadWr, Fake, PostFailure};
use crate::sys::oracle::SCRIBBLE;
use crate::sys::{ExposedRegion, Region};
use crate::tests::peer;
use crate::{
    Batch, Buf, BufList, Bufs, CompChannel, Context, Cq, CqAttr, Datagram, Done, Error, ExposedMr,
    InitAttr, Mr, Mtu, Path, Pd, PortNum, Psn, Qkey, Qp, QpCap, QpType, Qpn, Rc, RemoteAccess,
    RemoteKey, RemoteSlice, RtrAttr, Rts, RtsAttr, Srq, Ud, Window, Wr,
};

use super::cell::{Cell, Guard, Moment, Work};

/// How large a buffer is, and exposed memory.
const SIZE: u32 = 64;
const CAP: QpCap = QpCap::new(4, 4).pieces(2, 2).inline(32);
/// Memory of a peer's.
const THERE: RemoteSlice = RemoteSlice::new(0x1000, 64, RemoteKey::new(0x77));

/// What a program holds. A guard that has gone is `None`.
pub(super) struct Stage {
    pub(super) fake: Fake,
    pub(super) context: Option<Context>,
    pub(super) channel: Option<CompChannel>,
    pub(super) pd: Option<Pd>,
    pub(super) cq: Option<Cq>,
    pub(super) memory: Option<Mr>,
    pub(super) buf: Option<Buf>,
    pub(super) results: Option<Vec<Bufs>>,
    pub(super) srq: Option<Srq>,
    pub(super) datagram: Option<Datagram>,
    pub(super) exposed: Option<ExposedMr>,
    pub(super) window: Option<Window>,
    pub(super) qp: Option<Box<dyn Any>>,
    /// What tells whether the memory is still there.
    pub(super) region: Weak<Region>,
    pub(super) exposed_region: Weak<ExposedRegion>,
    /// Keys that a peer knows.
    pub(super) key: Option<RemoteSlice>,
    pub(super) window_key: Option<RemoteSlice>,
}

/// How the work of a cell is posted.
type Post<T> = fn(&mut Stage, &Cell, &mut Qp<T, Rts>) -> Result<(), Error>;

impl Stage {
    /// Plays a cell up to where the guards go.
    pub(super) fn set(cell: &Cell) -> Self {
        let fake = Fake::new();
        fake.state().is_late = true;
        let context = fake.context();
        let channel = context.create_comp_channel().unwrap();
        let pd = context.alloc_pd().unwrap();
        let attr = CqAttr::new(64).events(&channel);
        let attr = match cell.work {
            Work::ReceiveBatch => attr.extended(),
            _ => attr,
        };
        let cq = context.create_cq_with(&attr).unwrap();
        drop(attr);
        let memory = pd.register_local(8, SIZE).unwrap();
        memory.region().fill_free(SCRIBBLE);
        let rights = RemoteAccess::ALL | RemoteAccess::WINDOWS;
        let exposed = pd.register_exposed(64, rights).unwrap();
        let exposed = cell.work.has_exposed().then_some(exposed);
        let to = || {
            let ah = pd.create_ah(&Path::from(PortNum::FIRST)).unwrap();
            Datagram::new(ah, Qpn::new(17).unwrap(), Qkey::new(1))
        };
        let of = exposed.as_ref();
        let mut stage = Stage {
            region: Arc::downgrade(memory.region()),
            exposed_region: of.map_or(Weak::new(), |memory| Arc::downgrade(memory.region())),
            key: of.map(ExposedMr::remote),
            window_key: None,
            window: cell
                .work
                .has_window()
                .then(|| of.unwrap().alloc_window().unwrap()),
            srq: cell.work.has_srq().then(|| pd.create_srq(4, 1).unwrap()),
            datagram: cell.work.is_datagram().then(to),
            buf: None,
            results: None,
            qp: None,
            exposed,
            fake,
            context: Some(context),
            channel: Some(channel),
            pd: Some(pd),
            cq: Some(cq),
            memory: Some(memory),
        };
        stage.buf = Some(stage.filled(0x33));
        if cell.work.is_datagram() {
            let qp = stage.datagrams();
            stage.come_to(cell, qp, Stage::post_datagrams);
        } else {
            let qp = stage.connected(cell.work == Work::SharedReceive);
            stage.come_to(cell, qp, Stage::post);
        }
        if !cell.order.contains(&Guard::Buf) {
            stage.buf = None;
        }
        stage
    }

    fn filled(&self, byte: u8) -> Buf {
        let mut buf = self.memory.as_ref().unwrap().take().unwrap();
        buf.fill(byte);
        buf
    }

    pub(super) fn connected(&self, is_shared: bool) -> Qp<Rc, Rts> {
        let (pd, cq) = (self.pd.as_ref().unwrap(), self.cq.as_ref().unwrap());
        let qp = match &self.srq {
            Some(srq) if is_shared => pd.create_rc_with_srq(cq, cq, srq, CAP),
            _ => pd.create_rc(cq, cq, CAP),
        };
        let attr = InitAttr::new(PortNum::FIRST).access(RemoteAccess::ALL);
        let qp = qp.unwrap().init_with(&attr).unwrap();
        let qp = qp.rtr(&RtrAttr::new(peer(), Mtu::B1024)).unwrap();
        qp.rts(&RtsAttr::new(Psn::new(2).unwrap())).unwrap()
    }

    fn datagrams(&self) -> Qp<Ud, Rts> {
        let (pd, cq) = (self.pd.as_ref().unwrap(), self.cq.as_ref().unwrap());
        let qp = match &self.srq {
            Some(srq) => pd.create_ud_with_srq(cq, cq, srq, CAP),
            None => pd.create_ud(cq, cq, CAP),
        };
        let qp = qp.unwrap().init(PortNum::FIRST, Qkey::new(1)).unwrap();
        qp.rtr().unwrap().rts(Psn::new(2).unwrap()).unwrap()
    }

    fn come_to<T: QpType + 'static>(&mut self, cell: &Cell, mut qp: Qp<T, Rts>, post: Post<T>) {
        if cell.moment == Moment::Refused {
            self.fake.state().fail_next_post = Some(PostFailure {
                result: libc::EINVAL,
                bad_wr: BadWr::Null,
                queued: true,
                after: 0,
            });
        }
        let posted = post(self, cell, &mut qp);
        self.fake.state().fail_next_post = None;
        assert_eq!(
            posted.is_err(),
            cell.moment == Moment::Refused,
            "{posted:?}"
        );
        match cell.moment {
            Moment::BatchDropped | Moment::BatchForgotten | Moment::InFlight | Moment::Refused => {}
            Moment::Stopped => {
                self.qp = Some(Box::new(qp.stop().unwrap()));
                return;
            }
            Moment::WasReset => {
                let (qp, returned) = qp.reset().unwrap();
                let bufs = returned.into_iter().map(|returned| returned.bufs);
                self.results = Some(bufs.collect());
                self.qp = Some(Box::new(qp));
                return;
            }
            Moment::Reported => self.device_finishes(),
            Moment::CompletionDropped => {
                self.device_finishes();
                self.cq.as_mut().unwrap().poll().unwrap().for_each(drop);
            }
            Moment::CompletionForgotten => {
                self.device_finishes();
                let completions = self.cq.as_mut().unwrap().poll().unwrap();
                completions.for_each(mem::forget);
            }
            Moment::HalfTaken => {
                self.device_finishes();
                let done = self.take(&mut qp, 1);
                assert_eq!(done.len(), 1);
                self.results = Some(done.into_iter().map(|done| done.bufs).collect());
            }
            Moment::Taken => {
                self.device_finishes();
                let done = self.take(&mut qp, usize::MAX);
                self.results = Some(done.into_iter().map(|done| done.bufs).collect());
            }
        }
        self.qp = Some(Box::new(qp));
    }

    /// Takes at most so many pieces of work.
    fn take<T: QpType>(&mut self, qp: &mut Qp<T, Rts>, most: usize) -> Vec<Done> {
        let mut all = Vec::new();
        for mut completion in self.cq.as_mut().unwrap().poll().unwrap() {
            while all.len() < most {
                let done = match &mut self.srq {
                    Some(srq) if srq.owns(&completion) => srq.complete(&mut completion).unwrap(),
                    _ => qp.complete(&mut completion).unwrap(),
                };
                let Some(done) = done else { break };
                all.push(done);
            }
        }
        all
    }

    /// The device does what it has, and says so.
    pub(super) fn device_finishes(&self) {
        let mut state = self.fake.state();
        state.execute_all();
        let only = state.only_cq();
        while let Some(mut posted) = state.posted.front().copied() {
            // A queue pair has taken the receive of a shared queue.
            posted.cq = only;
            state.finish(posted, crate::sys::fake::LATE);
        }
    }

    fn post(&mut self, cell: &Cell, qp: &mut Qp<Rc, Rts>) -> Result<(), Error> {
        let there = THERE.word(0).unwrap();
        let mut eight = self.filled(0x44);
        eight.set_len(8);
        let (a, b) = (self.filled(0x45), self.filled(0x46));
        match cell.work {
            Work::Receive => qp.post_recv(a, 1)?,
            Work::ReceiveList => qp.post_recv(BufList::from_iter([a, b]), 1)?,
            Work::ReceiveBatch => {
                let mut batch = qp.recv_batch();
                batch.push(a, 1)?;
                batch.push(b, 2)?;
                match cell.moment {
                    Moment::BatchDropped => drop(batch),
                    Moment::BatchForgotten => mem::forget(batch),
                    _ => batch.post()?,
                }
            }
            Work::SharedReceive => {
                let srq = self.srq.as_mut().unwrap();
                srq.post_recv(a, 1)?;
                srq.post_recv(b, 2)?;
            }
            Work::Send => qp.post_send(a, 1)?,
            Work::SendList => qp.post(Wr::send(BufList::from_iter([a, b])), 1)?,
            Work::Unsignalled => {
                let third = self.filled(0x47);
                qp.post(Wr::send(a).unsignalled(), 1)?;
                qp.post(Wr::send(b).unsignalled(), 2)?;
                qp.post_send(third, 3)?;
            }
            Work::Inline => qp.post(Wr::send_inline(b"inline"), 1)?,
            Work::SendExposed => {
                let part = self.exposed.as_ref().unwrap().part(0..32)?;
                qp.post(Wr::send(part), 1)?;
            }
            Work::Write => qp.post(Wr::write(a, THERE), 1)?,
            Work::Read => qp.post(Wr::read(a, THERE), 1)?,
            Work::ReadIntoExposed => {
                let part = self.exposed.as_ref().unwrap().part(0..32)?;
                qp.post(Wr::read(part, THERE), 1)?;
            }
            Work::CompareSwap => qp.post(Wr::compare_swap(eight, there, 1, 2), 1)?,
            Work::FetchAdd => qp.post(Wr::fetch_add(eight, there, 1), 1)?,
            Work::Batch => {
                let part = self.exposed.as_ref().unwrap().part(0..32)?;
                let mut batch = qp.batch();
                batch.push(Wr::write(a, THERE).unsignalled(), 1)?;
                batch.push(Wr::send(part).unsignalled(), 2)?;
                batch.push(Wr::read(b, THERE), 3)?;
                end(batch, cell.moment)?;
            }
            Work::Bind | Work::PeerWritesByWindow => {
                let window = self.window.as_mut().unwrap();
                let (wr, there) = Wr::bind(window, 0..32, RemoteAccess::WRITE)?;
                self.window_key = Some(there);
                qp.post_bind(wr, 1)?;
            }
            Work::PeerWrites => (),
            Work::Datagram | Work::DatagramBatch | Work::SharedDatagram => unreachable!(),
        }
        if cell.work == Work::PeerWritesByWindow {
            self.device_finishes();
            let done = self.take(qp, usize::MAX);
            assert_eq!(done.len(), 1);
        }
        Ok(())
    }

    fn post_datagrams(&mut self, cell: &Cell, qp: &mut Qp<Ud, Rts>) -> Result<(), Error> {
        let (a, b) = (self.filled(0x45), self.filled(0x46));
        let to = self.datagram.as_ref().unwrap();
        if cell.work.is_batch() {
            let mut batch = qp.batch();
            batch.push(Wr::send_to(a, to).unsignalled(), 1)?;
            batch.push(Wr::send_to(b, to), 2)?;
            end(batch, cell.moment)
        } else {
            Ok(qp.post(Wr::send_to(a, to), 1)?)
        }
    }
}

/// What becomes of a batch.
fn end<T: QpType>(batch: Batch<'_, '_, T>, moment: Moment) -> Result<(), Error> {
    match moment {
        Moment::BatchDropped => drop(batch),
        Moment::BatchForgotten => mem::forget(batch),
        _ => batch.post()?,
    }
    Ok(())
}
