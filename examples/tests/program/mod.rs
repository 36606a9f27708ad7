//! An example, running.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

/// How long nothing may happen before that is a failure.
const PATIENCE: Duration = Duration::from_secs(60);

/// A process that is killed when the test is done with it.
pub(crate) struct Program {
    child: Child,
    lines: Receiver<String>,
}

impl Program {
    /// Starts it with its output piped; its errors go to the test's.
    pub(crate) fn start(path: &str, arguments: &[&str]) -> Self {
        let mut child = Command::new(path)
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{path}: {error}"));
        let output = child.stdout.take().expect("its output is piped");
        let (sender, lines) = channel();
        thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        Self { child, lines }
    }

    /// As `start`, with so many descriptors; what it prints as errors is among its lines.
    #[allow(dead_code, reason = "not every test file that shares this asks for it")]
    pub(crate) fn start_with(descriptors: u32, path: &str, arguments: &[&str]) -> Self {
        let line = format!("exec 2>&1; ulimit -n {descriptors}; exec \"$0\" \"$@\"");
        Self::start("sh", &[&["-c", &line, path], arguments].concat())
    }

    /// Reads until a line that has this in it.
    #[allow(dead_code, reason = "not every test file that shares this asks for it")]
    pub(crate) fn says(&self, text: &str) -> String {
        let mut lines = std::iter::from_fn(|| self.line());
        let line = lines.find(|line| line.contains(text));
        line.unwrap_or_else(|| panic!("it never said {text:?}"))
    }

    /// The address of its first line, `listening on ADDRESS`.
    pub(crate) fn address(&self) -> SocketAddr {
        let line = self.line().expect("it ended");
        let address = line.strip_prefix("listening on ");
        address.unwrap_or(&line).parse().expect(&line)
    }

    /// The next line it prints; `None` at its end.
    pub(crate) fn line(&self) -> Option<String> {
        match self.lines.recv_timeout(PATIENCE) {
            Ok(line) => Some(line),
            Err(RecvTimeoutError::Disconnected) => None,
            Err(RecvTimeoutError::Timeout) => panic!("it says nothing"),
        }
    }

    /// The rest of what it prints, and how it ended.
    pub(crate) fn end(mut self) -> (Vec<String>, ExitStatus) {
        let lines = std::iter::from_fn(|| self.line()).collect();
        let patience = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().expect("waitpid") {
                return (lines, status);
            }
            assert!(Instant::now() < patience, "it does not end");
            thread::sleep(Duration::from_millis(5));
        }
    }
}

/// More connections than there are descriptors for: all are served in the end, by a program that had few.
#[allow(dead_code, reason = "not every test file that shares this asks for it")]
pub(crate) fn outlives_a_lack_of_descriptors(path: &str, arguments: &[&str]) {
    const CONNECTIONS: u8 = 20;
    let count = CONNECTIONS.to_string();
    let program = Program::start_with(10, path, &[arguments, &["--connections", &count]].concat());
    let at = program.address();
    let streams: Vec<_> = (0..CONNECTIONS)
        .map(|number| {
            let mut stream = TcpStream::connect(at).expect("connect");
            stream.set_read_timeout(Some(PATIENCE)).expect("a time");
            stream.write_all(&[number]).expect("write");
            (number, stream)
        })
        .collect();
    program.says("Too many open files");
    for (number, mut stream) in streams {
        stream.shutdown(Shutdown::Write).expect("shutdown");
        let mut back = Vec::new();
        stream.read_to_end(&mut back).expect("read");
        assert_eq!(back, [number]);
    }
    let (lines, status) = program.end();
    assert!(status.success(), "{lines:?}");
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
