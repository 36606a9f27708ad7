use std::collections::VecDeque;
use std::io;
use std::mem::ManuallyDrop;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use super::kernel::{Completion, Kernel, QueueFull, Request, Wait};
use io_uring::types::Timespec;
use socket2::SockAddrStorage;

use super::headers::Headers;
use super::rx::{Bell, Template};
use super::slab::{Key, Missing, Slab};
use super::totals::Totals;
use super::zcrx::Pages;
#[cfg(test)]
use crate::sys::defect::{Defect, seeded};
use crate::sys::memory::{Slot, WeakPool};
use crate::sys::usage::Usage;

mod accept;
mod arguments;
mod arrived;
mod connect;
mod control;
mod files;
mod groups;
mod idle;
mod limit;
mod listening;
mod messages;
mod pools;
mod queues;
mod receive;
mod send;
mod sockets;
mod uncaught;

use accept::Accept;
use arguments::Arguments;
use arrived::Arrived;
pub(crate) use arrived::{Areas, Claim, Loan};
use connect::Connect;
use control::Control;
use files::Files;
use groups::Group;
pub(crate) use groups::{Giving, GroupHandle};
use idle::Clock;
pub(crate) use queues::NoQueue;
use receive::Receive;
pub(crate) use receive::{End, NoWay, ReceiveState, Way};
use send::{List, Part, Plain, Releasing, Send};
use sockets::Socket;

pub(crate) use send::Wish;
pub(crate) use sockets::SocketState;

/// Owns a ring's sockets and what is in flight.
///
/// # Invariants
///
/// Memory that the kernel may use is owned by a flight, and taken out only of one that is not `in_kernel`: after its last
/// completion, or when nothing of it was queued. Every other end of a flight leaks the memory. What receives write is
/// owned by `groups`, and leaked while a flight that may write it is `in_kernel`.
/// A descriptor that a queued request names is in `sockets`.
pub(crate) struct Engine<K: Kernel> {
    /// Dropped by hand, or not at all.
    kernel: ManuallyDrop<K>,
    id: u64,
    flights: Slab<Flight>,
    sockets: Slab<Socket>,
    files: Files,
    /// What requests in flight point to. Freed when nothing is in the kernel, else leaked.
    addresses: Arguments<SockAddrStorage>,
    times: Arguments<Timespec>,
    templates: Arguments<Template>,
    /// The pools by the number of their fixed buffer; `None` for a number that is free.
    pools: Vec<Option<WeakPool>>,
    /// What messages are made of, for every request that can be in flight.
    headers: Headers,
    /// A send whose result was told and whose release is next.
    told: Option<Key>,
    /// The timeout that wakes a ring which asks the kernel again is underway.
    is_waking: bool,
    /// Something else is left to tell before another completion is looked at: in `releasing`, `ended_sends`, `arrived` or
    /// `ended`. Who puts something there sets it.
    is_behind: bool,
    /// A send whose first slot was given back, and whose others are next.
    releasing: Option<Releasing>,
    /// Sends that have ended without a completion of their own, which is to be told.
    ended_sends: List,
    /// Sends that the kernel is to be given, as soon as it takes them: those that were refused without copying and wait to
    /// be queued plainly, in the order they were sent, and those of streams whose turn it is. Has room for all that can be
    /// in flight.
    held: VecDeque<Key>,
    /// Accepts that the kernel has ended and that are not queued again yet, or that will not be. Has room as `held` has.
    unarmed: VecDeque<Key>,
    /// Sends that the kernel was asked to give up, and did not find. Has room for all that can be in flight.
    uncaught: VecDeque<Key>,
    /// Memory to receive into, by the number of its group; `None` for a number that is free.
    groups: Vec<Option<Group>>,
    /// Queues for zero-copy receive of groups that are gone: the kernel keeps them as long as the ring.
    idle_queues: Vec<Pages>,
    /// Receives whose next request is to be queued. Has room for all there can be, as `ended` has.
    waiting: VecDeque<Key>,
    /// How many clocks of receives there are.
    clocks: u32,
    /// Those that are to be queued. Has room as `waiting` has.
    stopped: VecDeque<Key>,
    /// Receives whose end is to be told.
    ended: VecDeque<Key>,
    arrived: Arrived,
    /// The memory of `groups`, for who reads what was received.
    areas: Arc<Areas>,
    /// Rung by whoever drops what receives wait for, once [asked](Engine::listen).
    bell: Arc<Bell>,
    most_in_flight: usize,
    /// What became of the bytes that were sent on sockets which are gone.
    gone: Totals,
    strays: Strays,
    drain_limit: Duration,
    closing: bool,
}

