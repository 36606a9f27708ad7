use std::ffi::OsStr;
use std::net::{Ipv4Addr, SocketAddr};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result};
use netprims::socket::TcpBuilder;
use netprims::tuning::{Tcp, Tuning};
use nix::time::{ClockId, clock_gettime};
use nix::unistd::Pid;

use super::CONNECTIONS;
use super::load::Load;
use crate::cpus;
use crate::running::Running;

/// Accepted sockets inherit it, so that every server has it.
const TUNING: Tuning<Tcp> = Tuning::tcp().nodelay(true);

/// An echo server with its connections.
pub(super) struct Server {
    process: Running,
    pid: Pid,
    clock: ClockId,
    load: Load,
}

impl Server {
    /// Starts a server on a processor and connects to it. The server gets the listener as its standard input and ends when
    /// its connections have ended.
    pub(super) fn start(words: &[impl AsRef<OsStr>], cpu: usize) -> Result<Self> {
        let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let (listener, _) = TcpBuilder::new().tuning(TUNING).listen(any)?;
        let address = listener.local_addr()?;
        let (program, arguments) = words.split_first().context("no program")?;
        let mut command = Command::new(program);
        command.args(arguments).arg(CONNECTIONS.to_string());
        let process =
            Running::start(command.stdin(Stdio::from(std::os::fd::OwnedFd::from(listener))))?;
        let pid = Pid::from_raw(i32::try_from(process.id())?);
        cpus::pin(pid, cpu)?;
        Ok(Server {
            process,
            pid,
            clock: ClockId::pid_cpu_clock_id(pid).context("cannot find the server's clock")?,
            load: Load::connect(address)?,
        })
    }

    /// Has this many requests answered.
    pub(super) fn serve(&mut self, requests: u32) -> Result<()> {
        let served = self.load.run(requests);
        if served.is_err() {
            self.process.check().context("the server")?;
        }
        served
    }

    /// How much processor time it has used, with all its threads and what the kernel did on their behalf.
    pub(super) fn cpu_time(&self) -> Result<Duration> {
        let time =
            clock_gettime(self.clock).with_context(|| format!("the clock of {}", self.pid))?;
        Ok(time.into())
    }

    /// Ends the connections and waits for the server's end.
    pub(super) fn finish(self) -> Result<String> {
        drop(self.load);
        self.process.finish().context("the server")
    }
}
