//! Where memory goes in tests that look for who still uses it.

use std::cell::RefCell;
use std::ffi::c_void;
use std::ptr::NonNull;

use nix::sys::mman::{self, ProtFlags};

/// A mapping that was made since there is a graveyard.
#[derive(Clone, Copy, Debug)]
struct Mapping {
    start: NonNull<c_void>,
    len: usize,
    is_gone: bool,
}

thread_local! {
    static MAPPINGS: RefCell<Option<Vec<Mapping>>> = const { RefCell::new(None) };
}

/// While it lives, what this thread unmaps keeps its addresses, without access: they cannot become
/// somebody else's, and who still uses them is found out.
///
/// When it is dropped, all that was mapped meanwhile is unmapped, also what was leaked: thousands of
/// tests that leak on purpose would run out of mappings.
#[derive(Debug)]
pub(crate) struct Graveyard(());

impl Graveyard {
    pub(crate) fn new() -> Self {
        MAPPINGS.set(Some(Vec::new()));
        Graveyard(())
    }
}

impl Drop for Graveyard {
    fn drop(&mut self) {
        for mapping in MAPPINGS.take().into_iter().flatten() {
            // SAFETY: a whole mapping, left here by its owner, or by one that was leaked.
            let _ = unsafe { mman::munmap(mapping.start, mapping.len) };
        }
    }
}

/// Whether this thread has one.
pub(super) fn is_there() -> bool {
    MAPPINGS.with_borrow(|mappings| mappings.is_some())
}

/// Notes a mapping.
pub(super) fn mapped(start: NonNull<u8>, len: usize) {
    MAPPINGS.with_borrow_mut(|mappings| {
        if let Some(mappings) = mappings {
            let start = start.cast();
            let is_gone = false;
            mappings.push(Mapping {
                start,
                len,
                is_gone,
            });
        }
    });
}

/// Takes the access from a mapping instead of unmapping it; `false` if it was not made since there is
/// a graveyard.
///
/// # Safety
/// A whole mapping of the caller's, who does not use it any more and, if the result is `true`, leaves
/// it to the graveyard.
pub(super) unsafe fn bury(start: NonNull<u8>) -> bool {
    MAPPINGS.with_borrow_mut(|mappings| {
        let start = start.cast();
        let mut all = mappings.iter_mut().flatten();
        let Some(mapping) = all.find(|mapping| mapping.start == start) else {
            return false;
        };
        mapping.is_gone = true;
        // SAFETY: the caller's promise.
        unsafe { mman::mprotect(start, mapping.len, ProtFlags::PROT_NONE) }.unwrap();
        true
    })
}

/// Whether this address was unmapped since there is a graveyard.
pub(super) fn is_gone(address: u64) -> bool {
    MAPPINGS.with_borrow(|mappings| {
        let mut gone = mappings.iter().flatten().filter(|mapping| mapping.is_gone);
        gone.any(|mapping| {
            let start = mapping.start.addr().get() as u64;
            (start..start + mapping.len as u64).contains(&address)
        })
    })
}
