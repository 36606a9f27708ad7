//! The serial ports that lead to the host.

use anyhow::{Context, Result};
use lab::{Event, HEARTBEAT};
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

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

/// The port events go out on, shared by whoever has some.
#[derive(Clone)]
pub(crate) struct EventPort(Arc<Mutex<File>>);

impl EventPort {
    pub(crate) fn open() -> Result<EventPort> {
        open("lab.events").map(EventPort::over)
    }

    fn over(file: File) -> EventPort {
        EventPort(Arc::new(Mutex::new(file)))
    }

    /// Sends one event. A host that no longer listens is about to end this machine anyway.
    pub(crate) fn send(&self, event: &Event) {
        if let Ok(mut line) = serde_json::to_vec(event) {
            line.push(b'\n');
            if let Err(error) = self.file().write_all(&line) {
                eprintln!("lab: cannot tell the host: {error}");
            }
        }
    }

    /// Gives signs of life from a thread of its own for as long as this program lives: the one that works may be held up
    /// by what it works on.
    pub(crate) fn keep_alive(&self) {
        let port = self.clone();
        thread::spawn(move || {
            loop {
                port.send(&Event::Alive);
                thread::sleep(HEARTBEAT);
            }
        });
    }

    fn file(&self) -> MutexGuard<'_, File> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{BufRead, BufReader};
    use std::os::fd::OwnedFd;
    use std::os::unix::net::UnixStream;

    #[test]
    fn signs_of_life_go_on_beside_other_events_and_cut_none() {
        let (guest, host) = UnixStream::pair().unwrap();
        let port = EventPort::over(File::from(OwnedFd::from(guest)));
        port.keep_alive();
        let long = Event::Broken {
            why: "x".repeat(1000),
        };
        let busy = thread::spawn(move || (0..1000).for_each(|_| port.send(&long)));
        let (mut alive, mut others) = (0, 0);
        for line in BufReader::new(host).lines() {
            match serde_json::from_str(&line.unwrap()).unwrap() {
                Event::Alive => alive += 1,
                _ => others += 1,
            }
            if alive >= 2 && others == 1000 {
                return busy.join().unwrap();
            }
        }
        panic!("it ended");
    }
}
