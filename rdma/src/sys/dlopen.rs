//! The library's functions, found at run time.

use std::ffi::{CStr, c_void};
use std::ptr::NonNull;

#[cfg(not(feature = "link"))]
use libloading::os::unix::{Library, RTLD_LOCAL, RTLD_NOW};

#[cfg(not(feature = "link"))]
use super::functions::Functions;
use super::functions::NewerFunctions;
use super::libibverbs::LoadError;

/// The file that the dynamic linker is asked for.
#[cfg(not(feature = "link"))]
const SONAME: &str = "libibverbs.so.1";

/// Loads the library and looks up its functions.
#[cfg(not(feature = "link"))]
pub(super) fn functions() -> Result<(Functions, NewerFunctions), LoadError> {
    // SAFETY: loading runs the library's initialisers. Those of rdma-core's libibverbs set up
    // tables and environment switches of the library only and ask nothing of the caller.
    let library = unsafe { Library::open(Some(SONAME), RTLD_NOW | RTLD_LOCAL) }
        .map_err(|error| LoadError::Missing(error.to_string()))?;
    // Never closed: providers keep threads and fork handlers that would run unmapped code.
    let symbols = Symbols {
        handle: library.into_raw(),
    };
    // SAFETY: the symbols are those of libibverbs, by name and version.
    let functions = unsafe { Functions::find_all(|name, version| symbols.find(name, version)) }?;
    // SAFETY: as above.
    let newer = unsafe { NewerFunctions::find_all(|name, version| symbols.find(name, version)) };
    Ok((functions, newer))
}

/// Those that the library may lack with which the program is linked, which would not start if it were linked with them.
#[cfg(feature = "link")]
pub(super) fn newer_functions() -> NewerFunctions {
    let symbols = Symbols {
        handle: libc::RTLD_DEFAULT,
    };
    // SAFETY: the program is linked with libibverbs, and nothing else has symbols of these names and versions.
    unsafe { NewerFunctions::find_all(|name, version| symbols.find(name, version)) }
}

/// # Invariants
///
/// `handle` is a handle of `dlopen` that is never closed, or stands for all that the program is linked with.
struct Symbols {
    handle: *mut c_void,
}

impl Symbols {
    /// The function under exactly this symbol version, so that a later default with another
    /// signature is not taken for it. musl knows no symbol versions; there the default is asked
    /// for.
    fn find(
        &self,
        name: &'static CStr,
        version: &'static CStr,
    ) -> Result<NonNull<c_void>, LoadError> {
        #[cfg(target_env = "gnu")]
        // SAFETY: the handle is open (invariant) and both strings end with NUL (`CStr`).
        let address = unsafe { libc::dlvsym(self.handle, name.as_ptr(), version.as_ptr()) };
        #[cfg(not(target_env = "gnu"))]
        let address = {
            let _ = version;
            // SAFETY: as above.
            unsafe { libc::dlsym(self.handle, name.as_ptr()) }
        };
        NonNull::new(address).ok_or(LoadError::Symbol(name.to_str().unwrap_or("a symbol")))
    }
}
