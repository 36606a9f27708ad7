#[cfg(test)]
use crate::sys::defect::{Defect, seeded};
use crate::sys::memory::{Lent, Slot};
use crate::sys::usage::Usage;

/// The buffers that are in flight, by place. Its size is fixed.
///
/// # Invariants
///
/// `free` holds the empty places, each once. A flight is taken out for its memory only when `open` is 0.
pub(super) struct Flights {
    places: Vec<Option<Flight>>,
    free: Vec<usize>,
}

/// A buffer that was given to the socket.
pub(super) struct Flight {
    lent: Lent,
    pub(super) ticket: u64,
    /// Bytes the socket took.
    pub(super) taken: usize,
    /// Of these, bytes that were copied.
    pub(super) copied: usize,
    /// Its sends the kernel has not told to be done.
    pub(super) open: usize,
    /// Nothing more of it will be sent.
    pub(super) is_whole: bool,
    /// Its sending failed, and the kernel may have counted it.
    pub(super) is_doubtful: bool,
}

/// A flight that is over.
pub(super) struct Landed {
    pub(super) slot: Slot,
    pub(super) ticket: u64,
    pub(super) bytes: usize,
    pub(super) usage: Usage,
}

impl Flights {
    pub(super) fn new(places: usize) -> Self {
        Self {
            places: (0..places).map(|_| None).collect(),
            free: (0..places).rev().collect(),
        }
    }

    /// Takes a slot in; gives it back if every place is taken.
    pub(super) fn insert(&mut self, slot: Slot, ticket: u64) -> Result<usize, Slot> {
        let Some(index) = self.free.pop() else {
            return Err(slot);
        };
        let Some(place) = self.places.get_mut(index) else {
            // Not reached: `free` holds places only.
            return Err(slot);
        };
        *place = Some(Flight {
            lent: Lent::new(slot),
            ticket,
            taken: 0,
            copied: 0,
            open: 0,
            is_whole: false,
            is_doubtful: false,
        });
        Ok(index)
    }

    pub(super) fn get(&self, place: usize) -> Option<&Flight> {
        self.places.get(place)?.as_ref()
    }

    pub(super) fn get_mut(&mut self, place: usize) -> Option<&mut Flight> {
        self.places.get_mut(place)?.as_mut()
    }

    /// Takes a flight out, if the kernel does not read its memory.
    pub(super) fn land(&mut self, place: usize) -> Option<Landed> {
        let flight = self
            .places
            .get_mut(place)?
            .take_if(|flight| flight.open == 0)?;
        self.free.push(place);
        let usage = match (flight.taken, flight.copied) {
            (0, _) => Usage::NotSent,
            (_, 0) => Usage::ZeroCopied,
            _ => Usage::Copied,
        };
        Some(Landed {
            slot: flight.lent.take_back(),
            ticket: flight.ticket,
            bytes: flight.taken,
            usage,
        })
    }

    /// Ends all flights. A slot the kernel may read is freed with fresh pages, or leaked.
    pub(super) fn abandon(&mut self) -> Abandoned {
        let mut abandoned = Abandoned::default();
        for (index, place) in self.places.iter_mut().enumerate() {
            let Some(flight) = place.take() else {
                continue;
            };
            self.free.push(index);
            let is_read = flight.is_in_kernel();
            #[cfg(test)]
            let is_read = is_read && !seeded(Defect::FreeAtClose);
            if is_read {
                let is_free = flight.lent.leave_pages();
                abandoned.renewed += usize::from(is_free);
                abandoned.leaked += usize::from(!is_free);
            } else {
                drop(flight.lent.take_back());
            }
        }
        abandoned
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Flight> {
        self.places.iter().flatten()
    }

    pub(super) fn len(&self) -> usize {
        self.places.len() - self.free.len()
    }

    pub(super) fn is_full(&self) -> bool {
        self.free.is_empty()
    }
}

impl Flight {
    /// What the socket has not taken.
    pub(super) fn left(&self) -> &[u8] {
        self.lent.bytes().get(self.taken..).unwrap_or_default()
    }

    /// Whether the kernel may read its memory.
    pub(super) fn is_in_kernel(&self) -> bool {
        self.open > 0
    }
}

/// What became of the slots the kernel may still read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Abandoned {
    /// Free again, with fresh pages.
    pub(crate) renewed: usize,
    pub(crate) leaked: usize,
}
