use std::io;

use super::groups::{Giving, Group, GroupHandle};
use super::messages::is_nothing;
use super::sockets::Socket;
use super::{Claim, Engine, Flight, NotQueued};
use crate::sys::uring::kernel::{Completion, Kernel, Operation, Request};
use crate::sys::uring::rx::{Filled, Layout, Taken};
use crate::sys::uring::slab::Key;

/// A receive: it goes on, over as many requests as that takes, until its socket or its user ends it.
#[derive(Clone, Copy)]
pub(super) struct Receive {
    pub(super) group: u16,
    pub(super) socket: Key,
    pub(super) way: Way,
    /// An end of the stream is told by a completion of no bytes; otherwise that is an empty datagram.
    pub(super) ends_with_nothing: bool,
    /// The socket answers `ENOBUFS` itself when it had no room for a message.
    tells_overruns: bool,
    /// The kernel found no slot though it should have had one.
    is_doubtful: bool,
    /// Messages are told with their head, which lies so.
    pub(super) layout: Option<Layout>,
    /// The kernel tells how long a message was.
    pub(super) tells_all: bool,
    pub(super) state: State,
    /// Its user wants no more.
    pub(super) is_cancelled: bool,
    /// The kernel named a buffer that it did not have: bytes are lost, so it must not go on.
    pub(super) is_broken: bool,
    /// It is given up when nothing comes.
    pub(super) clock: Option<Key>,
    /// Nothing has come since the clock looked.
    pub(super) is_silent: bool,
    /// That is why it was cancelled.
    pub(super) is_idle: bool,
    /// Why it does not use the queue that its group has.
    pub(super) no_queue: Option<NoWay>,
    /// Why it does not use the bundles that its group has.
    no_bundle: Option<NoWay>,
}

/// Why a receive does without what its group has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NoWay {
    NotAStream,
    /// The socket refused it with this errno.
    Refused(i32),
}

/// How a socket is received from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ReceiveState {
    pub(crate) way: Way,
    pub(crate) is_incremental: bool,
    /// Messages come with their head.
    pub(crate) tells_messages: bool,
    pub(crate) no_queue: Option<NoWay>,
    pub(crate) no_bundle: Option<NoWay>,
}

/// How the requests receive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    ZeroCopy,
    Multishot { is_bundle: bool },
    Plain,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// To be queued.
    Waiting { is_first: bool },
    /// The kernel has it, or will at the next enter. `shown` is how far the ring of buffers was then, or that of pages,
    /// `slot` what the request names instead.
    Armed { shown: u32, slot: Option<u32> },
    /// It has ended, which is told next.
    Ended(End),
}

/// Why a receive is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// The peer will send no more.
    Closed,
    Cancelled,
    /// Nothing came for as long as it may.
    Idle,
    Failed(i32),
}

/// What there was too little of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shortage {
    /// Trying again before one is shown would come to the same.
    OfSlots,
    /// There is a slot now, and may have been none.
    Doubtful,
    OfTheSocket,
}

impl Receive {
    pub(super) fn in_kernel(&self) -> bool {
        matches!(self.state, State::Armed { .. })
    }

    /// Whether a completion is one of a multishot receive without bundles that has brought bytes and is not over.
    #[inline]
    fn goes_on_after(&self, completion: &Completion) -> bool {
        completion.more
            && completion.result > 0
            && !completion.notification
            && !completion.buffer_more
            && !self.is_broken
            && self.layout.is_none()
            && self.way == Way::Multishot { is_bundle: false }
            && self.in_kernel()
    }

    /// Whether the kernel may write slots of the group for it.
    pub(super) fn takes_from(&self, group: u16) -> bool {
        self.in_kernel() && self.group == group
    }
}

