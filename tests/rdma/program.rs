//! A program of either side.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread::{self, JoinHandle};

use super::PATIENCE;

/// A program and its arguments.
pub(crate) struct Program(Command);

/// One that runs. It is killed when dropped.
pub(crate) struct Running {
    child: Child,
    lines: Receiver<String>,
    readers: Vec<JoinHandle<()>>,
    said: Vec<String>,
}

impl Program {
    pub(crate) fn new(path: impl AsRef<OsStr>) -> Self {
        Program(Command::new(path))
    }

    /// Adds arguments, with blanks between them.
    pub(crate) fn words(mut self, words: &str) -> Self {
        self.0.args(words.split_whitespace());
        self
    }

    pub(crate) fn start(mut self) -> Running {
        let command = self.0.stdin(Stdio::null());
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let (sender, lines) = channel();
        let (output, errors) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
        let also = sender.clone();
        let readers = vec![
            thread::spawn(move || {
                for line in BufReader::new(output).lines().map_while(Result::ok) {
                    let _ = sender.send(line);
                }
            }),
            thread::spawn(move || {
                for line in BufReader::new(errors).lines().map_while(Result::ok) {
                    let _ = also.send(line);
                }
            }),
        ];
        Running {
            child,
            lines,
            readers,
            said: Vec::new(),
        }
    }
}

impl Running {
    /// Waits for a line, of its output or its errors, that has this in it.
    pub(crate) fn says(&mut self, text: &str) -> String {
        loop {
            let line = self.lines.recv_timeout(PATIENCE);
            let line = line.unwrap_or_else(|_| panic!("{text:?} is not in {:?}", self.said));
            let found = line.contains(text);
            self.said.push(line.clone());
            if found {
                return line;
            }
        }
    }

    /// All it says, once it has ended well.
    pub(crate) fn succeeds(self) -> String {
        let (code, said) = self.ends();
        assert_eq!(code, Some(0), "{said}");
        said
    }

    /// All it says, once it has ended with this code.
    pub(crate) fn fails(self, wanted: i32) -> String {
        let (code, said) = self.ends();
        assert_eq!(code, Some(wanted), "{said}");
        said
    }

    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
    }

    /// Sends it what Ctrl-C on a terminal does.
    pub(crate) fn interrupt(&self) {
        let pid = i32::try_from(self.child.id()).unwrap();
        let pid = nix::unistd::Pid::from_raw(pid);
        nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGINT).unwrap();
    }

    /// How it has ended, and all it says.
    pub(crate) fn ends(mut self) -> (Option<i32>, String) {
        // Its lines end when it does; the test's own deadline bounds that.
        while let Ok(line) = self.lines.recv() {
            self.said.push(line);
        }
        let status = self.child.wait().unwrap();
        (status.code(), self.said.join("\n"))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        for reader in self.readers.drain(..) {
            let _ = reader.join();
        }
    }
}
