//! The guards go, one after the other.

use std::mem;

use crate::sys::fake::Posted;
use crate::sys::graveyard::Graveyard;
use crate::sys::oracle::SCRIBBLE;
use crate::{Bufs, Error};

use super::cell::{Cell, Fate, Forgotten, Guard};
use super::stage::Stage;

/// Plays a cell, and says what was wrong.
pub(super) fn play(cell: &Cell) -> Result<(), String> {
    let _graveyard = Graveyard::new();
    let mut stage = Stage::set(cell);
    // What is forgotten is kept by nobody until the cell is over: no destructor runs before.
    let mut forgotten = Vec::new();
    let judged = stage.go(cell, &mut forgotten);
    if judged.is_err() {
        // With a slot given out twice, nothing may be dropped in order any more.
        mem::forget((stage, forgotten));
    } else {
        let fake = stage.fake.clone();
        drop((stage, forgotten));
        fake.state().close_bells();
    }
    judged
}

/// A guard that was forgotten.
type Kept = Box<dyn std::any::Any>;

impl Stage {
    fn go(&mut self, cell: &Cell, forgotten: &mut Vec<Kept>) -> Result<(), String> {
        let was = self.held();
        self.judge(&was)?;
        let mut is_first = true;
        for &guard in cell.order.iter() {
            self.fake.state().refuse_destroy_qp = cell.fate == Fate::Stuck;
            self.goes(guard, cell.forgets(guard), forgotten);
            self.fake.state().refuse_destroy_qp = false;
            let after = |error| format!("after {guard:?}: {error}");
            self.judge(&was).map_err(after)?;
            if mem::take(&mut is_first) {
                self.fate(cell.fate);
                self.judge(&was).map_err(after)?;
            }
            if guard == Guard::Qp {
                self.newcomer().map_err(after)?;
                self.judge(&was).map_err(after)?;
            }
        }
        if cell.forgotten == Forgotten::Nobody && cell.fate != Fate::Stuck {
            let left = self.fake.state().contract.alive();
            if !left.is_empty() {
                return Err(format!("left over: {left:?}"));
            }
        }
        Ok(())
    }

    fn goes(&mut self, guard: Guard, is_forgotten: bool, forgotten: &mut Vec<Kept>) {
        let mut go = |guard: Kept| {
            if is_forgotten {
                forgotten.push(guard);
            }
        };
        match guard {
            Guard::Qp => go(self.qp.take().unwrap()),
            Guard::Cq => go(Box::new(self.cq.take().unwrap())),
            Guard::Mr => go(Box::new(self.memory.take().unwrap())),
            Guard::Buf => go(Box::new(self.buf.take().unwrap())),
            Guard::Results => go(Box::new(self.results.take().unwrap())),
            Guard::Srq => go(Box::new(self.srq.take().unwrap())),
            Guard::Datagram => go(Box::new(self.datagram.take().unwrap())),
            Guard::Exposed => go(Box::new(self.exposed.take().unwrap())),
            Guard::Window => go(Box::new(self.window.take().unwrap())),
            Guard::Pd => go(Box::new(self.pd.take().unwrap())),
            Guard::CompChannel => go(Box::new(self.channel.take().unwrap())),
            Guard::Context => go(Box::new(self.context.take().unwrap())),
        }
    }

    /// What is in flight ends as it is to.
    fn fate(&mut self, fate: Fate) {
        let mut state = self.fake.state();
        let of_queue_pairs = |posted: &Posted| posted.srq == 0;
        let ends: Vec<Posted> = match fate {
            Fate::Never | Fate::Stuck => Vec::new(),
            Fate::Flushed => state
                .posted
                .iter()
                .copied()
                .filter(of_queue_pairs)
                .collect(),
            // Without a queue pair, nobody takes what a shared queue has.
            Fate::Completes if self.qp.is_none() => state
                .posted
                .iter()
                .copied()
                .filter(of_queue_pairs)
                .collect(),
            Fate::Completes => state.posted.iter().copied().collect(),
        };
        let cq = state.any_cq();
        for mut posted in ends {
            posted.cq = cq.unwrap_or(posted.cq);
            if fate == Fate::Completes {
                state.execute(posted);
                state.finish(posted, crate::sys::fake::LATE);
            } else {
                state.posted.retain(|other| other.wr_id != posted.wr_id);
                state.report(posted, 5);
            }
        }
    }

    /// A new queue pair on the same queue is handed everything that the old one left there.
    fn newcomer(&mut self) -> Result<(), String> {
        if self.pd.is_none() || self.cq.is_none() || self.memory.is_none() {
            return Ok(());
        }
        let mut qp = self.connected(false);
        let take = || self.memory.as_ref().and_then(|memory| memory.take());
        if let Some(buf) = take() {
            qp.post_recv(buf, 77).map_err(|error| error.to_string())?;
        }
        let mut stolen = 0;
        for mut completion in self.cq.as_mut().unwrap().poll().unwrap() {
            match qp.complete(&mut completion) {
                Err(Error::OtherQp { .. }) => (),
                _ => stolen += 1,
            }
        }
        if stolen > 0 {
            mem::forget(qp);
            return Err(format!(
                "{stolen} completions of before are a new queue pair's"
            ));
        }
        Ok(())
    }

    /// What the buffers that the program holds have in them.
    fn held(&self) -> Vec<Vec<u8>> {
        let one = self.buf.iter().map(|buf| buf.to_vec());
        let results = self.results.iter().flatten().flat_map(Bufs::as_slice);
        one.chain(results.map(|buf| buf.to_vec())).collect()
    }

    /// The device does all it may, and peers try what they know; then the memory is looked at.
    fn judge(&mut self, was: &[Vec<u8>]) -> Result<(), String> {
        self.fake.state().execute_all();
        self.peers_try()?;
        if let Some(region) = self.region.upgrade() {
            let changed = region.free_but_changed(SCRIBBLE);
            if !changed.is_empty() {
                return Err(format!("free slots were written to: {changed:?}"));
            }
        }
        let held = self.held();
        if !held.is_empty() && held != was {
            return Err(String::from("a buffer that the program holds was changed"));
        }
        let state = self.fake.state();
        match state.contract.broken() {
            [] if state.refused_dma == 0 => Ok(()),
            [] => Err(String::from("what is in flight has lost its region")),
            broken => Err(broken.join("; ")),
        }
    }

    fn peers_try(&self) -> Result<(), String> {
        let is_exposed = self.exposed_region.upgrade().is_some();
        let mut state = self.fake.state();
        for key in [self.key, self.window_key].into_iter().flatten() {
            let number = key.key().number();
            if state.peer_writes(number, key.addr(), 8, 0x5a) && !is_exposed {
                return Err(String::from("a key opens memory that is gone"));
            }
        }
        // They may guess: keys are small numbers, and addresses no secret.
        let local = state
            .regions
            .iter()
            .filter(|region| region.length == 8 * 64);
        let local: Vec<_> = local.copied().collect();
        for region in local {
            if state.peer_writes(region.lkey, region.address, 8, 0x5a) {
                return Err(String::from("a peer writes to local memory"));
            }
        }
        Ok(())
    }
}