impl<K: Kernel> Engine<K> {
    /// Begins to receive from a socket. Its first request is queued by the next [`enter`](Engine::enter).
    pub(crate) fn receive(&mut self, socket: Key, handle: &GroupHandle) -> Result<Key, NotQueued> {
        let (number, group) = self.group_of(handle).ok_or(NotQueued::ForeignPool)?;
        let has_queue = group.queue.is_some();
        let is_for_messages = group.is_for_messages;
        let giving = group.giving();
        let target = self.sockets.find(socket);
        let target = target.ok_or(NotQueued::UnknownSocket)?;
        if target.receive.is_some() {
            return Err(NotQueued::Receiving);
        }
        let (kind, tells_overruns) = (target.kind(), target.tells_overruns());
        let way = match giving.way(kind)? {
            _ if has_queue && kind == libc::SOCK_STREAM => Way::ZeroCopy,
            way => way,
        };
        let not_a_stream =
            |has_it: bool| (has_it && kind != libc::SOCK_STREAM).then_some(NoWay::NotAStream);
        let layout = match is_for_messages {
            true => Some(target.layout(way, kind)?),
            false => None,
        };
        let vacancy = self.flights.vacancy().ok_or(NotQueued::Full)?;
        let key = vacancy.fill(Flight::Receive(Receive {
            group: number,
            socket,
            way,
            // A raw socket's empty packet is none either.
            ends_with_nothing: matches!(kind, libc::SOCK_STREAM | libc::SOCK_SEQPACKET),
            tells_overruns,
            is_doubtful: false,
            layout,
            // A stream would lose what it tells the length of.
            tells_all: kind != libc::SOCK_STREAM,
            state: State::Waiting { is_first: true },
            is_cancelled: false,
            is_broken: false,
            clock: None,
            is_silent: true,
            is_idle: false,
            no_queue: not_a_stream(has_queue),
            no_bundle: not_a_stream(giving.is_bundling()),
        }));
        if let Ok(socket) = self.sockets.find_mut(socket) {
            socket.receive = Some(key);
        }
        if let Some(group) = self.group_mut(number) {
            group.users += 1;
            let steps_down = has_queue && way != Way::ZeroCopy;
            group.counters.stepped_down.add(steps_down.into());
        }
        self.waiting.push_back(key);
        Ok(key)
    }

    /// Ends a receive: at once if the kernel does not have it, else with its last completion.
    pub(super) fn cancel_receive(&mut self, key: Key) -> Result<(), NotQueued> {
        let receive = self.receive_mut(key).ok_or(NotQueued::UnknownRequest)?;
        match receive.state {
            State::Armed { .. } => {
                self.queue_cancel(key)?;
                let receive = self.receive_mut(key).ok_or(NotQueued::UnknownRequest)?;
                receive.is_cancelled = true;
                Ok(())
            }
            State::Waiting { .. } => {
                let group = receive.group;
                self.waiting.retain(|waiting| *waiting != key);
                if let Some(group) = self.group_mut(group) {
                    group.starved.retain(|starved| *starved != key);
                    if let Some(queue) = &mut group.queue {
                        queue.starved.retain(|starved| *starved != key);
                    }
                }
                self.end(key, End::Cancelled);
                Ok(())
            }
            State::Ended(_) => Ok(()),
        }
    }

    /// Queues a request for every receive that waits for one. What the kernel does not take now stays waiting.
    pub(super) fn arm(&mut self) -> io::Result<()> {
        while let Some(key) = self.waiting.front().copied() {
            if let Err(error) = self.arm_one(key) {
                return Err(match error {
                    NotQueued::Enter(error) => error,
                    _ => io::Error::from_raw_os_error(libc::EBUSY),
                });
            }
            self.waiting.pop_front();
        }
        Ok(())
    }

