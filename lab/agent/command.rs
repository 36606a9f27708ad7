//! Commands: one for the host's `lab run`, or a shell for its `lab shell`.

use crate::klog::KernelLog;
use crate::port;
use anyhow::{Context, Result};
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// Runs one command with its output streamed to the host; returns its exit code.
pub(crate) fn run(
    argv: &[String],
    cwd: &Path,
    deadline_s: u64,
    log: &mut KernelLog,
    fatal: &[String],
) -> Result<i32> {
    let stdout = port::open("lab.stdout")?;
    let mut stderr = port::open("lab.stderr")?;
    let program = argv.first().context("no command given")?;
    let started = Command::new(program)
        .args(&argv[1..])
        .current_dir(cwd)
        .stdin(Stdio::null())
        .stdout(stdout)
        .stderr(stderr.try_clone().context("share the error port")?)
        .process_group(0)
        .spawn();
    let mut child = match started {
        Ok(child) => child,
        Err(error) => {
            let _ = writeln!(stderr, "lab: cannot run {program}: {error}");
            return Ok(127);
        }
    };
    let end = Instant::now() + Duration::from_secs(deadline_s);
    let group = Group::of(&child)?;
    let waited = wait(&mut child, || end);
    group.kill();
    let code = match waited {
        Waited::Ended(status) => exit_code(status),
        Waited::Killed | Waited::Stuck => {
            let _ = writeln!(
                stderr,
                "lab: {program} ran over its {deadline_s} s and was killed"
            );
            124
        }
    };
    for line in log.fatal_lines(fatal) {
        let _ = writeln!(stderr, "lab: kernel log: {line}");
    }
    Ok(code)
}

/// Gives the host's terminal a shell.
pub(crate) fn shell(cwd: &Path) -> Result<i32> {
    let console = OpenOptions::new()
        .read(true)
        .write(true)
        .open("/dev/hvc0")
        .context("open the console")?;
    let share = || console.try_clone().context("share the console");
    let status = Command::new("setsid")
        .args(["--ctty", "--wait", "bash", "--norc", "-i"])
        .env("PS1", "lab:\\w# ")
        .current_dir(cwd)
        .stdin(share()?)
        .stdout(share()?)
        .stderr(share()?)
        .status()
        .context("start a shell")?;
    Ok(exit_code(status))
}

/// The group of a process that was started as its leader.
pub(crate) struct Group(Pid);

impl Group {
    /// Of a leader.
    pub(crate) fn of(leader: &Child) -> Result<Group> {
        let id = i32::try_from(leader.id()).context("a process has an id that none can have")?;
        Ok(Group(Pid::from_raw(id)))
    }

    /// The leader's process id.
    pub(crate) fn leader(&self) -> Pid {
        self.0
    }

    /// Kills what lives of it.
    pub(crate) fn kill(&self) {
        let _ = killpg(self.0, Signal::SIGKILL);
    }
}

/// How waiting for a process group's leader ended.
pub(crate) enum Waited {
    /// By itself.
    Ended(ExitStatus),
    /// It ran over its time and was killed.
    Killed,
    /// It ran over its time and did not die: it hangs in the kernel.
    Stuck,
}

/// Waits for the leader of a process group. `end` is asked again and again until when it may run;
/// then the group is killed. What outlives a leader that ended by itself is the caller's to look at.
pub(crate) fn wait(child: &mut Child, end: impl FnMut() -> Instant) -> Waited {
    if let Some(status) = wait_until(child, end) {
        return Waited::Ended(status);
    }
    if let Ok(group) = Group::of(child) {
        group.kill();
    }
    let last = Instant::now() + Duration::from_secs(5);
    match wait_until(child, || last) {
        Some(_) => Waited::Killed,
        None => Waited::Stuck,
    }
}

fn wait_until(child: &mut Child, mut end: impl FnMut() -> Instant) -> Option<ExitStatus> {
    loop {
        if let Ok(Some(status)) = child.try_wait() {
            return Some(status);
        }
        if Instant::now() >= end() {
            return None;
        }
        thread::sleep(Duration::from_millis(10));
    }
}

/// As a shell reports it: 128 plus the signal's number for a process a signal killed.
pub(crate) fn exit_code(status: ExitStatus) -> i32 {
    status
        .code()
        .unwrap_or_else(|| 128 + status.signal().unwrap_or(0))
}
