//! A program that was started.

use std::io::Read as _;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};

/// How long a program may take to end.
const END: Duration = Duration::from_secs(120);

/// A running program; killed when dropped.
pub(crate) struct Running(Child);

impl Running {
    /// Starts it; what it prints is kept.
    pub(crate) fn start(command: &mut Command) -> Result<Self> {
        let name = command.get_program().to_string_lossy().into_owned();
        let child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn();
        Ok(Running(child.with_context(|| format!("starting {name}"))?))
    }

    /// Its process.
    pub(crate) fn id(&self) -> u32 {
        self.0.id()
    }

    /// Fails if it has ended.
    pub(crate) fn check(&mut self) -> Result<()> {
        match self.0.try_wait()? {
            Some(status) => {
                let mut errors = String::new();
                let stderr = self.0.stderr.as_mut().context("no errors")?;
                stderr.read_to_string(&mut errors)?;
                bail!("it ended early: {status}: {}", errors.trim())
            }
            None => Ok(()),
        }
    }

    /// Waits for its end and returns what it printed; fails if it failed.
    pub(crate) fn finish(mut self) -> Result<String> {
        let start = Instant::now();
        // What these programs print fits a pipe, so nobody need read before the end.
        let status = loop {
            match self.0.try_wait()? {
                Some(status) => break status,
                None if start.elapsed() > END => bail!("not done after {} s", END.as_secs()),
                None => thread::sleep(Duration::from_millis(5)),
            }
        };
        let (mut said, mut errors) = (String::new(), String::new());
        self.0
            .stdout
            .take()
            .context("no output")?
            .read_to_string(&mut said)?;
        self.0
            .stderr
            .take()
            .context("no errors")?
            .read_to_string(&mut errors)?;
        ensure!(status.success(), "{status}: {said}{errors}");
        Ok(said)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
