use std::io;

use super::Engine;
use crate::sys::memory::{Home, Mapping, Pool, Shape};
use crate::sys::uring::kernel::Kernel;
use crate::sys::uring::live::{BUFFERS, Refused};

impl<K: Kernel> Engine<K> {
    /// Maps a pool and registers it as one fixed buffer. `None` if every number for a fixed buffer is taken.
    pub(crate) fn pool(&mut self, shape: Shape) -> Result<Option<Pool>, Refused> {
        let mapping = Mapping::anonymous(shape.bytes()).map_err(Refused::by_mmap)?;
        self.pool_in(mapping, shape)
    }

    /// The same in memory that is mapped already.
    pub(in crate::sys::uring) fn pool_in(
        &mut self,
        mapping: Mapping,
        shape: Shape,
    ) -> Result<Option<Pool>, Refused> {
        self.unregister_dead_pools().map_err(Refused::by_register)?;
        let free = self
            .pools
            .iter()
            .position(Option::is_none)
            .unwrap_or(self.pools.len());
        let Some(buffer) = u16::try_from(free).ok().filter(|buffer| *buffer < BUFFERS) else {
            return Ok(None);
        };
        // SAFETY: the range is exactly one mapping, readable and writable, whose bytes are used by its slots and by
        // requests of this engine only.
        unsafe {
            self.kernel
                .register(buffer, mapping.base().as_ptr(), mapping.len())
        }
        .map_err(Refused::by_register)?;
        let engine = self.id;
        let pool = Pool::new(mapping, shape, Some(Home { engine, buffer }));
        let weak = Some(pool.downgrade());
        match self.pools.get_mut(free) {
            Some(place) => *place = weak,
            None => self.pools.push(weak),
        }
        Ok(Some(pool))
    }

    /// Unpins what no pool uses any more. To be done before memory is pinned: the kernel counts the new memory before it
    /// lets go of what its number stood for.
    fn unregister_dead_pools(&mut self) -> io::Result<()> {
        for (buffer, place) in (0..).zip(&mut self.pools) {
            if place.as_ref().is_some_and(|pool| !pool.in_use()) {
                self.kernel.unregister(buffer)?;
                *place = None;
            }
        }
        Ok(())
    }
}
