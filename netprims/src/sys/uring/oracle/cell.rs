use std::fmt;

use super::made::Made;
use crate::ring::ZcPolicy;

/// A cell of the matrix: how things go away, while what is in flight, and what the peer and the kernel do.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cell {
    pub(super) made: Made,
    pub(super) work: Work,
    pub(super) situation: Situation,
    pub(super) moment: Moment,
    pub(super) going: Going,
}

/// What is in flight.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Work {
    pub(super) zero_copy: bool,
    pub(super) and: And,
}

/// What is asked for behind the sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum And {
    Nothing,
    /// Nothing, and each send is one of two buffers.
    Together,
    /// Nothing, and each send has a limit that is not reached.
    Limited,
    /// A shutdown for writing.
    ShutDown,
    /// That the last send be cancelled.
    Cancel,
    /// A connection to a listening socket to which nobody connects.
    Accept,
    /// A connect, with a time, to a listener that takes no more.
    Connect,
    /// A time that does not pass.
    Timeout,
}

/// Who is at the other end, or why there is nobody.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Situation {
    NeverReads,
    /// When all is gone.
    ReadsLater,
    ClosesFirst,
    ClosesLast,
    ResetsFirst,
    ResetsLast,
    /// The sending side is shut down: EPIPE.
    ShutDown,
    /// Datagrams that are too long: EMSGSIZE.
    TooLong,
    /// A descriptor that only stands for a path: EBADF.
    NoSocket,
    /// A Unix socket, which refuses to send without copying (EOPNOTSUPP), with a peer that reads when all is gone.
    Refuses,
}

/// How far the work has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Moment {
    /// The kernel has not seen it.
    Queued,
    /// The kernel has it, and nothing it said was read.
    HandedOver,
    /// All that the kernel had to say was told.
    Told,
}

/// What goes away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    Ring,
    Pool,
    Socket,
    Buffer,
}

/// The order in which it goes away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Going {
    /// The socket is taken from the ring, then everything is dropped in this order.
    Taken([Part; 4]),
    /// The socket is left in the ring.
    Left([Part; 3]),
    /// This is forgotten, then the others are dropped, the ring first.
    Forgotten(Part),
    /// The ring's handler panics, and unwinding drops everything.
    Unwound,
}

/// What comes of the memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// The kernel gives all of it back when the ring goes, and it is unmapped with its last owner.
    Unmapped,
    /// The kernel keeps some of it, and it stays mapped for good.
    Leaked,
}

const PARTS: [Part; 4] = [Part::Ring, Part::Pool, Part::Socket, Part::Buffer];

impl Work {
    pub(super) const ALL: [Self; 16] = {
        const fn work(zero_copy: bool, and: And) -> Work {
            Work { zero_copy, and }
        }
        [
            work(false, And::Nothing),
            work(false, And::Together),
            work(false, And::Limited),
            work(false, And::ShutDown),
            work(false, And::Cancel),
            work(false, And::Accept),
            work(false, And::Connect),
            work(false, And::Timeout),
            work(true, And::Nothing),
            work(true, And::Together),
            work(true, And::Limited),
            work(true, And::ShutDown),
            work(true, And::Cancel),
            work(true, And::Accept),
            work(true, And::Connect),
            work(true, And::Timeout),
        ]
    };

    pub(super) fn policy(self) -> ZcPolicy {
        if self.zero_copy {
            ZcPolicy::Always
        } else {
            ZcPolicy::Never
        }
    }
}

impl Situation {
    pub(super) const ALL: [Self; 10] = [
        Self::NeverReads,
        Self::ReadsLater,
        Self::ClosesFirst,
        Self::ClosesLast,
        Self::ResetsFirst,
        Self::ResetsLast,
        Self::ShutDown,
        Self::TooLong,
        Self::NoSocket,
        Self::Refuses,
    ];

    /// The errno of every send, if it is certain.
    pub(super) fn errno(self) -> Option<i32> {
        match self {
            Self::ShutDown => Some(libc::EPIPE),
            Self::TooLong => Some(libc::EMSGSIZE),
            Self::NoSocket => Some(libc::EBADF),
            _ => None,
        }
    }

    /// Whether a TCP socket keeps what it was given when the ring goes.
    fn holds_up(self) -> bool {
        matches!(
            self,
            Self::NeverReads | Self::ReadsLater | Self::ClosesLast | Self::ResetsLast
        )
    }
}

impl Moment {
    pub(super) const ALL: [Self; 3] = [Self::Queued, Self::HandedOver, Self::Told];
}