    fn arm_one(&mut self, key: Key) -> Result<(), NotQueued> {
        let Some(Flight::Receive(receive)) = self.flights.find(key) else {
            return Ok(());
        };
        let State::Waiting { is_first } = receive.state else {
            return Ok(());
        };
        let (number, way, tells_all) = (receive.group, receive.way, receive.tells_all);
        let layout = receive.layout;
        let Some(target) = self
            .sockets
            .find(receive.socket)
            .map(|socket| socket.target())
        else {
            self.end(key, End::Cancelled);
            return Ok(());
        };
        let template = match layout.filter(|_| way != Way::Plain) {
            Some(layout) => self.templates.put(key, layout.template()),
            None => None,
        };
        let Some(group) = self.group_mut(number) else {
            return Ok(());
        };
        let (operation, slot) = match way {
            Way::Multishot { .. } if layout.is_some() => {
                let (group, header) = (number, template.ok_or(NotQueued::UnknownRequest)?.cast());
                (Operation::ReceiveMessages { group, header }, None)
            }
            Way::ZeroCopy => {
                let Some(queue) = group.queue.as_ref().map(|queue| queue.pages.id()) else {
                    return Ok(());
                };
                (Operation::ReceiveZeroCopy { queue }, None)
            }
            Way::Multishot { is_bundle } => {
                let group = number;
                let operation = Operation::ReceiveMultishot {
                    group,
                    is_bundle,
                    tells_all,
                };
                (operation, None)
            }
            Way::Plain => {
                let Some((slot, operation)) = group.lend(layout, tells_all) else {
                    group.starve(key);
                    return Ok(());
                };
                (operation, Some(slot))
            }
        };
        let shown = group.shown(way);
        let request = Request {
            user_data: key.to_bits(),
            target,
            operation,
        };
        // SAFETY: a plain receive writes a slot of `len` bytes that is lent, so that it is mapped and nobody reads it; the
        // header of a message lies in such a slot too, and names parts of it alone. It
        // is released when the request's completion has come, or below; if none ever does, the slots it is one of
        // stay mapped for good. A multishot receive names no memory to write: its group shows lent slots alone; what one of
        // messages reads lies in the flight's place of `templates`, which is freed when nothing is in the kernel and leaked
        // otherwise, and written when this flight has no request, or the next one. One without copying
        // writes pages of its queue's area that nobody reads. The descriptor is
        // in `sockets`, which closes none that a queued request names.
        let queued = unsafe { self.queue(&request) };
        match queued {
            Ok(()) => {
                let receive = self.receive_mut(key).ok_or(NotQueued::UnknownRequest)?;
                receive.state = State::Armed { shown, slot };
                let is_again = !is_first && way != Way::Plain;
                if let (Some(group), true) = (self.group_mut(number), is_again) {
                    group.counters.rearmed.add(1);
                }
            }
            Err(_) => {
                if let (Some(group), Some(slot)) = (self.group_mut(number), slot) {
                    // SAFETY: the kernel has not seen the request that names it.
                    unsafe { group.slots.release(slot) };
                }
            }
        }
        queued
    }

    /// Claims what a completion says was received, if that is what most bring: bytes of one slot, of a receive that goes
    /// on. Else it is left to [`receive_completed`](Self::receive_completed).
    #[inline(always)]
    pub(super) fn slot_received(&mut self, key: Key, completion: &Completion) -> Option<Claim> {
        let Some(Flight::Receive(receive)) = self.flights.get_mut(key) else {
            return None;
        };
        let (number, buffer) = (receive.group, completion.buffer?);
        if !receive.goes_on_after(completion) {
            return None;
        }
        receive.is_silent = false;
        let len = completion.result.unsigned_abs();
        let group = self.groups.get_mut(usize::from(number))?.as_mut()?;
        let ring = group.ring.as_mut()?;
        // SAFETY: the kernel posted this completion, and the engine takes each once: it is looked at again only if this
        // claims nothing. It is of a request that names this group, whose ring this is, and neither is it for bundles nor
        // is the buffer filled further (`goes_on_after`).
        let taken = unsafe { ring.take_single(&mut group.slots, buffer, len) }?;
        group.counters.told(len.into(), len.into());
        Some(Claim::new(number, Some(taken)))
    }