/// A request and what it owns, from when it is queued to its last event.
///
/// With a number of its own for each kind, which of them it is takes one comparison.
#[repr(u8)]
enum Flight {
    /// A send as most are.
    Plain(Plain),
    Send(Send),
    Accept(Accept),
    Connect(Connect),
    Receive(Receive),
    /// Of a receive that is given up when nothing comes.
    Clock(Clock),
    /// A further slot of a send.
    Part(Part),
    Control(Control),
}

/// What happened.
pub(crate) enum Outcome {
    Sent {
        key: Key,
        result: Result<u32, i32>,
    },
    Released {
        key: Key,
        released: Released,
    },
    Accepted {
        key: Key,
        fd: OwnedFd,
    },
    AcceptEnded {
        key: Key,
        errno: i32,
    },
    Connected {
        key: Key,
        result: Result<(), i32>,
    },
    /// The bytes are in [`areas`](Engine::areas). To be [given back](Engine::give_back).
    Received {
        key: Key,
        claim: Claim,
    },
    ReceiveEnded {
        key: Key,
        end: End,
    },
    ShutDown {
        key: Key,
        result: Result<(), i32>,
    },
    TimedOut {
        key: Key,
        result: Result<(), i32>,
    },
}

/// A slot of which the kernel has let go.
pub(crate) struct Released {
    pub(crate) slot: Slot,
    /// Bytes of it that were taken.
    pub(crate) bytes: u32,
    pub(crate) usage: Usage,
}

/// Who is told what happened.
pub(crate) trait Listener<K: Kernel> {
    /// Whether it can be told several things in a row.
    const HEARS_ON: bool;

    /// Is told once for each thing, by an engine that has taken it in: whatever is done here, with the engine or by a panic,
    /// loses nothing else.
    fn hear(&mut self, engine: &mut Engine<K>, outcome: Outcome);

    /// The same, if anything happened. Returns how many things it was told.
    fn hear_any(&mut self, engine: &mut Engine<K>, outcome: Option<Outcome>) -> usize {
        let Some(outcome) = outcome else {
            return 0;
        };
        self.hear(engine, outcome);
        1
    }
}

/// Keeps what it was told last.
struct Last(Option<Outcome>);

impl<K: Kernel> Listener<K> for Last {
    const HEARS_ON: bool = false;

    fn hear(&mut self, _: &mut Engine<K>, outcome: Outcome) {
        self.0 = Some(outcome);
    }
}

/// Why nothing was queued.
#[derive(Debug)]
pub(crate) enum NotQueued {
    UnknownSocket,
    UnknownRequest,
    ForeignSlot,
    ForeignPool,
    /// The socket is received from already.
    Receiving,
    /// What is received would be cut to the rest of a slot.
    WouldCut,
    /// A stream has no messages.
    NoMessages,
    /// A stream has one peer.
    NoDestination,
    /// A message of no slots, of too many, or of too many bytes.
    Shape,
    Full,
    Enter(io::Error),
}

/// Completions that fit nothing in flight. They were ignored; any at all is a kernel or a crate to look at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Strays {
    /// Of a request that was over.
    pub late: u64,
    /// Of a request in flight, but out of order or repeated.
    pub duplicate: u64,
    /// Of nothing this ring ever asked for.
    pub unknown: u64,
}

/// The longest a ring may take to drain.
pub(crate) const LONGEST_DRAIN: Duration = Duration::from_secs(60 * 60);

/// How long a thread of the kernel's may take to take the queue.
const TAKING: Duration = Duration::from_secs(1);

/// How long such a thread is given when a ring is dropped whose limit is shorter.
const LEAST_TAKING: Duration = Duration::from_millis(100);

/// Completions that a queue may hold, unless the ring is made for more requests than that.
const LONGEST_QUEUE: usize = 4096;

/// How long to wait while a receive has no slot: what another thread rings when it drops one is not waited for in the kernel.
const STARVED: Duration = Duration::from_millis(2);

static NEXT_ID: AtomicU64 = AtomicU64::new(0);

