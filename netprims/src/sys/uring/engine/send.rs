use std::io;
use std::num::NonZeroU16;

use super::limit::Limit;
use super::{Engine, Flight, NotQueued, Outcome, Released};
#[cfg(test)]
use crate::sys::defect::{Defect, seeded};
use crate::sys::memory::{Lent, Slot};
use crate::sys::uring::auto::{AutoPolicy, Round};
use crate::sys::uring::headers::Header;
use crate::sys::uring::kernel::{Completion, Kernel};
use crate::sys::uring::lifecycle::{Phase, Step};
use crate::sys::uring::slab::{Key, Slab};

mod address;
mod issue;
mod list;
mod message;
mod order;
mod plain;
mod release;
mod within;

pub(super) use list::List;
pub(super) use plain::Plain;
pub(super) use release::Releasing;

/// A send: its slot is lent to the kernel until the last completion. Of one with several buffers, it is the first, and
/// what there is to know of the whole.
pub(super) struct Send {
    /// `None` once it was released, and then nothing else is left of the send.
    lent: Option<Lent>,
    /// Bytes of the slot.
    len: u32,
    /// Bytes of all its slots.
    total: u32,
    /// How many slots it has.
    buffers: u8,
    /// The other slots.
    rest: Option<Key>,
    /// The fixed buffer they are all in.
    fixed: Option<u16>,
    socket: Key,
    phase: Phase,
    wish: Wish,
    choice: Choice,
    /// The send behind it: in the queue of its socket, in the same request, or among those that have an end to be told.
    next: Option<Key>,
    /// How many sends behind it are in its request.
    along: u8,
    /// What its request names its buffers with.
    header: Option<Header>,
    /// The size of the datagrams it is cut into, if it is.
    segment: Option<NonZeroU16>,
    /// The length of the address it goes to, in the flight's place; 0 if it goes to the connected peer.
    to: u8,
    /// Somebody wants it to be given up.
    is_cancelled: bool,
    /// How it ended, if that is to be told.
    end: Result<u32, i32>,
    limit: Limit,
}

/// A further slot of a send.
pub(super) struct Part {
    lent: Lent,
    len: u32,
    next: Option<Key>,
    in_kernel: bool,
}

/// Whether a send should avoid the copy.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Wish {
    Plain,
    ZeroCopy,
    Auto(AutoPolicy),
}

impl Wish {
    /// Whether a send of so many bytes copies, whatever became of others.
    #[inline]
    fn is_plain(&self, len: u32) -> bool {
        match self {
            Self::Plain => true,
            Self::ZeroCopy => false,
            Self::Auto(policy) => policy.is_plain(len),
        }
    }
}

/// Whether it does. Chosen when it is its turn, so that what the sends before it came to is known.
#[derive(Clone, Copy, Debug)]
enum Choice {
    Open,
    Plain,
    ZeroCopy(Option<Round>),
}

impl Send {
    fn new(slot: Slot, len: u32, socket: Key, wish: Wish) -> Self {
        Self::of(Lent::new(slot), len, socket, wish)
    }

    fn of(lent: Lent, len: u32, socket: Key, wish: Wish) -> Self {
        let fixed = lent.home().map(|home| home.buffer);
        Self {
            lent: Some(lent),
            len,
            total: len,
            buffers: 1,
            rest: None,
            fixed,
            socket,
            phase: Phase::Held { owed: false },
            wish,
            choice: Choice::Open,
            next: None,
            along: 0,
            header: None,
            segment: None,
            to: 0,
            is_cancelled: false,
            end: Ok(0),
            limit: Limit::Without,
        }
    }

    pub(super) fn in_kernel(&self) -> bool {
        self.phase.in_kernel() || self.limit.is_running()
    }

    /// Whether the kernel has it, has not told what came of it, and was asked to give it up.
    pub(super) fn is_to_be_given_up(&self) -> bool {
        let is_late = self.limit == Limit::Over { passed: true };
        matches!(self.phase, Phase::Issued { .. }) && (self.is_cancelled || is_late)
    }

    /// Whether its request has a header, whatever goes along.
    fn is_message(&self) -> bool {
        self.rest.is_some() || self.segment.is_some()
    }

    /// Whether the kernel has finished with it.
    fn is_done(&self) -> bool {
        matches!(self.phase, Phase::Done { .. })
    }

    /// The slot, of which the kernel has let go.
    #[inline]
    pub(super) fn take_back(self) -> Option<Slot> {
        self.lent.map(Lent::take_back)
    }
}

impl Part {
    pub(super) fn in_kernel(&self) -> bool {
        self.in_kernel
    }

    /// The slot, of which the kernel has let go.
    pub(super) fn take_back(self) -> Slot {
        self.lent.take_back()
    }
}

impl<K: Kernel> Engine<K> {
    /// Queues a send of a slot's bytes; the slot comes back with [`Outcome::Released`], or at once with the error.
    #[inline]
    pub(crate) fn send(
        &mut self,
        socket: Key,
        slot: Slot,
        wish: Wish,
    ) -> Result<Key, (Slot, NotQueued)> {
        self.send_at_once(socket, slot, wish)
            .or_else(|slot| self.send_in_turn(socket, slot, wish))
    }