    /// `receive` is the one of the key, as it is in the table.
    pub(super) fn receive_completed(
        &mut self,
        key: Key,
        receive: Receive,
        completion: &Completion,
    ) {
        // What is claimed now, or ends now, is told next.
        self.is_behind = true;
        let State::Armed { shown, slot } = receive.state else {
            self.strays.duplicate += 1;
            return;
        };
        if completion.notification || (receive.way == Way::Plain && completion.more) {
            self.strays.duplicate += 1;
            return;
        }
        let mut receive = receive;
        receive.ends_with_nothing |= completion.result == 0 && self.is_at_an_end(&receive);
        if let Some(kept) = self.receive_mut(key) {
            kept.is_silent = false;
            kept.ends_with_nothing = receive.ends_with_nothing;
        }
        let is_misfit = !self.take(key, receive, slot, completion);
        if !is_misfit && completion.more && !receive.is_broken {
            return;
        }
        self.strays.duplicate += u64::from(is_misfit);
        let Some(receive) = self.receive_mut(key) else {
            return;
        };
        receive.is_broken |= is_misfit;
        if !completion.more && receive.way == Way::ZeroCopy {
            self.zero_copy_ended(key, shown, completion.result);
        } else if !completion.more {
            let result = receive.payload(completion.result);
            self.request_ended(key, shown, result);
        } else if receive.is_broken && !receive.is_cancelled {
            // What cannot be queued now is tried again at the next completion. Until then nothing more is told.
            let _ = self.cancel_receive(key);
        }
    }

    /// Whether no bytes mean that no more datagrams come: of a socket that is shut down for reading the kernel tells a
    /// request that waits so, and would tell each.
    fn is_at_an_end(&self, receive: &Receive) -> bool {
        let socket = self.sockets.find(receive.socket);
        receive.way == Way::Plain && socket.is_some_and(Socket::is_shut_for_reading)
    }

    /// Claims what a completion says was received. False if it says what cannot be.
    fn take(
        &mut self,
        key: Key,
        receive: Receive,
        slot: Option<u32>,
        completion: &Completion,
    ) -> bool {
        let Receive {
            group: number,
            way,
            is_broken,
            ends_with_nothing,
            layout,
            ..
        } = receive;
        let Self {
            groups, arrived, ..
        } = self;
        let group = groups.get_mut(usize::from(number)).and_then(Option::as_mut);
        let Some(group) = group else {
            return false;
        };
        let slot_len = group.slots.area().slot_len();
        let Some(len) = receive.written(completion.result, slot_len) else {
            return false;
        };
        arrived.key = Some(key);
        arrived.group = number;
        if completion.result == 0 && !ends_with_nothing && layout.is_none() {
            arrived.chunks.push_back(None);
        }
        let each = |taken: Taken| {
            let taken = receive.divide(taken, completion.result, slot_len);
            arrived.chunks.push_back(Some(taken));
        };
        let Group {
            slots,
            ring,
            queue,
            counters,
            ..
        } = group;
        let fits = match (way, slot, completion.buffer) {
            // SAFETY: the kernel posted this completion, and the engine takes each once. It is of a request that names
            // this group's queue.
            (Way::ZeroCopy, _, None) => queue
                .as_mut()
                .is_some_and(|queue| unsafe { queue.take(completion, counters, each) }),
            (Way::Plain, Some(slot), None) => {
                // SAFETY: the completion is the request's only one: the kernel wrote so many bytes of the slot it names,
                // and writes no more.
                unsafe { receive.write_down(slots, slot, completion.result) };
                // SAFETY: as above.
                let fits = len == 0 || unsafe { slots.take(slot, 0, len) }.map(each).is_some();
                // SAFETY: as above.
                unsafe { slots.release(slot) };
                fits
            }
            // Whether a bundle of nothing took the buffer it names is not known: it stays shown, and is lost if so.
            (Way::Multishot { is_bundle: true }, _, Some(_)) if len == 0 => true,
            (Way::Multishot { is_bundle }, _, Some(buffer)) => {
                let filled = Filled {
                    buffer,
                    len,
                    has_more: completion.buffer_more,
                    is_bundle,
                };
                let ring = ring.as_mut();
                // SAFETY: the kernel posted this completion, and the engine takes each once. It is of a request that
                // names this group, whose ring this is.
                ring.is_some_and(|ring| unsafe { ring.take(slots, filled, each) })
            }
            (Way::Multishot { .. }, _, None) => len == 0,
            (Way::Plain | Way::ZeroCopy, ..) => false,
        };
        if layout.is_some() && ends_with_nothing {
            // The end comes with a head.
            if arrived.chunks.back().is_some_and(is_nothing) {
                let taken = arrived.chunks.pop_back().flatten();
                taken.into_iter().for_each(|taken| group.give_back(taken));
            }
        }
        if is_broken {
            // Bytes before these are lost.
            while let Some(chunk) = arrived.chunks.pop_front() {
                chunk.into_iter().for_each(|taken| group.give_back(taken));
            }
        }
        fits
    }

