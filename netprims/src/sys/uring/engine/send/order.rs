//! The order of a socket's sends, where its kernel keeps it: on streams, and of messages that neither get lost nor overtake
//! each other.
//!
//! Of two sends that the kernel has at the same time, the second may go on while the first waits for room: bytes of a
//! stream interleave, a message overtakes. So it has one request of such a socket at a time; what is sent meanwhile waits.
//! Small plain sends of a stream that have waited go as one request.
//!
//! That request is a `sendmsg`, not a bundle of provided buffers (`IORING_RECVSEND_BUNDLE`, Linux 6.10): both cost the same,
//! between a thirteenth and a half of requests one by one, while a bundle takes whatever stands first in its group, so that
//! every stream with something underway would need a group of its own, and ends with a completion more.
//!
//! A send that fails, or that ends short, leaves a hole: what waits behind it was meant for a stream that has it, and is
//! given up. One that was cancelled before anything of it was taken leaves none. Nor does a message: the next one's turn
//! comes whatever became of it.

use super::issue::sends;
use super::{Choice, List, send_mut, send_ref, set_phase};
use crate::sys::uring::engine::limit::Limit;
use crate::sys::uring::engine::{Engine, Flight, NotQueued};
use crate::sys::uring::headers::MOST_BUFFERS;
use crate::sys::uring::kernel::Kernel;
use crate::sys::uring::lifecycle::{Phase, usage_of_plain};
use crate::sys::uring::slab::Key;

/// How many bytes are put together in one request at most. A larger one would save little, and keep the first of its
/// sends from their result until the last is taken.
const MOST_TOGETHER: u32 = 64 * 1024;

impl<K: Kernel> Engine<K> {
    /// Queues a send that is in the table, or lets it wait for its turn.
    pub(super) fn start(&mut self, key: Key, socket: Key) -> Result<(), NotQueued> {
        let Ok(place) = self.sockets.find_mut(socket) else {
            return Err(NotQueued::UnknownSocket);
        };
        if place.hole.is_some() {
            self.end_send(key, Err(libc::ECANCELED));
            return Ok(());
        }
        if place.underway.is_some() {
            place.waiting.push(key, &mut self.flights);
            return Ok(());
        }
        let (auto, is_ordered) = (place.auto, place.is_ordered);
        let issued = self.issue(key);
        if let Ok(place) = self.sockets.find_mut(socket) {
            match issued {
                Ok(()) => place.underway = is_ordered.then_some(key),
                // It was not sent after all.
                Err(_) => place.auto = auto,
            }
        }
        issued
    }

    /// What a result means for what waits behind a send. True if nothing is to follow.
    pub(super) fn go_on_after(&mut self, key: Key, result: Result<u32, i32>) -> bool {
        let Some(send) = send_ref(&self.flights, key) else {
            return false;
        };
        let (socket, total) = (send.socket, send.total);
        let place = self.sockets.find(socket);
        let Some(place) = place.filter(|place| place.underway == Some(key)) else {
            return false;
        };
        match result {
            _ if !place.is_stream => self.advance(socket),
            Ok(bytes) if bytes == total => self.advance(socket),
            Err(libc::ECANCELED) => self.advance(socket),
            _ => {
                self.stop(socket);
                return true;
            }
        }
        false
    }

    /// It is the next one's turn.
    fn advance(&mut self, socket: Key) {
        if self.closing {
            return self.stop(socket);
        }
        let Ok(place) = self.sockets.find_mut(socket) else {
            return;
        };
        place.underway = place.waiting.pop(&mut self.flights);
        let Some(key) = place.underway else {
            return;
        };
        if place.is_stream {
            self.gather(key, socket);
        }
        if let Err(errno) = self.hold(key) {
            // It is the ring that refuses, and would refuse what waits as well.
            if let Ok(place) = self.sockets.find_mut(socket) {
                place.underway = None;
            }
            self.fail(key, errno);
            self.stop(socket);
            self.has_hole(socket, key);
        }
    }

