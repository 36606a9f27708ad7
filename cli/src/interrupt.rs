//! Ctrl-C.

use std::fmt;
use std::process;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context as _, Result};

/// Whether it was pressed.
static PRESSED: AtomicBool = AtomicBool::new(false);

/// Has Ctrl-C end what is under way in an orderly manner. Pressed again, it ends the process at once.
pub(crate) fn watch() -> Result<&'static AtomicBool> {
    ctrlc::set_handler(|| {
        if PRESSED.swap(true, Ordering::Relaxed) {
            process::exit(130);
        }
    })
    .context("watching for Ctrl-C")?;
    Ok(&PRESSED)
}

/// What [`watch`] returned.
pub(crate) fn watched() -> &'static AtomicBool {
    &PRESSED
}

/// An error if it was pressed.
pub(crate) fn check() -> Result<()> {
    match PRESSED.load(Ordering::Relaxed) {
        true => Err(Interrupted.into()),
        false => Ok(()),
    }
}

/// It was pressed.
#[derive(Debug)]
pub(crate) struct Interrupted;

impl fmt::Display for Interrupted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("interrupted")
    }
}

impl std::error::Error for Interrupted {}