    /// What follows when a receive's request is over.
    fn request_ended(&mut self, key: Key, shown: u32, result: i32) {
        let is_closing = self.closing;
        let shortage = self.shortage(key, shown, result);
        let Some(receive) = self.receive_mut(key) else {
            return;
        };
        let number = receive.group;
        let is_bundle = receive.way == Way::Multishot { is_bundle: true };
        receive.state = State::Waiting { is_first: false };
        let errno = (result < 0).then(|| result.saturating_neg());
        let end = match errno {
            _ if receive.is_broken => Some(End::Failed(libc::EPROTO)),
            Some(libc::ECANCELED) => Some(End::Cancelled),
            None if result == 0 && receive.ends_with_nothing => Some(End::Closed),
            Some(_) if matches!(shortage, Some(Shortage::OfSlots | Shortage::Doubtful)) => None,
            Some(libc::EINTR) | None => None,
            Some(libc::EINVAL | libc::EOPNOTSUPP) if is_bundle => None,
            Some(errno) => Some(End::Failed(errno)),
        };
        let is_over = is_closing || receive.is_cancelled;
        if let Some(end) = end.or(is_over.then_some(End::Cancelled)) {
            return self.end(key, end);
        }
        receive.is_doubtful = shortage == Some(Shortage::Doubtful);
        let is_plain = receive.way == Way::Plain;
        let steps_down = matches!(errno, Some(libc::EINVAL | libc::EOPNOTSUPP));
        if steps_down {
            receive.way = Way::Multishot { is_bundle: false };
            receive.no_bundle = errno.map(NoWay::Refused);
            receive.state = State::Waiting { is_first: true };
        }
        let Some(group) = self.group_mut(number) else {
            return;
        };
        group.counters.stepped_down.add(steps_down.into());
        if shortage.is_some() {
            group.counters.starved.add(1);
        }
        if shortage == Some(Shortage::OfSlots) {
            group.starved.push_back(key);
            return;
        }
        // Who waits for a slot goes first.
        if is_plain && !group.starved.is_empty() {
            group.starved.push_back(key);
            return;
        }
        self.waiting.push_back(key);
    }

    /// What an answer of `ENOBUFS` is about: the kernel gives it when its group has no slot, and when the socket does.
    fn shortage(&mut self, key: Key, shown: u32, result: i32) -> Option<Shortage> {
        let receive = *self.receive_mut(key)?;
        if result != -libc::ENOBUFS || receive.way == Way::Plain {
            return None;
        }
        let ring = self.group_mut(receive.group)?.ring.as_ref()?;
        let was_shown_since = u32::from(ring.tail()) != shown;
        Some(match () {
            () if !ring.is_any_left() => Shortage::OfSlots,
            () if receive.tells_overruns => Shortage::OfTheSocket,
            // The answer may be older than what was shown.
            () if was_shown_since || !receive.is_doubtful => Shortage::Doubtful,
            () => Shortage::OfTheSocket,
        })
    }

