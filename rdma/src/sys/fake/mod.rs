//! A provider without a device, which does what the test tells it.
//!
//! It behaves like a NIC where memory is concerned: it writes to a posted buffer only through a
//! region that is registered, and refuses (and counts) the rest. Everything else it does wrong on
//! demand.

mod asynchronous;
mod contract;
mod extended;
mod late;
mod objects;
mod ops;
mod state;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::device::DeviceList;
use super::verbs::Verbs;
use super::wr_id::Queue;

pub(crate) use extended::Prepared;
pub(crate) use late::{Binding, LATE};
pub(crate) use state::{BadWr, Extras, PostFailure, Posted, State};

/// The device: clones are the same one.
#[derive(Clone, Debug)]
pub(crate) struct Fake {
    state: Arc<Mutex<State>>,
}

impl Fake {
    pub(crate) fn new() -> Self {
        Fake {
            state: Arc::new(Mutex::new(State::new())),
        }
    }

    /// Its only device, opened.
    pub(crate) fn context(&self) -> crate::Context {
        let list = crate::Device::list_from(Arc::new(self.clone()) as Arc<dyn Verbs>).unwrap();
        list[0].open().unwrap()
    }

    /// The list of devices, to see it freed.
    pub(crate) fn list(&self) -> Arc<DeviceList> {
        DeviceList::load(Arc::new(self.clone())).unwrap()
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Work requests that were posted and not completed, of one queue.
    pub(crate) fn posted(&self, queue: Queue) -> Vec<Posted> {
        self.state()
            .posted
            .iter()
            .filter(|posted| posted.queue == queue)
            .copied()
            .collect()
    }

    /// Ends the `index`th posted work request of a queue: the device writes `fill` over a receive
    /// buffer, and the completion says success. Sends may so end out of order; but the unsignalled
    /// ones that the completion stands for end with it.
    pub(crate) fn complete(&self, queue: Queue, index: usize, fill: u8) {
        let all = self.posted(queue);
        let posted = all[index];
        let before = all[..index].iter().rev();
        let of_qp = before.filter(|other| queue == Queue::Send && other.qp_num == posted.qp_num);
        for unsignalled in of_qp.take_while(|other| !other.signalled) {
            self.state().finish(*unsignalled, fill);
        }
        self.state().finish(posted, fill);
    }

    /// As [`complete`](Self::complete), for the oldest of a queue, and without allocating.
    pub(crate) fn complete_oldest(&self, queue: Queue, fill: u8) {
        let mut state = self.state();
        let oldest = state
            .posted
            .iter()
            .find(|posted| posted.queue == queue)
            .copied();
        state.finish(oldest.expect("something posted"), fill);
    }

    /// How many events nobody has fetched.
    #[cfg(feature = "tokio")]
    pub(crate) fn unfetched_events(&self) -> usize {
        self.state().events.len()
    }

    /// Writes to a buffer as a device does that believes it has it.
    pub(crate) fn write(&self, posted: Posted, fill: u8) {
        self.state().dma(posted, fill);
    }
}
