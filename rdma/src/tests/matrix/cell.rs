//! The axes of the matrix.

use std::rc::Rc;

/// What is in flight.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Work {
    Receive,
    ReceiveList,
    /// Two receives with one doorbell, on an extended completion queue.
    ReceiveBatch,
    /// Two receives of a shared queue.
    SharedReceive,
    Send,
    SendList,
    /// Three sends, the last one signalled.
    Unsignalled,
    Inline,
    /// From exposed memory.
    SendExposed,
    Write,
    Read,
    ReadIntoExposed,
    CompareSwap,
    FetchAdd,
    /// A write, a send of exposed memory and a read, with one doorbell.
    Batch,
    Datagram,
    DatagramBatch,
    /// A datagram, by a queue pair that receives from a shared queue.
    SharedDatagram,
    /// A window.
    Bind,
    /// Nothing of this side; a peer knows the key of exposed memory.
    PeerWrites,
    /// The same, with a window's key as well.
    PeerWritesByWindow,
}

impl Work {
    pub(super) const ALL: [Work; 21] = [
        Work::Receive,
        Work::ReceiveList,
        Work::ReceiveBatch,
        Work::SharedReceive,
        Work::Send,
        Work::SendList,
        Work::Unsignalled,
        Work::Inline,
        Work::SendExposed,
        Work::Write,
        Work::Read,
        Work::ReadIntoExposed,
        Work::CompareSwap,
        Work::FetchAdd,
        Work::Batch,
        Work::Datagram,
        Work::DatagramBatch,
        Work::SharedDatagram,
        Work::Bind,
        Work::PeerWrites,
        Work::PeerWritesByWindow,
    ];

    pub(super) fn is_datagram(self) -> bool {
        matches!(
            self,
            Work::Datagram | Work::DatagramBatch | Work::SharedDatagram
        )
    }

    pub(super) fn is_batch(self) -> bool {
        matches!(self, Work::ReceiveBatch | Work::Batch | Work::DatagramBatch)
    }

    pub(super) fn has_srq(self) -> bool {
        matches!(self, Work::SharedReceive | Work::SharedDatagram)
    }

    pub(super) fn has_window(self) -> bool {
        matches!(self, Work::Bind | Work::PeerWritesByWindow)
    }

    pub(super) fn has_exposed(self) -> bool {
        let names_it = matches!(
            self,
            Work::SendExposed | Work::ReadIntoExposed | Work::Batch | Work::PeerWrites
        );
        names_it || self.has_window()
    }

    /// Whether this side has nothing in flight.
    pub(super) fn is_peers(self) -> bool {
        matches!(self, Work::PeerWrites | Work::PeerWritesByWindow)
    }

    /// Whether one completion stands for several pieces of work, or several complete.
    fn has_halves(self) -> bool {
        self.is_batch() || self == Work::SharedReceive || self == Work::Unsignalled
    }
}

/// How far the work has come when the guards begin to go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Moment {
    /// The batch was gathered, and dropped, or forgotten.
    BatchDropped,
    BatchForgotten,
    InFlight,
    /// The post was refused without a word about what was queued, and it was.
    Refused,
    /// It has completed, and nobody has polled.
    Reported,
    /// It was polled, and the completion dropped, or forgotten.
    CompletionDropped,
    CompletionForgotten,
    /// The first piece was taken, and its completion dropped with the others.
    HalfTaken,
    /// All was taken, and what came of it is kept.
    Taken,
    /// The queue pair was reset, and what came back is kept.
    WasReset,
    /// The queue pair was stopped.
    Stopped,
}

impl Moment {
    pub(super) const ALL: [Moment; 11] = [
        Moment::BatchDropped,
        Moment::BatchForgotten,
        Moment::InFlight,
        Moment::Refused,
        Moment::Reported,
        Moment::CompletionDropped,
        Moment::CompletionForgotten,
        Moment::HalfTaken,
        Moment::Taken,
        Moment::WasReset,
        Moment::Stopped,
    ];

    /// Whether the device has nothing to do any more.
    fn is_over(self) -> bool {
        !matches!(self, Moment::InFlight | Moment::Refused | Moment::Stopped)
    }
}

/// What becomes of what is in flight once the first guard has gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    Completes,
    Flushed,
    /// The device has it until the end.
    Never,
    /// And cannot destroy the queue pair.
    Stuck,
}

impl Fate {
    pub(super) const ALL: [Fate; 4] = [Fate::Completes, Fate::Flushed, Fate::Never, Fate::Stuck];
}

/// What a program holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Guard {
    Qp,
    Cq,
    Mr,
    /// A buffer that was never posted.
    Buf,
    /// What was taken of completions, or came back from a reset.
    Results,
    Srq,
    Datagram,
    Exposed,
    Window,
    Pd,
    CompChannel,
    Context,
}

/// Those that others were made from.
const PARENTS: [Guard; 3] = [Guard::Pd, Guard::CompChannel, Guard::Context];

/// Who is passed to `mem::forget` instead of dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Forgotten {
    Nobody,
    One(Guard),
    Everybody,
}

