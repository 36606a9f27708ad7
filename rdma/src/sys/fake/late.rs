//! A device that takes its time: it does what was posted when the test says so, and once more at the
//! last moment it may.

use std::ptr;

use super::super::ffi::{self, opcode};
use super::super::graveyard;
use super::super::wr_id::Queue;
use super::state::{Posted, Registered, State};

/// What a late device writes.
pub(crate) const LATE: u8 = 0x11;

/// A key to a part of a region, given by a request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Binding {
    window: usize,
    key: u32,
    part: Registered,
}

impl Binding {
    /// What a request binds, if it does.
    pub(super) fn of(request: &ffi::SendWr) -> Option<Self> {
        (request.opcode == opcode::BIND_MW).then(|| {
            let bind = request.bind_or_tso;
            // SAFETY: the request names a region that exists.
            let region = unsafe { &*bind.mr };
            Binding {
                window: bind.mw.addr(),
                key: bind.rkey,
                part: Registered {
                    access: bind.access.cast_signed(),
                    lkey: region.lkey,
                    address: bind.addr,
                    length: bind.length,
                },
            }
        })
    }
}

impl State {
    /// Does what a request asks for.
    pub(crate) fn execute(&mut self, posted: Posted) {
        if posted.destination != 0 && !self.contract.is_alive(posted.destination) {
            self.contract
                .breaks("a datagram is sent to a destination that has ended");
        }
        match (posted.queue, posted.opcode) {
            (Queue::Recv, _) | (_, opcode::READ | opcode::COMPARE_SWAP | opcode::FETCH_ADD) => {
                self.dma(posted, LATE);
            }
            (_, opcode::BIND_MW) => self.bind(posted.binding),
            _ if self.checksum(&posted) != posted.sent => {
                self.contract
                    .breaks("bytes that are being sent were changed");
            }
            _ => (),
        }
    }

    /// Does all that is posted, as often as it is asked.
    pub(crate) fn execute_all(&mut self) {
        let posted: Vec<Posted> = self.posted.iter().copied().collect();
        posted.into_iter().for_each(|posted| self.execute(posted));
    }

    /// Whoever may use these requests ends: they are done at the last moment, if ever, and then not
    /// any more.
    pub(super) fn end_those(&mut self, of: impl Fn(&Posted) -> bool) {
        if self.is_late {
            let last: Vec<Posted> = self.posted.iter().copied().filter(&of).collect();
            last.into_iter().for_each(|posted| self.execute(posted));
        }
        self.posted.retain(|posted| !of(posted));
    }

    /// What the bytes of a request add up to; as they were posted if they are not to be seen now.
    pub(super) fn checksum(&mut self, posted: &Posted) -> u64 {
        if !self.is_late {
            return posted.sent;
        }
        let mut sum = 0xcbf2_9ce4_8422_2325_u64;
        for piece in posted.pieces.iter() {
            let (address, len) = (piece.addr, u64::from(piece.length));
            let covers =
                |region: &&Registered| region.lkey == piece.lkey && region.has(address, len);
            let Some(region) = self.regions.iter().find(covers) else {
                self.refused_dma += 1;
                continue;
            };
            if graveyard::is_gone(address) {
                self.contract.breaks("memory is read that is unmapped");
                continue;
            }
            if region.access & ACCESS_REMOTE_WRITE != 0 {
                // Peers may change it at any time.
                continue;
            }
            let start = ptr::with_exposed_provenance::<u8>(usize::try_from(address).unwrap());
            for at in 0..usize::try_from(len).unwrap() {
                // SAFETY: within a registered region, which is mapped.
                let at = unsafe { start.add(at) };
                // SAFETY: as above; nobody else writes now, on the test's own thread.
                let byte = unsafe { at.read_volatile() };
                sum = (sum ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
            }
        }
        sum
    }

    /// A peer writes by a key; `false` if the device refuses it.
    pub(crate) fn peer_writes(&mut self, key: u32, address: u64, len: u32, fill: u8) -> bool {
        let windows = self.bound.iter().filter(|binding| binding.key == key);
        let parts = windows.map(|binding| binding.part);
        let regions = self.regions.iter().filter(|region| region.lkey == key);
        let mut all = parts.chain(regions.copied());
        let may_write = |part: &Registered| part.access & ACCESS_REMOTE_WRITE != 0;
        let open = all.find(|part| may_write(part) && part.has(address, u64::from(len)));
        let Some(part) = open else {
            return false;
        };
        self.dma_piece(
            ffi::Sge {
                addr: address,
                length: len,
                lkey: part.lkey,
            },
            fill,
        );
        true
    }

    /// Closes what leaked channels keep open: thousands of tests that leak them would run out of
    /// descriptors.
    pub(crate) fn close_bells(&mut self) {
        for bell in self.cqs.drain(..).filter_map(|entries| entries.bell) {
            // SAFETY: the descriptor of a channel that was leaked, since its completion queue is there.
            unsafe { libc::close(bell) };
        }
    }

    /// A window is bound, if it is there.
    fn bind(&mut self, binding: Option<Binding>) {
        let is_there = |binding: &Binding| self.contract.is_alive(binding.window);
        if let Some(binding) = binding.filter(is_there) {
            self.unbind(binding.window);
            self.bound.push(binding);
        }
    }

    /// A window is gone, and with it what it was bound to.
    pub(super) fn unbind(&mut self, window: usize) {
        self.bound.retain(|binding| binding.window != window);
    }
}

/// `IBV_ACCESS_REMOTE_WRITE`.
const ACCESS_REMOTE_WRITE: i32 = 1 << 1;

impl Registered {
    fn has(&self, address: u64, len: u64) -> bool {
        let end = address.checked_add(len);
        self.address <= address && end.is_some_and(|end| end <= self.address + self.length)
    }
}
