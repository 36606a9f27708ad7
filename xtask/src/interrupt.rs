//! Ctrl-C and SIGTERM: what is under way ends, guests and half-made files are cleaned up.

use anyhow::{Context, Result, bail};
use std::sync::atomic::{AtomicBool, Ordering};

static SEEN: AtomicBool = AtomicBool::new(false);

/// Listens for them. The first one only sets a flag; the second ends this program at once.
pub(crate) fn listen() -> Result<()> {
    ctrlc::set_handler(|| {
        if SEEN.swap(true, Ordering::Relaxed) {
            std::process::exit(130);
        }
    })
    .context("cannot listen for Ctrl-C")
}

/// Fails if one was seen.
pub(crate) fn check() -> Result<()> {
    if seen() {
        bail!("interrupted");
    }
    Ok(())
}

/// Whether one was seen.
pub(crate) fn seen() -> bool {
    SEEN.load(Ordering::Relaxed)
}
