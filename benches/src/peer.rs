//! A pair of programs, server and client, on this machine.

use std::ffi::OsString;
use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};

use crate::running::Running;

/// How long a program may take to start.
const START: Duration = Duration::from_secs(20);

/// A program that is server and client, after the manner of rdma-core's ping-pongs.
#[derive(Clone, Debug)]
pub(crate) struct Peer {
    pub(crate) program: PathBuf,
    /// What both sides get.
    pub(crate) arguments: Vec<OsString>,
    /// What the client gets in the end.
    pub(crate) address: String,
    pub(crate) tcp_port: u16,
}

impl Peer {
    /// Runs both sides, and returns what the client printed. `wrap` is put before the program, for
    /// the server and for the client.
    pub(crate) fn run(&self, wrap: [&[OsString]; 2]) -> Result<String> {
        let [server_wrap, client_wrap] = wrap;
        let mut server = self.start(server_wrap, None)?;
        // Both kinds of client get the same start: a server that listens already.
        wait_for_listener(self.tcp_port, &mut server)?;
        let client = self.start(client_wrap, Some(&self.address))?;
        let said = client.finish().context("the client")?;
        server.finish().context("the server")?;
        Ok(said)
    }

    fn start(&self, wrap: &[OsString], address: Option<&str>) -> Result<Running> {
        let mut words = wrap
            .iter()
            .cloned()
            .chain([self.program.clone().into_os_string()]);
        let first = words.next().context("no program")?;
        let port = self.tcp_port.to_string();
        let mut command = Command::new(&first);
        command
            .args(words)
            .args(["-p", &port])
            .args(&self.arguments)
            .args(address);
        Running::start(&mut command)
    }
}

/// Waits until a TCP socket listens on the port, without connecting to it.
fn wait_for_listener(port: u16, server: &mut Running) -> Result<()> {
    let start = Instant::now();
    while !listens(port)? {
        ensure!(start.elapsed() < START, "nobody listens on TCP port {port}");
        server.check().context("the server does not listen")?;
        thread::sleep(Duration::from_millis(5));
    }
    Ok(())
}

fn listens(port: u16) -> Result<bool> {
    for table in ["/proc/net/tcp", "/proc/net/tcp6"] {
        // The second is missing where there is no IPv6.
        let text = fs::read_to_string(table).unwrap_or_default();
        if text.lines().any(|line| is_listener(line, port)) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Whether a line of `/proc/net/tcp` is of a socket listening on the port: `sl local remote state
/// …`.
fn is_listener(line: &str, port: u16) -> bool {
    let mut fields = line.split_whitespace().skip(1);
    let (local, _, state) = (fields.next(), fields.next(), fields.next());
    let suffix = format!(":{port:04X}");
    local.is_some_and(|local| local.ends_with(&suffix)) && state == Some("0A")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listener_is_told_from_a_connection() {
        let line = "   0: 00000000:4853 00000000:0000 0A 00000000:00000000 00:00000000 00000000";
        assert!(is_listener(line, 18515));
        assert!(!is_listener(line, 18516));
        assert!(!is_listener(&line.replace("0A", "01"), 18515));
        assert!(!is_listener("  sl  local_address rem_address   st", 18515));
    }
}
