//! What the fake device knows, and is told to do.

use std::collections::VecDeque;
use std::ptr;

use super::super::async_event::AsyncEvent;
use super::super::ffi;
use super::super::graveyard;
use super::super::wr_id::Queue;
use super::contract::Contract;
use super::late::Binding;

/// A work request on the device's side.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Posted {
    pub(crate) wr_id: u64,
    pub(crate) queue: Queue,
    pub(crate) qp_num: u32,
    /// Where its completion goes: the address of the CQ.
    pub(crate) cq: usize,
    pub(crate) signalled: bool,
    pub(crate) opcode: u32,
    pub(crate) flags: u32,
    pub(crate) imm_or_rkey: u32,
    /// What a receive tells with its completion.
    pub(crate) wc_flags: u32,
    /// All its bytes.
    pub(crate) length: u32,
    /// Where they are, but for those of an inline request.
    pub(crate) pieces: Pieces,
    /// The shared queue it was posted to, the address handle that it is sent to; 0 for none.
    pub(crate) srq: usize,
    pub(crate) destination: usize,
    pub(crate) binding: Option<Binding>,
    /// What the bytes of a send added up to when it was posted, if the device is a late one.
    pub(crate) sent: u64,
}

/// The elements of a work request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pieces {
    elements: [ffi::Sge; 8],
    count: usize,
}

impl Pieces {
    pub(super) fn new(elements: &[ffi::Sge]) -> Self {
        let mut pieces = Pieces {
            elements: [ffi::Sge::NOTHING; 8],
            count: elements.len(),
        };
        pieces.elements[..elements.len()].copy_from_slice(elements);
        pieces
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &ffi::Sge> {
        self.elements[..self.count].iter()
    }
}

/// What a failing post leaves in `bad_wr`.
#[derive(Clone, Copy, Debug)]
pub(crate) enum BadWr {
    /// The failing request, as the documentation says.
    Own,
    /// Nothing.
    Null,
    /// A pointer to something else.
    Foreign,
}

/// How the next post fails.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PostFailure {
    pub(crate) result: i32,
    pub(crate) bad_wr: BadWr,
    /// Whether the device has it nevertheless.
    pub(crate) queued: bool,
    /// How many requests of a list go through before it.
    pub(crate) after: usize,
}

/// A region of memory that the device may use.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Registered {
    /// Bits of `enum ibv_access_flags`.
    pub(crate) access: i32,
    pub(crate) lkey: u32,
    pub(crate) address: u64,
    pub(crate) length: u64,
}

/// A completion queue.
#[derive(Debug)]
pub(super) struct Entries {
    pub(super) cq: usize,
    /// The number its events bear, and the descriptor that is written to with each.
    pub(super) number: usize,
    pub(super) bell: Option<i32>,
    pub(super) armed: bool,
    pub(super) entries: VecDeque<ffi::Wc>,
}

/// What the device has beyond the usual.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Extras {
    pub(crate) capabilities: u64,
    pub(crate) timestamp_mask: u64,
    pub(crate) core_clock_khz: u64,
}

