//! Memory, past all owners.

use std::fs::File;
use std::os::unix::fs::FileExt;

use netprims_rdma::{Buf, Mr};

/// What overwrites memory that nobody holds.
const SCRIBBLE: u8 = 0xee;

/// The slots of a region, by their addresses: read and written through `/proc/self/mem`, which no
/// reference of this program covers, and which says EIO where nothing is mapped.
pub(super) struct Watched {
    memory: File,
    slots: Vec<(u64, usize)>,
}

impl Watched {
    /// Of a region whose slots are all free.
    pub(super) fn new(region: &Mr) -> Self {
        let memory = File::options()
            .read(true)
            .write(true)
            .open("/proc/self/mem");
        let mut watched = Watched {
            memory: memory.unwrap(),
            slots: Vec::new(),
        };
        let all: Vec<Buf> = std::iter::from_fn(|| region.take()).collect();
        watched.slots = all.iter().map(place).collect();
        watched
    }

    /// Overwrites what nobody holds: what `region` can give. The second is how many that are.
    pub(super) fn overwrite_free(&self, region: &Mr) -> Vec<(u64, usize)> {
        let free: Vec<Buf> = std::iter::from_fn(|| region.take()).collect();
        let places: Vec<_> = free.iter().map(place).collect();
        drop(free);
        for (address, len) in &places {
            assert!(self.slots.contains(&(*address, *len)));
            let bytes = vec![SCRIBBLE; *len];
            self.memory.write_all_at(&bytes, *address).unwrap();
        }
        places
    }

    /// Those that somebody has written to since, or that are not mapped any more.
    pub(super) fn changed(&self, places: &[(u64, usize)]) -> Vec<u64> {
        let is_changed = |(address, len): &&(u64, usize)| {
            let mut bytes = vec![0; *len];
            let read = self.memory.read_exact_at(&mut bytes, *address);
            read.is_err() || bytes.iter().any(|byte| *byte != SCRIBBLE)
        };
        let changed = places.iter().filter(is_changed);
        changed.map(|(address, _)| *address).collect()
    }
}

fn place(buf: &Buf) -> (u64, usize) {
    (buf.as_ptr().addr() as u64, buf.capacity())
}