    /// Nothing more is sent on a stream until the end of this send, which waits to be told, was told.
    fn has_hole(&mut self, socket: Key, key: Key) {
        if let Ok(place) = self.sockets.find_mut(socket) {
            place.hole = place.is_stream.then_some(key);
        }
    }

    /// Puts small plain sends that wait behind a small plain one into its request.
    fn gather(&mut self, head: Key, socket: Key) {
        self.choose(head);
        let Some((mut buffers, mut bytes)) = self.plain_and_small(head) else {
            return;
        };
        let mut last = head;
        while let Some(key) = self.front_of(socket) {
            self.choose(key);
            let Some((more_buffers, more_bytes)) = self.plain_and_small(key) else {
                return;
            };
            buffers += more_buffers;
            bytes += more_bytes;
            if buffers > MOST_BUFFERS || bytes > MOST_TOGETHER || self.headers.is_empty() {
                return;
            }
            if let Ok(place) = self.sockets.find_mut(socket) {
                place.waiting.pop(&mut self.flights);
            }
            set_phase(&mut self.flights, key, Phase::Along { head });
            if let Some(last) = send_mut(&mut self.flights, last) {
                last.next = Some(key);
            }
            if let Some(head) = send_mut(&mut self.flights, head) {
                head.along += 1;
            }
            last = key;
        }
    }

    fn front_of(&self, socket: Key) -> Option<Key> {
        self.sockets.find(socket)?.waiting.front()
    }

    /// How many buffers and bytes a send has, if it may share a request: one with a limit of its own may not.
    fn plain_and_small(&self, key: Key) -> Option<(usize, u32)> {
        let send = send_ref(&self.flights, key)?;
        let may_share = matches!(send.choice, Choice::Plain)
            && send.total <= MOST_TOGETHER
            && send.limit == Limit::Without;
        may_share.then_some((usize::from(send.buffers), send.total))
    }

    /// Divides the result of a request among the sends in it, in order.
    pub(super) fn share_out(&mut self, head: Key, result: Result<u32, i32>) {
        let is_asked_for = self.closing || sends(&self.flights, head).any(|send| send.is_cancelled);
        let Some(send) = send_mut(&mut self.flights, head) else {
            return;
        };
        let (socket, along) = (send.socket, std::mem::take(&mut send.along));
        if let Some(header) = send.header.take() {
            self.headers.give_back(header);
        }
        let mut again = List::default();
        let mut shares = Shares::of(result, is_asked_for);
        let mut hole = None;
        let mut next = Some(head);
        for _ in 0..=along {
            let Some(send) = next.and_then(|key| send_mut(&mut self.flights, key)) else {
                break;
            };
            let Some(key) = std::mem::replace(&mut next, send.next.take()) else {
                break;
            };
            match shares.next(send.total, send.is_cancelled || self.closing) {
                Some(end) => {
                    self.end_send(key, end);
                    if shares.is_broken {
                        hole = hole.or(Some(key));
                    }
                }
                None => {
                    set_phase(&mut self.flights, key, Phase::Held { owed: false });
                    again.push(key, &mut self.flights);
                }
            }
        }
        match self.sockets.find_mut(socket) {
            Ok(place) if !shares.is_broken => {
                place.waiting.prepend(again, &mut self.flights);
                self.advance(socket);
            }
            _ => {
                while let Some(key) = again.pop(&mut self.flights) {
                    self.end_send(key, Err(libc::ECANCELED));
                }
                self.stop(socket);
                if let Some(key) = hole {
                    self.has_hole(socket, key);
                }
            }
        }
    }

    /// Ends a send that is held and will not be sent, and what waits behind it.
    pub(in crate::sys::uring::engine) fn fail(&mut self, key: Key, errno: i32) {
        let Some(send) = send_mut(&mut self.flights, key) else {
            return;
        };
        if send.along > 0 {
            return self.share_out(key, Err(errno));
        }
        let socket = send.socket;
        let (phase, _) = send.phase.given_up(errno);
        send.end = Err(errno);
        set_phase(&mut self.flights, key, phase);
        self.ended_sends.push(key, &mut self.flights);
        self.is_behind = true;
        if self.go_on_after(key, Err(errno)) {
            self.has_hole(socket, key);
        }
    }