impl<K: Kernel> Engine<K> {
    pub(crate) fn new(kernel: K, in_flight: u32, drain_limit: Duration) -> Self {
        let most_in_flight = usize::try_from(in_flight).unwrap_or(0);
        Self {
            kernel: ManuallyDrop::new(kernel),
            id: NEXT_ID.fetch_add(1, Ordering::Relaxed),
            flights: Slab::new(in_flight),
            sockets: Slab::new(0),
            files: Files::none(),
            addresses: Arguments::new(in_flight),
            times: Arguments::new(in_flight),
            templates: Arguments::new(in_flight),
            pools: Vec::new(),
            headers: Headers::new(in_flight),
            is_behind: false,
            told: None,
            releasing: None,
            ended_sends: List::default(),
            is_waking: false,
            gone: Totals::default(),
            held: VecDeque::with_capacity(most_in_flight),
            unarmed: VecDeque::with_capacity(most_in_flight),
            uncaught: VecDeque::with_capacity(most_in_flight),
            groups: Vec::new(),
            idle_queues: Vec::new(),
            waiting: VecDeque::with_capacity(most_in_flight),
            clocks: 0,
            stopped: VecDeque::with_capacity(most_in_flight),
            ended: VecDeque::with_capacity(most_in_flight),
            arrived: Arrived::new(),
            areas: Arc::default(),
            bell: Arc::default(),
            most_in_flight,
            strays: Strays::default(),
            drain_limit: drain_limit.min(LONGEST_DRAIN),
            closing: false,
        }
    }

    pub(crate) fn kernel(&self) -> &K {
        &self.kernel
    }

    pub(crate) fn kernel_mut(&mut self) -> &mut K {
        &mut self.kernel
    }

    /// Whether it has no memory for what requests point to. Such an engine is not to be used.
    pub(crate) fn is_short_of_memory(&self) -> bool {
        self.headers.is_short()
    }

    /// Tells this engine from every other in the process.
    pub(crate) fn id(&self) -> u64 {
        self.id
    }

    /// Hands the queue to the kernel and waits as told.
    pub(crate) fn enter(&mut self, wait: Option<Wait>) -> io::Result<()> {
        self.queue_held()?;
        self.arm_again()?;
        self.offer_slots();
        self.arm()?;
        self.start_clocks()?;
        self.ask_again()?;
        let wait = wait.and_then(|wait| self.bounded(wait));
        self.kernel.enter(wait)
    }

    /// How to wait at most as things are.
    fn bounded(&self, wait: Wait) -> Option<Wait> {
        // What is over is told without waiting for something else.
        if self.is_an_accept_over() || !self.ended.is_empty() {
            return None;
        }
        if !self.is_starved() {
            return Some(wait);
        }
        let limit = match wait {
            Wait::Forever => STARVED,
            Wait::AtMost(limit) | Wait::Gather { limit, .. } => limit.min(STARVED),
        };
        Some(Wait::AtMost(limit))
    }

    /// Whether there may be something to tell.
    #[inline]
    pub(crate) fn has_news(&mut self) -> bool {
        self.kernel.has_completion()
            || self.is_behind
            || self.told.is_some()
            || !self.unarmed.is_empty()
    }

    /// The next thing that happened.
    pub(in crate::sys::uring) fn next(&mut self) -> Option<Outcome> {
        let mut last = Last(None);
        self.tell_next(&mut last);
        last.0
    }

    /// Tells the next thing that happened, from the completions the kernel has posted, and what follows from it at once.
    /// Returns how many things were told: 0 if nothing has happened.
    ///
    /// What is usual is told from here, each by a call of its own, so that nobody has to ask what it is: a plain send has
    /// its result, and then is released; a slot has been received into.
    #[inline(always)]
    pub(crate) fn tell_next<L: Listener<K>>(&mut self, listener: &mut L) -> usize {
        loop {
            if self.is_behind || self.told.is_some() {
                let told = self.catch_up(listener);
                if told > 0 {
                    return told;
                }
            }
            let Some(completion) = self.kernel.completion() else {
                return self.tell_end_of_an_accept(listener);
            };
            #[cfg(test)]
            let completion = Completion {
                more: completion.more && !seeded(Defect::ReleaseAtFirstCompletion),
                ..completion
            };
            let key = Key::from_bits(completion.user_data);
            let told = match self.flights.get_mut(key) {
                Some(Flight::Plain(_)) => self.plain_completed(key, &completion, listener),
                Some(Flight::Receive(_)) => match self.slot_received(key, &completion) {
                    Some(claim) => {
                        listener.hear(self, Outcome::Received { key, claim });
                        1
                    }
                    None => 0,
                },
                _ => 0,
            };
            if told > 0 {
                return told;
            }
            let told = self.tell_completed(completion, listener);
            if told > 0 {
                return told;
            }
        }
    }

    /// Tells what is left to tell before another completion is looked at.
    #[inline(never)]
    fn catch_up(&mut self, listener: &mut impl Listener<K>) -> usize {
        let outcome = self.pending().or_else(|| self.next_received());
        self.is_behind = outcome.is_some();
        listener.hear_any(self, outcome)
    }