/// The device.
#[derive(Debug)]
pub(crate) struct State {
    /// In posting order.
    pub(crate) posted: VecDeque<Posted>,
    /// Events not fetched: of which descriptor, and their numbers.
    pub(super) events: Vec<(i32, usize)>,
    /// Events of the device, not fetched, and the descriptor that says so.
    pub(super) async_events: VecDeque<AsyncEvent>,
    pub(super) async_bell: i32,
    pub(super) is_removed: bool,
    /// The user's numbers of the queue pairs and of the shared receive queues that were made.
    pub(super) qp_numbers: Vec<(u32, usize)>,
    pub(super) srq_numbers: Vec<usize>,
    pub(crate) srq_limit: u32,
    /// Completions not polled.
    pub(super) cqs: Vec<Entries>,
    pub(crate) regions: Vec<Registered>,
    /// Keys that requests gave.
    pub(super) bound: Vec<Binding>,
    pub(crate) contract: Contract,
    /// Whether what is in flight when its queue ends is done in that moment.
    pub(crate) is_late: bool,
    /// Accesses that the device refused, for want of a region.
    pub(crate) refused_dma: u32,
    /// Calls of `post_send`.
    pub(crate) doorbells: u32,
    /// Calls of `post_recv` and `post_srq_recv`.
    pub(crate) recv_doorbells: u32,
    pub(crate) fail_next_post: Option<PostFailure>,
    pub(crate) refuse_create_qp: bool,
    pub(crate) refuse_destroy_qp: bool,
    pub(crate) refuse_destroy_cq: bool,
    pub(crate) refuse_destroy_srq: bool,
    pub(crate) refuse_dereg_mr: bool,
    pub(crate) refuse_reg_mr: Option<i32>,
    /// Who made the device, and whether it pages on demand.
    pub(crate) vendor_id: u32,
    pub(crate) pages_on_demand: bool,
    /// The buffer of another device registered last: its offset, length and access.
    pub(crate) dmabuf: Option<(u64, usize, i32)>,
    pub(crate) refuse_dealloc_pd: bool,
    pub(crate) refuse_close: bool,
    pub(crate) refuse_modify: Option<i32>,
    pub(crate) refuse_attach: Option<i32>,
    pub(crate) refuse_detach: Option<i32>,
    /// Which queue pairs receive what is sent to which groups: their addresses, GIDs and LIDs.
    pub(crate) attached: Vec<(usize, [u8; 16], u16)>,
    pub(crate) poll_result: Option<i32>,
    /// How many completions one poll finds at most.
    pub(crate) poll_max: usize,
    /// How many entries a new CQ gets, if not what was asked for.
    pub(crate) grant: Option<i32>,
    /// The longest message of the port; 0: it does not say.
    pub(crate) max_message: u32,
    /// The state that the last queue pair was taken to, and the port of its path.
    pub(crate) qp_state: u32,
    pub(crate) path_port: u8,
    /// `None`: its provider does not say.
    pub(crate) extras: Option<Extras>,
    /// Bits that its provider knows: of `enum ibv_qp_create_send_ops_flags`, and of
    /// `enum ibv_create_cq_wc_flags`.
    pub(crate) send_ops: u64,
    pub(crate) wc_flags: u64,
    /// Makes plain queue pairs of extended ones.
    pub(crate) forget_send_ops: bool,
    /// Leaves out the functions of extended completion queues that were asked for.
    pub(crate) forget_wc_flags: bool,
    /// What its clock says, one more with each look, and with each completion that is stamped.
    pub(crate) clock: u64,
    /// What extended queue pairs were asked for, with what.
    pub(crate) prepared: Vec<super::Prepared>,
    /// What `start_poll` returns, if not what is the case, after so many completions more.
    pub(crate) start_poll_fails: Option<(usize, i32)>,
    /// How many extended polls are begun and not ended.
    pub(crate) open_polls: usize,
    /// Calls that made and unmade things, in order.
    pub(crate) calls: Vec<&'static str>,
    pub(crate) next_number: u32,
}

impl State {
    pub(super) fn new() -> Self {
        State {
            // Room for what a test posts, so that posting allocates nothing.
            posted: VecDeque::with_capacity(256),
            events: Vec::new(),
            async_events: VecDeque::new(),
            async_bell: -1,
            is_removed: false,
            qp_numbers: Vec::new(),
            srq_numbers: Vec::new(),
            srq_limit: 0,
            cqs: Vec::new(),
            regions: Vec::new(),
            bound: Vec::new(),
            contract: Contract::default(),
            is_late: false,
            refused_dma: 0,
            doorbells: 0,
            recv_doorbells: 0,
            fail_next_post: None,
            refuse_create_qp: false,
            refuse_destroy_qp: false,
            refuse_destroy_cq: false,
            refuse_destroy_srq: false,
            refuse_dereg_mr: false,
            refuse_reg_mr: None,
            vendor_id: 0,
            pages_on_demand: false,
            dmabuf: None,
            refuse_dealloc_pd: false,
            refuse_close: false,
            refuse_modify: None,
            refuse_attach: None,
            refuse_detach: None,
            attached: Vec::new(),
            poll_result: None,
            poll_max: usize::MAX,
            grant: None,
            max_message: 0,
            qp_state: 0,
            path_port: 0,
            extras: Some(Extras {
                capabilities: u64::MAX,
                timestamp_mask: u64::MAX,
                core_clock_khz: 1_000,
            }),
            send_ops: u64::MAX,
            wc_flags: u64::MAX,
            forget_send_ops: false,
            forget_wc_flags: false,
            clock: 100,
            prepared: Vec::new(),
            start_poll_fails: None,
            open_polls: 0,
            calls: Vec::new(),
            next_number: 16,
        }
    }