    /// Ends all that waits for its turn on a socket.
    pub(in crate::sys::uring::engine) fn give_up_waiting(&mut self, socket: Key) {
        while let Ok(place) = self.sockets.find_mut(socket) {
            let Some(key) = place.waiting.pop(&mut self.flights) else {
                return;
            };
            self.end_send(key, Err(libc::ECANCELED));
        }
    }

    /// The socket has nothing underway, and nothing is to follow.
    fn stop(&mut self, socket: Key) {
        if let Ok(place) = self.sockets.find_mut(socket) {
            place.underway = None;
        }
        self.give_up_waiting(socket);
    }

    /// Gives up the sends of a socket, which the kernel is asked to do with those it has.
    pub(in crate::sys::uring::engine) fn give_up_sends_of(&mut self, socket: Key) {
        self.give_up_waiting(socket);
        for flight in self.flights.iter_mut() {
            match flight {
                Flight::Send(send) if send.socket == socket => send.is_cancelled = true,
                Flight::Plain(plain) if plain.socket() == socket => {
                    if let Some(send) = flight.unfold() {
                        send.is_cancelled = true;
                    }
                }
                _ => {}
            }
        }
    }

    /// Ends what the kernel was never given, or has finished with.
    fn end_send(&mut self, key: Key, result: Result<u32, i32>) {
        let bytes = result.unwrap_or(0);
        let usage = usage_of_plain(bytes);
        set_phase(&mut self.flights, key, Phase::Done { bytes, usage });
        if let Some(send) = send_mut(&mut self.flights, key) {
            send.end = result;
        }
        self.ended_sends.push(key, &mut self.flights);
        self.is_behind = true;
    }

    /// Gives up a send that the kernel does not have. The answer is the request that the kernel has to be asked to give
    /// up, if it does have it.
    pub(in crate::sys::uring::engine) fn cancel_send(&mut self, key: Key) -> Option<Key> {
        let send = send_mut(&mut self.flights, key)?;
        send.is_cancelled = true;
        let (phase, socket) = (send.phase, send.socket);
        let request = match phase {
            Phase::Held { .. } => key,
            Phase::Along { head } => head,
            _ => return Some(key),
        };
        if let Ok(place) = self.sockets.find_mut(socket) {
            if place.waiting.remove(key, &mut self.flights) {
                self.end_send(key, Err(libc::ECANCELED));
                return None;
            }
        }
        if !self.held.contains(&request) {
            return Some(request);
        }
        self.held.retain(|held| *held != request);
        self.fail(request, libc::ECANCELED);
        None
    }
}

/// The result of a request, as it is divided among its sends.
struct Shares {
    /// What is left of it.
    result: Result<u32, i32>,
    /// One of the sends is the reason for `ECANCELED`.
    is_asked_for: bool,
    is_first: bool,
    /// Of a send before this one nothing was taken.
    is_over: bool,
    /// The stream has a hole.
    is_broken: bool,
}

impl Shares {
    fn of(result: Result<u32, i32>, is_asked_for: bool) -> Self {
        Self {
            result,
            is_asked_for,
            is_first: true,
            is_over: false,
            is_broken: false,
        }
    }

    /// What came of the next send; `None` if nothing was tried, so that it can be sent again.
    fn next(&mut self, total: u32, is_cancelled: bool) -> Option<Result<u32, i32>> {
        let cancelled = Some(Err(libc::ECANCELED));
        if self.is_broken {
            return cancelled;
        }
        let is_first = std::mem::replace(&mut self.is_first, false);
        match self.result {
            Ok(left) if !self.is_over && total <= left => {
                self.result = Ok(left - total);
                Some(Ok(total))
            }
            Ok(left) if is_first || left > 0 => {
                self.is_broken = true;
                Some(Ok(left))
            }
            Err(errno) if is_first && !(errno == libc::ECANCELED && self.is_asked_for) => {
                self.is_broken = errno != libc::ECANCELED;
                Some(Err(errno))
            }
            _ => {
                self.is_over = true;
                cancelled.filter(|_| is_cancelled)
            }
        }
    }
}