    #[inline(always)]
    fn tell_end_of_an_accept(&mut self, listener: &mut impl Listener<K>) -> usize {
        if self.unarmed.is_empty() {
            return 0;
        }
        let outcome = self.accept_that_is_over();
        listener.hear_any(self, outcome)
    }

    #[inline(never)]
    fn tell_completed(&mut self, completion: Completion, listener: &mut impl Listener<K>) -> usize {
        let outcome = self.completed(&completion);
        listener.hear_any(self, outcome)
    }

    /// What a completion means for the request it is of.
    fn completed(&mut self, completion: &Completion) -> Option<Outcome> {
        if matches!(completion.user_data, Key::OF_NOBODY | Key::OF_THE_WAKER) {
            self.is_waking &= completion.user_data != Key::OF_THE_WAKER;
            return None;
        }
        if let Some(key) = Key::from_limit_bits(completion.user_data) {
            return self.limit_completed(key, completion);
        }
        if let Some(key) = Key::from_cancel_bits(completion.user_data) {
            return self.cancel_completed(key, completion);
        }
        let key = Key::from_bits(completion.user_data);
        #[cfg(test)]
        let key = if seeded(Defect::TrustAStaleId) {
            self.flights.current(key)
        } else {
            key
        };
        match self.flights.find_mut(key) {
            Ok(Flight::Plain(_) | Flight::Send(_)) => self.send_completed(key, completion),
            Ok(Flight::Accept(_)) => self.accept_completed(key, completion),
            Ok(Flight::Connect(_)) => self.connect_completed(key, completion),
            Ok(Flight::Receive(receive)) => {
                let receive = *receive;
                self.receive_completed(key, receive, completion);
                None
            }
            Ok(Flight::Control(_)) => self.control_completed(key, completion),
            Ok(Flight::Clock(_)) => self.clock_completed(key, completion),
            // No request is its own.
            Ok(Flight::Part(_)) => {
                self.strays.duplicate += 1;
                None
            }
            Err(missing) => self.stray(missing),
        }
    }

    /// What the completion of a linked timeout means for the request it limits.
    fn limit_completed(&mut self, key: Key, completion: &Completion) -> Option<Outcome> {
        match self.flights.find_mut(key) {
            Ok(Flight::Connect(_)) => self.connect_limit_completed(key, completion),
            Ok(Flight::Plain(_) | Flight::Send(_)) => self.send_limit_completed(key, completion),
            Ok(_) => self.stray(Missing::Unknown),
            Err(missing) => self.stray(missing),
        }
    }

    fn stray(&mut self, missing: Missing) -> Option<Outcome> {
        match missing {
            Missing::Late => self.strays.late += 1,
            Missing::Unknown => self.strays.unknown += 1,
        }
        None
    }

    /// Requests in flight, until their last event was told. Clocks tell none.
    pub(crate) fn in_flight(&self) -> u32 {
        self.flights.len() - self.clocks
    }

    pub(crate) fn totals(&self) -> Totals {
        let mut totals = self.gone;
        let sockets = self.sockets.iter();
        sockets.for_each(|socket| totals.add_all(&socket.totals));
        totals
    }

    pub(crate) fn strays(&self) -> Strays {
        self.strays
    }

    /// Queues a request, making room in the queue if need be.
    ///
    /// # Safety
    ///
    /// As for [`Kernel::push`], if the answer is `Ok`.
    #[inline(never)]
    unsafe fn queue(&mut self, request: &Request) -> Result<(), NotQueued> {
        // SAFETY: the caller's promise.
        let Err(QueueFull) = (unsafe { self.kernel.push(request) }) else {
            return Ok(());
        };
        self.kernel.hand_over(TAKING).map_err(NotQueued::Enter)?;
        // SAFETY: the caller's promise; nothing has changed but the length of the queue.
        unsafe { self.kernel.push(request) }.map_err(|QueueFull| NotQueued::Full)
    }

    /// Queues a request and its linked timeout, making room in the queue if need be.
    ///
    /// # Safety
    ///
    /// As for [`Kernel::push_both`], if the answer is `Ok`.
    unsafe fn queue_both(&mut self, request: &Request, limit: &Request) -> Result<(), NotQueued> {
        // SAFETY: the caller's promise.
        let Err(QueueFull) = (unsafe { self.kernel.push_both(request, limit) }) else {
            return Ok(());
        };
        self.kernel.hand_over(TAKING).map_err(NotQueued::Enter)?;
        // SAFETY: the caller's promise; nothing has changed but the length of the queue.
        unsafe { self.kernel.push_both(request, limit) }.map_err(|QueueFull| NotQueued::Full)
    }

