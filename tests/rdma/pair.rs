//! Two queue pairs that talk to each other.

use std::time::{Duration, Instant};

use lab_tests::Rxe;
use netprims_rdma::{
    AckTimeout, Buf, Connected, Context, Cq, Device, Done, Endpoint, GidIndex, Init, Mr, Mtu, Pd,
    Psn, Qp, QpType, Queue, Rc, RtrAttr, Rts, RtsAttr, State,
};

use super::{DEPTH, PORT};

/// Two connected queue pairs of one device, on one completion queue.
pub(crate) struct Pair {
    pub(crate) context: Context,
    pub(crate) pd: Pd,
    pub(crate) cq: Cq,
    pub(crate) memory: Mr,
    pub(crate) a: Qp<Rc, Rts>,
    pub(crate) b: Qp<Rc, Rts>,
}

impl Pair {
    pub(crate) fn new(
        rxe: &Rxe,
        size: u32,
        prepare: impl FnOnce(&Mr, &mut Qp<Rc, Init>, &mut Qp<Rc, Init>),
    ) -> Self {
        let context = open(rxe);
        let pd = context.alloc_pd().unwrap();
        let cq = context.create_cq(64).unwrap();
        let memory = pd.register_local(32, size).unwrap();
        let new = || pd.create_rc(&cq, &cq, DEPTH).unwrap().init(PORT).unwrap();
        let (mut a, mut b) = (new(), new());
        prepare(&memory, &mut a, &mut b);
        let (a, b) = connect(&context, index(rxe), a, b);
        Pair {
            context,
            pd,
            cq,
            memory,
            a,
            b,
        }
    }

    pub(crate) fn buf(&self) -> Buf {
        self.memory.take().unwrap()
    }

    /// Polls until `count` pieces of work are over: those of `a` and those of `b`.
    pub(crate) fn wait(&mut self, count: usize) -> (Vec<Done>, Vec<Done>) {
        let (mut of_a, mut of_b) = (Vec::new(), Vec::new());
        let start = Instant::now();
        while of_a.len() + of_b.len() < count {
            assert!(
                start.elapsed() < Duration::from_secs(30),
                "{of_a:?} {of_b:?}"
            );
            for mut completion in self.cq.poll().unwrap() {
                let (qp, done) = if self.a.owns(&completion) {
                    (&mut self.a, &mut of_a)
                } else {
                    (&mut self.b, &mut of_b)
                };
                while let Some(one) = qp.complete(&mut completion).unwrap() {
                    done.push(one);
                }
            }
        }
        (of_a, of_b)
    }
}

/// Connects two queue pairs of one device.
pub(crate) fn connect<T: Connected>(
    context: &Context,
    index: GidIndex,
    a: Qp<T, Init>,
    b: Qp<T, Init>,
) -> (Qp<T, Rts>, Qp<T, Rts>) {
    let gid = context.query_gid(PORT, index).unwrap().gid;
    let (psn_a, psn_b) = (Psn::new(0xff_fffe).unwrap(), Psn::new(7).unwrap());
    let lid = context.query_port(PORT).unwrap().lid;
    let endpoint = |qp: &Qp<T, Init>, psn| Endpoint::new(qp.number(), psn).at_lid(lid).at_gid(gid);
    let (end_a, end_b) = (endpoint(&a, psn_a), endpoint(&b, psn_b));
    let connect = |qp: Qp<T, Init>, remote, psn| {
        let rtr = RtrAttr::new(remote, Mtu::B1024).via_gid(index);
        // Soft-RoCE takes 7 retries for endless ones.
        let patience = AckTimeout::at_least(Duration::from_millis(8));
        let rts = RtsAttr::new(psn).ack_timeout(patience).retries(6);
        qp.rtr(&rtr).unwrap().rts(&rts).unwrap()
    };
    (connect(a, end_b, psn_a), connect(b, end_a, psn_b))
}

pub(crate) fn open(rxe: &Rxe) -> Context {
    Device::by_name(rxe.device()).unwrap().open().unwrap()
}

pub(crate) fn index(rxe: &Rxe) -> GidIndex {
    GidIndex::try_from(rxe.gid_index()).unwrap()
}

/// Polls for the completions of one queue pair until the queue pair has nothing in flight.
pub(crate) fn drain<T: QpType, S: State>(cq: &mut Cq, qp: &mut Qp<T, S>) -> Vec<Done> {
    let mut all = Vec::new();
    let start = Instant::now();
    while qp.in_flight(Queue::Send) + qp.in_flight(Queue::Recv) > 0 {
        assert!(start.elapsed() < Duration::from_secs(30), "{all:?}");
        for mut completion in cq.poll().unwrap() {
            while let Some(done) = qp.complete(&mut completion).unwrap() {
                all.push(done);
            }
        }
    }
    all
}
