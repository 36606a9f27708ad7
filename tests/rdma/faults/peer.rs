//! A second process, which runs the same test in another part.

use std::env;
use std::io::{self, BufRead, BufReader, Write};
use std::process::{Child, ChildStdout, Command, Stdio};

use lab_tests::Lab;
use netprims_rdma::{Context, Device};

/// Set in the second process.
const PART: &str = "NETPRIMS_PEER";
/// What its lines begin with: the test's own harness prints others.
const MARK: &str = "peer:";

/// The second process, as the first one sees it. It is killed when dropped.
pub(super) struct Peer {
    child: Child,
    said: BufReader<ChildStdout>,
}

impl Peer {
    /// Starts the test once more, there as the peer.
    pub(super) fn start(lab: &Lab, test: &str) -> Self {
        Peer::start_under(lab, &["env"], test)
    }

    /// The same, by a program that starts another one.
    pub(super) fn start_under(lab: &Lab, launcher: &[&str], test: &str) -> Self {
        let mut command = Command::new(launcher[0]);
        command.args(&launcher[1..]);
        command.arg(lab.this_test());
        command.args(["--exact", test, "--nocapture", "--test-threads=1"]);
        command.env(PART, test);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let said = BufReader::new(child.stdout.take().unwrap());
        Peer { child, said }
    }

    pub(super) fn tell(&mut self, numbers: &[u64]) {
        let pipe = self.child.stdin.as_mut().unwrap();
        writeln!(pipe, "{}", line(numbers)).unwrap();
    }

    pub(super) fn hear(&mut self) -> Vec<u64> {
        let mut line = String::new();
        loop {
            line.clear();
            let len = self.said.read_line(&mut line).unwrap();
            assert!(len > 0, "the peer has ended");
            if let Some((_, said)) = line.split_once(MARK) {
                return numbers(said);
            }
        }
    }

    pub(super) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Waits until it has done its part, and is gone.
    pub(super) fn finish(mut self) {
        drop(self.child.stdin.take());
        let status = self.child.wait().unwrap();
        assert!(status.success(), "the peer: {status}");
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The first process, as the second one sees it.
pub(super) struct Parent(());

impl Parent {
    /// `Some` in the second process.
    pub(super) fn of(test: &str) -> Option<Parent> {
        (env::var(PART).ok()? == test).then_some(Parent(()))
    }

    pub(super) fn tell(&self, numbers: &[u64]) {
        println!("\n{MARK}{}", line(numbers));
    }

    /// `None` when it has no more to say.
    pub(super) fn hear(&self) -> Option<Vec<u64>> {
        let mut line = String::new();
        let len = io::stdin().read_line(&mut line).unwrap();
        (len > 0).then(|| numbers(&line))
    }
}

/// The device that the first process has made, in the second one.
pub(super) fn device() -> Context {
    Device::by_name("labrxe").unwrap().open().unwrap()
}

fn line(numbers: &[u64]) -> String {
    let words: Vec<String> = numbers.iter().map(u64::to_string).collect();
    words.join(" ")
}

fn numbers(line: &str) -> Vec<u64> {
    let words = line.split_whitespace();
    words.map(|word| word.parse().unwrap()).collect()
}