/// One way to go.
#[derive(Clone, Debug)]
pub(super) struct Cell {
    pub(super) work: Work,
    pub(super) moment: Moment,
    pub(super) fate: Fate,
    pub(super) order: Rc<[Guard]>,
    pub(super) forgotten: Forgotten,
}

impl Cell {
    /// Those of this work that can be.
    pub(super) fn all(work: Work) -> impl Iterator<Item = Cell> {
        let kinds = Moment::ALL
            .into_iter()
            .flat_map(|moment| Fate::ALL.map(|fate| (moment, fate)));
        kinds
            .filter(move |&(moment, fate)| reason_not_run(work, moment, fate).is_none())
            .flat_map(move |(moment, fate)| Cell::of(work, moment, fate))
    }

    /// Every order, each with every choice of who is forgotten.
    pub(super) fn of(work: Work, moment: Moment, fate: Fate) -> impl Iterator<Item = Cell> {
        let children = guards(work, moment);
        let mut forgotten = vec![Forgotten::Nobody, Forgotten::Everybody];
        let all = children.iter().chain(&PARENTS);
        forgotten.extend(all.map(|guard| Forgotten::One(*guard)));
        let forgotten: Rc<[Forgotten]> = forgotten.into();
        let orders = orders(&children).into_iter();
        orders.flat_map(move |order| {
            let cell = move |forgotten| Cell {
                work,
                moment,
                fate,
                order: Rc::clone(&order),
                forgotten,
            };
            Rc::clone(&forgotten)
                .iter()
                .copied()
                .map(cell)
                .collect::<Vec<_>>()
        })
    }

    pub(super) fn forgets(&self, guard: Guard) -> bool {
        match self.forgotten {
            Forgotten::Nobody => false,
            Forgotten::One(one) => one == guard,
            Forgotten::Everybody => true,
        }
    }
}

/// What a program holds at this moment of this work, but for parents.
fn guards(work: Work, moment: Moment) -> Vec<Guard> {
    let has_results = matches!(moment, Moment::HalfTaken | Moment::Taken | Moment::WasReset);
    [
        (Guard::Qp, true),
        (Guard::Cq, true),
        (Guard::Mr, true),
        (Guard::Srq, work.has_srq()),
        (Guard::Datagram, work.is_datagram()),
        (Guard::Exposed, work.has_exposed()),
        (Guard::Window, work.has_window()),
        (Guard::Results, has_results),
        // The others say as much where there are many.
        (
            Guard::Buf,
            !has_results && !work.has_srq() && !work.has_window(),
        ),
    ]
    .into_iter()
    .filter_map(|(guard, is_there)| is_there.then_some(guard))
    .collect()
}

/// Every order of these, with the parents before them, and with the parents, in the other order, after
/// them.
fn orders(children: &[Guard]) -> Vec<Rc<[Guard]>> {
    let with_parents = |order: Vec<Guard>| {
        let first = PARENTS.into_iter().chain(order.clone()).collect();
        let last = order.into_iter().chain(PARENTS.into_iter().rev()).collect();
        [first, last]
    };
    permutations(children)
        .into_iter()
        .flat_map(with_parents)
        .collect()
}

fn permutations(of: &[Guard]) -> Vec<Vec<Guard>> {
    if of.is_empty() {
        return vec![Vec::new()];
    }
    let mut all = Vec::new();
    for (index, first) in of.iter().enumerate() {
        let mut others = of.to_vec();
        others.remove(index);
        for mut rest in permutations(&others) {
            rest.insert(0, *first);
            all.push(rest);
        }
    }
    all
}

/// Why there are no such cells.
pub(super) fn reason_not_run(work: Work, moment: Moment, fate: Fate) -> Option<&'static str> {
    let is_batch_moment = matches!(moment, Moment::BatchDropped | Moment::BatchForgotten);
    let is_shared = work == Work::SharedReceive;
    match (moment, fate) {
        _ if work.is_peers() && moment != Moment::InFlight => {
            Some("a peer's work has no other moments on this side")
        }
        (_, Fate::Completes | Fate::Flushed) if work.is_peers() => {
            Some("a peer's work does not complete here")
        }
        _ if is_batch_moment && !work.is_batch() => Some("it is not gathered before it is posted"),
        (Moment::HalfTaken, _) if !work.has_halves() => Some("one piece has no half"),
        (_, Fate::Completes | Fate::Flushed)
            if moment.is_over() && !(is_shared && is_left(moment)) =>
        {
            Some("nothing is in flight any more")
        }
        (_, Fate::Flushed) if is_shared => Some("a shared queue is not flushed"),
        (Moment::Refused, Fate::Completes) => {
            Some("the queue pair is in the error state: it flushes")
        }
        (Moment::Stopped, Fate::Completes) if !is_shared => {
            Some("the queue pair is in the error state: it flushes")
        }
        _ => None,
    }
}

/// Whether receives of a shared queue are in flight then.
fn is_left(moment: Moment) -> bool {
    moment == Moment::WasReset
}