    /// Ends what is in flight, for at most the drain limit.
    fn quiesce(&mut self) {
        self.closing = true;
        while let Some(key) = self.held.pop_front() {
            self.fail(key, libc::ECANCELED);
        }
        let start = Instant::now();
        let limit = self.drain_limit;
        let left = move || limit.saturating_sub(start.elapsed());
        // Errors here leave requests in flight, and what those own is leaked.
        let _ = self.kernel.hand_over(left().max(LEAST_TAKING));
        self.absorb(left);
        if self.in_kernel() == 0 {
            return;
        }
        let mut pause = Duration::from_millis(1);
        while self.in_kernel() > 0 {
            // Again and again: what the kernel is just about to try once more, it does not find.
            let _ = self.kernel.cancel_all(left());
            self.absorb(left);
            let time = left().min(pause);
            if time.is_zero() {
                return;
            }
            pause *= 2;
            match self.kernel.enter(Some(Wait::AtMost(time))) {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => return,
            }
            self.absorb(left);
        }
    }

    /// Closes the ring. The last thing that is done with the kernel.
    fn close(&mut self) {
        // SAFETY: only `Drop` calls this, once and at its end; nothing uses the kernel after it.
        unsafe { ManuallyDrop::drop(&mut self.kernel) };
    }

    /// Takes what has happened. An accept that a thread of the kernel's goes on with brings connections as fast as they are
    /// closed here; when no time is left, they are taken as long as they can be what the queue held by then.
    fn absorb(&mut self, left: impl Fn() -> Duration) {
        let mut late = 0;
        while let Some(outcome) = self.next() {
            match outcome {
                Outcome::Received { claim, .. } => self.give_back(claim),
                Outcome::Accepted { .. } if left().is_zero() => {
                    late += 1;
                    if late > self.most_in_flight.saturating_mul(4).max(LONGEST_QUEUE) {
                        return;
                    }
                }
                _ => {}
            }
        }
    }

    fn in_kernel(&self) -> usize {
        self.flights
            .iter()
            .filter(|flight| flight.in_kernel())
            .count()
    }
}

impl Flight {
    /// Whether the kernel may still use what the request names.
    fn in_kernel(&self) -> bool {
        match self {
            Self::Plain(plain) => plain.in_kernel(),
            Self::Send(send) => send.in_kernel(),
            Self::Accept(accept) => accept.in_kernel(),
            Self::Receive(receive) => receive.in_kernel(),
            Self::Clock(clock) => clock.in_kernel(),
            Self::Part(part) => part.in_kernel(),
            // It leaves the table with its last completion.
            Self::Connect(_) | Self::Control(_) => true,
        }
    }

    /// Frees what it owns, of which the kernel has let go.
    fn free(self) {
        match self {
            Self::Plain(plain) => drop(plain.take_back()),
            Self::Send(send) => drop(send.take_back()),
            Self::Part(part) => drop(part.take_back()),
            // What a receive writes is its group's.
            Self::Receive(_)
            | Self::Clock(_)
            | Self::Accept(_)
            | Self::Connect(_)
            | Self::Control(_) => {}
        }
    }
}

impl<K: Kernel> Drop for Engine<K> {
    /// Cancels and drains for at most the limit. What the kernel may still use after that is leaked, never freed; so is
    /// everything if this panics half way, because dropping a flight leaks what it owns.
    fn drop(&mut self) {
        #[cfg(test)]
        if seeded(Defect::SkipTheDrain) {
            self.drop_groups();
            self.flights.drain().for_each(Flight::free);
            return self.close();
        }
        self.quiesce();
        if self.in_kernel() == 0 {
            // SAFETY: no request that names a place is with the kernel, nor queued for it: its flight would be counted. This
            // is the engine's end: it makes no request any more.
            unsafe { self.addresses.free() };
            // SAFETY: as above.
            unsafe { self.times.free() };
            // SAFETY: as above.
            unsafe { self.templates.free() };
        }
        self.forget_what_is_queued();
        let must_stay_open = self.must_stay_open();
        self.drop_groups();
        for flight in self.flights.drain() {
            if !flight.in_kernel() {
                flight.free();
            }
        }
        // What is set on a socket is set for all who share it.
        if self.kernel.is_home() {
            self.sockets.iter().for_each(Socket::do_not_linger);
        }
        if !must_stay_open {
            self.close();
        }
    }
}

#[cfg(test)]
mod tests;
