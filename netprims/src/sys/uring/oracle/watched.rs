use std::fs::File;
use std::io::Read;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::ptr::NonNull;

use nix::sys::memfd::{MFdFlags, memfd_create};
use nix::sys::mman::{ProtFlags, mprotect, munmap};

use super::SCRIBBLE;
use crate::sys::memory::{Mapping, Shape, Slot, WeakPool};

/// Memory of a pool, seen through the file it lies on.
pub(super) struct Watched {
    file: File,
    shape: Shape,
    slots: u32,
    /// What overwrites a slot.
    scribble: Vec<u8>,
    base: NonNull<u8>,
    /// What was free when it was last looked at.
    free: Vec<u32>,
}

impl Watched {
    /// The memory, and its mapping for a pool. Slots are whole pages.
    pub(super) fn new(slots: u32, slot_len: u32) -> (Self, Mapping) {
        let file = File::from(memfd_create("oracle", MFdFlags::MFD_CLOEXEC).unwrap());
        let shape = Shape::new(slots, slot_len).unwrap();
        file.set_len(shape.bytes().get() as u64).unwrap();
        let mapping = Mapping::of_file(&file, shape.bytes()).unwrap();
        let watched = Self {
            file,
            shape,
            slots,
            base: mapping.base(),
            scribble: vec![SCRIBBLE; usize::try_from(slot_len).unwrap()],
            free: Vec::new(),
        };
        (watched, mapping)
    }

    pub(super) fn shape(&self) -> Shape {
        self.shape
    }

    /// Overwrites what nobody owns, past everybody. Whoever still uses it by its address gets a fault besides.
    pub(super) fn overwrite_what_is_free(&mut self, spy: &WeakPool) {
        self.free.clear();
        let Some(pool) = spy.upgrade() else {
            self.free.extend(0..self.slots);
            self.free.iter().for_each(|place| self.overwrite(*place));
            return;
        };
        let most = usize::try_from(self.slots).unwrap();
        let mut free: Vec<Slot> = std::iter::from_fn(|| pool.take()).take(most).collect();
        for slot in &mut free {
            self.overwrite(slot.place());
            self.free.push(slot.place());
            self.forbid(slot);
        }
    }

    /// Overwrites everything but these slots: nobody may write it from now on.
    pub(super) fn overwrite_all_but(&mut self, kept: &[u32]) {
        self.free = (0..self.slots)
            .filter(|slot| !kept.contains(slot))
            .collect();
        self.free.iter().for_each(|place| self.overwrite(*place));
    }

    /// What is in a slot.
    pub(super) fn contents(&self, place: u32) -> Vec<u8> {
        let mut bytes = vec![0; self.scribble.len()];
        self.file.read_exact_at(&mut bytes, self.at(place)).unwrap();
        bytes
    }

    /// Overwrites a slot past its owner.
    pub(super) fn overwrite(&self, place: u32) {
        self.file
            .write_all_at(&self.scribble, self.at(place))
            .unwrap();
    }

    /// Nobody has written what is free.
    pub(super) fn assert_unspoiled(&self) {
        let spoiled = self.spoiled();
        assert!(spoiled.is_empty(), "{spoiled:?}: written where nobody may");
    }

    /// Slots that somebody has written, of those that were free when they were last looked at.
    fn spoiled(&self) -> Vec<u32> {
        let mut bytes = vec![0; self.scribble.len()];
        let mut is_spoiled = |place: &u32| {
            let read = self.file.read_exact_at(&mut bytes, self.at(*place));
            read.unwrap();
            bytes != self.scribble
        };
        let free = self.free.iter().copied();
        free.filter(|place| is_spoiled(place)).collect()
    }

    /// Bytes of the file that this process has mapped.
    pub(super) fn mapped(&self) -> usize {
        let inode = self.file.metadata().unwrap().ino().to_string();
        let mut maps = String::new();
        let mut file = File::open("/proc/self/maps").unwrap();
        file.read_to_string(&mut maps).unwrap();
        let ours = maps.lines().filter(|line| {
            let mut words = line.split_whitespace().skip(4);
            words.next() == Some(&inode) && words.next().is_some_and(|path| path.contains("memfd"))
        });
        ours.map(|line| {
            let (start, end) = line
                .split_whitespace()
                .next()
                .unwrap()
                .split_once('-')
                .unwrap();
            let number = |text| usize::from_str_radix(text, 16).unwrap();
            number(end) - number(start)
        })
        .sum()
    }

    /// All of the file's bytes.
    pub(super) fn bytes(&self) -> usize {
        self.shape.bytes().get()
    }

    /// Unmaps what was leaked or forgotten, once it has been judged: the memory of thousands of cells is more than a process
    /// has.
    pub(super) fn unmap_what_stays(self) {
        if self.mapped() > 0 {
            // SAFETY: the range is the mapping that this value was made with: that it is mapped was just asked. Its
            // owner was leaked or forgotten, or it would be unmapped: nobody uses it or unmaps it again.
            unsafe { munmap(self.base.cast(), self.bytes()) }.unwrap();
        }
    }

    /// Makes every access through a slot's address fail.
    pub(super) fn forbid(&self, slot: &mut Slot) {
        self.protect(slot, ProtFlags::PROT_NONE);
    }

    /// Takes that back.
    pub(super) fn allow(&self, slot: &mut Slot) {
        self.protect(slot, ProtFlags::PROT_READ | ProtFlags::PROT_WRITE);
    }

    fn protect(&self, slot: &mut Slot, access: ProtFlags) {
        let start = NonNull::new(slot.address().cast_mut()).unwrap().cast();
        // SAFETY: the range is the slot's whole pages (its length is a multiple of a page's), which stay mapped while
        // the slot is borrowed. No reference into it exists: it is borrowed exclusively.
        unsafe { mprotect(start, self.scribble.len(), access) }.unwrap();
    }

    fn at(&self, place: u32) -> u64 {
        u64::from(place) * self.scribble.len() as u64
    }
}