    #[inline(never)]
    fn send_in_turn(
        &mut self,
        socket: Key,
        slot: Slot,
        wish: Wish,
    ) -> Result<Key, (Slot, NotQueued)> {
        if slot.home().is_none_or(|home| home.engine != self.id) {
            return Err((slot, NotQueued::ForeignSlot));
        }
        // What was held goes first, or the new send would overtake it.
        if let Err(error) = self.queue_held() {
            return Err((slot, NotQueued::Enter(error)));
        }
        if self.sockets.find(socket).is_none() {
            return Err((slot, NotQueued::UnknownSocket));
        }
        let key = match self.put_in(socket, slot, wish) {
            Ok(key) => key,
            Err(slot) => return Err((slot, NotQueued::Full)),
        };
        let Err(error) = self.start(key, socket) else {
            return Ok(key);
        };
        let slot = match self.flights.remove(key) {
            Some(Flight::Send(send)) => send.take_back(),
            _ => None,
        };
        // It was put in above, and nothing else takes it out.
        slot.map_or(Ok(key), |slot| Err((slot, error)))
    }

    pub(super) fn send_completed(&mut self, key: Key, completion: &Completion) -> Option<Outcome> {
        let reports_usage = self.kernel.reports_usage();
        // From here on it is a send like any other.
        send_mut(&mut self.flights, key)?;
        let len = self.bytes_of_request(key);
        let send = send_mut(&mut self.flights, key)?;
        // The pages of what is in no fixed buffer are pinned for each send, which the limit for locked memory may forbid.
        let is_short_of_memory = completion.result == -libc::ENOMEM
            && !completion.notification
            && send.is_message()
            && matches!(send.choice, Choice::ZeroCopy(_));
        let mut completion = *completion;
        if is_short_of_memory {
            completion.result = -libc::EOPNOTSUPP;
        }
        let limit = send.limit;
        // A thread of the kernel's that waits to send is interrupted to give up.
        let is_given_up = send.is_cancelled || self.closing || limit != Limit::Without;
        if completion.result == -libc::EINTR && !completion.notification && is_given_up {
            completion.result = -libc::ECANCELED;
        }
        let (phase, step) = send.phase.after(&completion, len, reports_usage);
        if phase != send.phase {
            set_phase(&mut self.flights, key, phase);
        }
        match step {
            Step::Stray => {
                self.strays.duplicate += 1;
                None
            }
            Step::Wait => None,
            Step::SendPlainly => {
                self.send_plainly(key, !is_short_of_memory);
                None
            }
            Step::Result(result) | Step::ResultAndRelease(result)
                if limit.is_running() && !is_told_early() =>
            {
                send_mut(&mut self.flights, key)?.end = result;
                None
            }
            Step::Result(result) | Step::ResultAndRelease(result) => {
                self.has_result(key, limit.judge(result))
            }
            // Its result is told first.
            Step::Release if limit.is_running() => None,
            Step::Release => {
                let released = self.release(key)?;
                Some(Outcome::Released { key, released })
            }
        }
    }

    /// The kernel has told the result of a request.
    fn has_result(&mut self, key: Key, result: Result<u32, i32>) -> Option<Outcome> {
        let send = send_mut(&mut self.flights, key)?;
        if send.along > 0 {
            self.share_out(key, result);
            return None;
        }
        if send.is_done() {
            self.told = Some(key);
        }
        #[cfg(test)]
        if seeded(Defect::ReleaseMessageAtFirstCompletion) {
            self.release_early(key);
        }
        self.go_on_after(key, result);
        Some(Outcome::Sent { key, result })
    }

    /// Sends again what was refused to be sent without copying. If it was the socket that refused, its sends are plain from
    /// now on, so that what is sent after this one is queued behind it.
    fn send_plainly(&mut self, key: Key, is_the_sockets: bool) {
        let Some(send) = send_mut(&mut self.flights, key) else {
            return;
        };
        send.choice = Choice::Plain;
        let is_limited = send.limit.is_running();
        if let Ok(socket) = self.sockets.find_mut(send.socket) {
            socket.plain_only |= is_the_sockets;
        }
        // With the next request comes the next limit, which must not be taken for this one.
        if !is_limited {
            self.send_again(key);
        }
    }
}

/// The seeded defect: a send is told although the kernel still has its limit.
fn is_told_early() -> bool {
    #[cfg(test)]
    if seeded(Defect::TellBeforeTheLimit) {
        return true;
    }
    false
}

/// The send of a key, with all there is to know of it.
pub(super) fn send_mut(flights: &mut Slab<Flight>, key: Key) -> Option<&mut Send> {
    flights.get_mut(key)?.unfold()
}

impl Flight {
    /// The send it is.
    pub(super) fn unfold(&mut self) -> Option<&mut Send> {
        if let Self::Plain(plain) = self {
            *self = Self::Send(plain.unfold()?);
        }
        match self {
            Self::Send(send) => Some(send),
            _ => None,
        }
    }
}

/// The same, but a plain send stays what it is, and is none.
#[inline]
fn send_ref(flights: &Slab<Flight>, key: Key) -> Option<&Send> {
    match flights.find(key) {
        Some(Flight::Send(send)) => Some(send),
        _ => None,
    }
}

/// Sets where a send is, for all its slots.
#[inline]
fn set_phase(flights: &mut Slab<Flight>, key: Key, phase: Phase) {
    let Some(send) = send_mut(flights, key) else {
        return;
    };
    send.phase = phase;
    let mut rest = send.rest;
    while let Some(part) = rest {
        let Ok(Flight::Part(part)) = flights.find_mut(part) else {
            return;
        };
        part.in_kernel = phase.in_kernel();
        rest = part.next;
    }
}

/// EINTR: a signal. EBUSY: completions must be taken first. EAGAIN and ENOMEM: the kernel is short of memory.
pub(super) fn is_passing(error: &io::Error) -> bool {
    let passing = [libc::EINTR, libc::EBUSY, libc::EAGAIN, libc::ENOMEM];
    error
        .raw_os_error()
        .is_some_and(|errno| passing.contains(&errno))
}