    pub(crate) fn count(&self, call: &str) -> usize {
        self.calls.iter().filter(|made| **made == call).count()
    }

    /// Ends a work request well.
    pub(crate) fn finish(&mut self, posted: Posted, fill: u8) {
        if posted.queue == Queue::Recv {
            self.dma(posted, fill);
        }
        self.posted.retain(|other| other.wr_id != posted.wr_id);
        if posted.queue == Queue::Recv || posted.signalled {
            self.report(posted, ffi::WC_SUCCESS);
        }
    }

    /// Ends all work requests as a queue pair in the error state does.
    pub(crate) fn flush(&mut self) {
        while let Some(posted) = self.posted.pop_front() {
            self.report(posted, 5);
        }
    }

    /// The entries of a CQ that exists.
    pub(super) fn entries(&mut self, cq: usize) -> Option<&mut VecDeque<ffi::Wc>> {
        let found = self.cqs.iter_mut().find(|entries| entries.cq == cq);
        found.map(|entries| &mut entries.entries)
    }

    /// Some CQ, if there is one.
    pub(crate) fn any_cq(&self) -> Option<usize> {
        self.cqs.first().map(|entries| entries.cq)
    }

    /// The only CQ there is.
    pub(crate) fn only_cq(&self) -> usize {
        assert_eq!(self.cqs.len(), 1);
        self.cqs[0].cq
    }

    /// How many completions were not polled.
    pub(crate) fn unpolled(&self) -> usize {
        self.cqs.iter().map(|cq| cq.entries.len()).sum()
    }

    /// Loses every completion that was not polled.
    pub(crate) fn lose_completions(&mut self) {
        self.cqs.iter_mut().for_each(|cq| cq.entries.clear());
    }

    /// Puts a completion of `posted` into its CQ.
    pub(crate) fn report(&mut self, posted: Posted, status: u32) {
        let Some(entries) = self.entries(posted.cq) else {
            return;
        };
        entries.push_back(ffi::Wc {
            wr_id: posted.wr_id,
            status,
            // 0 is SEND, also for a flushed receive: opcodes lie.
            opcode: if status == 0 && posted.queue == Queue::Recv {
                128
            } else {
                0
            },
            byte_len: posted.length,
            qp_num: posted.qp_num,
            wc_flags: posted.wc_flags,
            imm_or_rkey: posted.imm_or_rkey,
            vendor_err: if status == 0 { 0 } else { 0xbad },
            ..ffi::Wc::default()
        });
        self.ring(posted.cq);
    }

    /// Says that a CQ has something, if it is to.
    fn ring(&mut self, cq: usize) {
        let Some(entries) = self.cqs.iter_mut().find(|entries| entries.cq == cq) else {
            return;
        };
        if let (true, Some(bell)) = (std::mem::take(&mut entries.armed), entries.bell) {
            self.events.push((bell, entries.number));
            let one = 1_u64;
            // SAFETY: eight bytes to write.
            let written = unsafe { libc::write(bell, (&raw const one).cast(), 8) };
            assert_eq!(written, 8);
        }
    }

    pub(super) fn arm(&mut self, cq: usize) {
        let found = self.cqs.iter_mut().find(|entries| entries.cq == cq);
        found.expect("an existing CQ").armed = true;
    }

    /// Writes to memory, if a region allows it.
    pub(crate) fn dma(&mut self, posted: Posted, fill: u8) {
        for piece in posted.pieces.iter() {
            self.dma_piece(*piece, fill);
        }
    }

    pub(super) fn dma_piece(&mut self, piece: ffi::Sge, fill: u8) {
        let end = piece.addr + u64::from(piece.length);
        let covered = self.regions.iter().any(|region| {
            region.lkey == piece.lkey
                && region.address <= piece.addr
                && end <= region.address + region.length
        });
        if !covered {
            self.refused_dma += 1;
            return;
        }
        if graveyard::is_gone(piece.addr) {
            self.contract
                .breaks("memory is written to that is unmapped");
            return;
        }
        let address = usize::try_from(piece.addr).unwrap();
        let start = ptr::with_exposed_provenance_mut::<u8>(address);
        let length = usize::try_from(piece.length).unwrap();
        // SAFETY: the range lies in a registered region, which stays mapped until it is
        // deregistered. That no Rust code uses these bytes is what the tests are about; they look
        // at them through another mapping.
        unsafe { start.write_bytes(fill, length) };
    }
}