impl Going {
    /// All that there are.
    pub(super) fn all() -> Vec<Self> {
        let mut all = Vec::new();
        for order in permutations(PARTS.to_vec()) {
            all.push(Self::Taken(order.try_into().unwrap()));
        }
        for order in permutations(vec![Part::Ring, Part::Pool, Part::Buffer]) {
            all.push(Self::Left(order.try_into().unwrap()));
        }
        all.extend(PARTS.map(Self::Forgotten));
        all.push(Self::Unwound);
        all
    }

    /// Whether the socket is taken from the ring first.
    pub(super) fn takes_the_socket(self) -> bool {
        matches!(self, Self::Taken(_) | Self::Forgotten(Part::Socket))
    }

    /// What is dropped, in this order.
    pub(super) fn dropped(self) -> Vec<Part> {
        match self {
            Self::Taken(order) => order.to_vec(),
            Self::Left(order) => order.to_vec(),
            Self::Unwound => Vec::new(),
            Self::Forgotten(forgotten) => PARTS
                .into_iter()
                .filter(|part| *part != forgotten)
                .collect(),
        }
    }
}

impl Cell {
    /// All cells of a kind of work in a situation.
    pub(super) fn all(made: Made, work: Work, situation: Situation) -> impl Iterator<Item = Self> {
        Moment::ALL.into_iter().flat_map(move |moment| {
            let goings = Going::all().into_iter();
            goings.map(move |going| Self {
                made,
                work,
                situation,
                moment,
                going,
            })
        })
    }

    /// Why it cannot be run.
    pub(super) fn reason_not_run(self) -> Option<&'static str> {
        if self.moment == Moment::Queued && self.going.takes_the_socket() {
            return Some("taking a socket hands over what is queued");
        }
        let is_apart = matches!(self.work.and, And::Accept | And::Connect | And::Timeout);
        if is_apart && self.situation != Situation::ReadsLater {
            return Some("the request has nothing to do with the sends and their peer");
        }
        let is_plain = self.made == Made::Usual || self.work.and == And::Nothing;
        if !is_plain && self.situation != Situation::ReadsLater {
            return Some(
                "how such a ring takes what is behind the sends does not depend on their peer",
            );
        }
        let is_over = self.moment == Moment::Told && self.situation.errno().is_some();
        if is_over && self.work.and == And::Cancel {
            return Some("a send that has failed cannot be cancelled");
        }
        None
    }

    /// What must come of the memory, if nothing is forgotten.
    pub(super) fn fate(self) -> Fate {
        // A plain send is cancelled; what a socket has of it is a copy.
        if self.work.zero_copy && self.situation.holds_up() {
            Fate::Leaked
        } else {
            Fate::Unmapped
        }
    }
}

fn permutations(parts: Vec<Part>) -> Vec<Vec<Part>> {
    if parts.is_empty() {
        return vec![Vec::new()];
    }
    let mut all = Vec::new();
    for first in &parts {
        let others = parts.iter().copied().filter(|part| part != first).collect();
        for mut order in permutations(others) {
            order.insert(0, *first);
            all.push(order);
        }
    }
    all
}

impl fmt::Display for Work {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.zero_copy {
            "zero-copy sends"
        } else {
            "plain sends"
        })?;
        f.write_str(match self.and {
            And::Nothing => "",
            And::Together => " of two buffers each",
            And::Limited => " with a limit each",
            And::ShutDown => ", a shutdown",
            And::Cancel => ", the last one cancelled",
            And::Accept => ", an accept",
            And::Connect => ", a connect with a limit",
            And::Timeout => ", a timeout",
        })
    }
}

impl fmt::Display for Situation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NeverReads => "the peer never reads",
            Self::ReadsLater => "the peer reads when all is gone",
            Self::ClosesFirst => "the peer closes first",
            Self::ClosesLast => "the peer closes last",
            Self::ResetsFirst => "the peer resets first",
            Self::ResetsLast => "the peer resets last",
            Self::ShutDown => "`EPIPE`",
            Self::TooLong => "`EMSGSIZE`",
            Self::NoSocket => "`EBADF`",
            Self::Refuses => "`EOPNOTSUPP`",
        })
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Queued => "queued",
            Self::HandedOver => "handed over",
            Self::Told => "told",
        })
    }
}

impl fmt::Display for Fate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unmapped => "unmapped",
            Self::Leaked => "stays mapped",
        })
    }
}
