//! The kernel's log, read from where it was left.

use anyhow::{Context, Result};
use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read};
use std::os::unix::fs::OpenOptionsExt;

/// A position in the kernel's log.
pub(crate) struct KernelLog(File);

impl KernelLog {
    /// Starts at the beginning: what the kernel said while it booted counts too.
    pub(crate) fn open() -> Result<KernelLog> {
        let file = OpenOptions::new()
            .read(true)
            .custom_flags(nix::fcntl::OFlag::O_NONBLOCK.bits())
            .open("/dev/kmsg")
            .context("open /dev/kmsg")?;
        Ok(KernelLog(file))
    }

    /// The lines since the last call that contain one of these fragments.
    pub(crate) fn fatal_lines(&mut self, fragments: &[String]) -> Vec<String> {
        let mut found = Vec::new();
        let mut record = vec![0; 8192];
        loop {
            match self.0.read(&mut record) {
                Ok(0) => break,
                Ok(n) => {
                    let text = String::from_utf8_lossy(&record[..n]);
                    let line = text.split_once(';').map_or(&*text, |(_, message)| message);
                    let line = line.lines().next().unwrap_or_default();
                    if fragments.iter().any(|f| line.contains(f.as_str())) {
                        found.push(line.to_owned());
                    }
                }
                Err(error) if error.kind() == ErrorKind::BrokenPipe => {
                    found.push("(part of the log was overwritten before it was read)".to_owned());
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => break,
            }
        }
        found
    }
}
