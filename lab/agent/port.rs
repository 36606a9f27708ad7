//! The serial ports that lead to the host.

use anyhow::{Context, Result};
use lab::Event;
use std::fs::{self, File, OpenOptions};
use std::io::Write;

/// Opens the virtio serial port the host gave this name.
pub(crate) fn open(name: &str) -> Result<File> {
    let folder = "/sys/class/virtio-ports";
    for entry in fs::read_dir(folder).with_context(|| format!("list {folder}"))? {
        let entry = entry?;
        let found = fs::read_to_string(entry.path().join("name")).unwrap_or_default();
        if found.trim() == name {
            let path = format!("/dev/{}", entry.file_name().to_string_lossy());
            return OpenOptions::new()
                .read(true)
                .write(true)
                .open(&path)
                .with_context(|| format!("open {path} ({name})"));
        }
    }
    anyhow::bail!("no serial port named {name}")
}

/// The port events go out on.
pub(crate) struct EventPort(File);

impl EventPort {
    pub(crate) fn open() -> Result<EventPort> {
        open("lab.events").map(EventPort)
    }

    /// Sends one event. A host that no longer listens is about to end this machine anyway.
    pub(crate) fn send(&mut self, event: &Event) {
        if let Ok(mut line) = serde_json::to_vec(event) {
            line.push(b'\n');
            if let Err(error) = self.0.write_all(&line) {
                eprintln!("lab: cannot tell the host: {error}");
            }
        }
    }
}