    /// How a socket is received from; `None` if it is not.
    pub(crate) fn receive_state(&self, socket: Key) -> Option<ReceiveState> {
        let key = self.sockets.find(socket)?.receive?;
        let Some(Flight::Receive(receive)) = self.flights.find(key) else {
            return None;
        };
        let group = self.groups.get(usize::from(receive.group))?.as_ref()?;
        let is_shown = matches!(receive.way, Way::Multishot { .. });
        let is_incremental = matches!(
            group.giving(),
            Giving::Ring {
                is_incremental: true,
                ..
            }
        );
        Some(ReceiveState {
            way: receive.way,
            is_incremental: is_shown && is_incremental,
            tells_messages: receive.layout.is_some(),
            no_queue: receive.no_queue,
            no_bundle: receive.no_bundle,
        })
    }

    pub(super) fn end(&mut self, key: Key, end: End) {
        if let Some(receive) = self.receive_mut(key) {
            let end = match end {
                End::Cancelled if receive.is_idle => End::Idle,
                end => end,
            };
            receive.state = State::Ended(end);
            self.ended.push_back(key);
            self.is_behind = true;
        }
    }

    pub(super) fn receive_mut(&mut self, key: Key) -> Option<&mut Receive> {
        match self.flights.find_mut(key) {
            Ok(Flight::Receive(receive)) => Some(receive),
            _ => None,
        }
    }
}

impl Giving {
    fn is_bundling(self) -> bool {
        matches!(
            self,
            Self::Ring {
                is_bundling: true,
                ..
            }
        )
    }

    /// How sockets of a kind are received from.
    pub(super) fn way(self, kind: i32) -> Result<Way, NotQueued> {
        match self {
            Self::OneByOne => Ok(Way::Plain),
            // The rest of a buffer may be too short for the next datagram, which would be cut.
            Self::Ring {
                is_incremental: true,
                ..
            } if kind != libc::SOCK_STREAM => Err(NotQueued::WouldCut),
            // A datagram in several chunks would be several datagrams.
            Self::Ring { is_bundling, .. } => Ok(Way::Multishot {
                is_bundle: is_bundling && kind == libc::SOCK_STREAM,
            }),
        }
    }
}

impl Group {
    /// How it gives its slots to the kernel.
    pub(super) fn giving(&self) -> Giving {
        match &self.ring {
            None => Giving::OneByOne,
            Some(ring) => Giving::Ring {
                is_incremental: ring.is_incremental(),
                is_bundling: self.is_bundling,
            },
        }
    }

    /// How much was shown to the kernel so far, of what a way takes from.
    fn shown(&self, way: Way) -> u32 {
        let queue = self.queue.as_ref().filter(|_| way == Way::ZeroCopy);
        let ring = self.ring.as_ref().map_or(0, |ring| ring.tail());
        queue.map_or(ring.into(), |queue| queue.pages.given())
    }

    pub(super) fn is_in_slot(&self, taken: &Taken) -> bool {
        self.slots.area().id() == taken.area()
    }

    /// Ends a claim.
    #[inline]
    pub(super) fn give_back(&mut self, taken: Taken) {
        match &mut self.queue {
            Some(queue) if queue.pages.area().id() == taken.area() => queue.pages.give_back(taken),
            _ => match &mut self.ring {
                Some(ring) => ring.take_back(&mut self.slots, taken),
                None => self.slots.give_back(taken),
            },
        }
    }

    /// A receive finds no free slot.
    fn starve(&mut self, key: Key) {
        self.counters.starved.add(1);
        self.starved.push_back(key);
    }
}

#[cfg(test)]
mod tests;
