//! The tests any machine can run, under one deadline, with a sign of life now and then.

use crate::count::Count;
use crate::interrupt;
use crate::run;
use crate::suite;
use crate::ui;
use anyhow::{Context, Result, bail};
use lab::FULL_ENV;
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// How long all of them may take, reduced and at full volume. Building them does not count.
const DEADLINE: Duration = Duration::from_secs(15 * 60);
const FULL_DEADLINE: Duration = Duration::from_secs(60 * 60);

/// How often they are heard of.
const SIGN_OF_LIFE: Duration = Duration::from_secs(60);

/// How many lines are shown of what was killed.
const LAST_LINES: usize = 20;

/// Runs them; fails unless all pass.
pub(crate) fn run(checkout: &Path, full: bool) -> Result<Count> {
    let cargo = || {
        let mut cargo = run::cargo(checkout);
        cargo.arg("test").args(suite::host_tests());
        cargo
    };
    ui::step("build the host tests", || {
        run::quiet(cargo().arg("--no-run"))
    })?;
    let mut tests = cargo();
    tests
        .args(["--no-fail-fast"])
        .env("RUST_BACKTRACE", "0")
        .envs(full.then_some((FULL_ENV, "1")));
    let deadline = if full { FULL_DEADLINE } else { DEADLINE };
    let Ended {
        status,
        stdout,
        stderr,
    } = ui::telling_step("host tests", |tell| {
        watch(&mut tests, deadline, SIGN_OF_LIFE, tell)
    })?;
    let Some(status) = status else {
        println!("{}{}", last_lines(&stderr), last_lines(&stdout));
        bail!(
            "host tests ran over their {} s and were killed",
            deadline.as_secs()
        );
    };
    let count = Count::of_libtest(&stdout);
    if !status.success() || count.failed > 0 {
        println!("{stdout}{stderr}");
        bail!("host tests failed");
    }
    if count.skipped > 0 {
        println!("{stdout}");
        bail!(
            "{} host tests are ignored: an ignored test counts as failed",
            count.skipped
        );
    }
    if count.passed == 0 {
        bail!("no host test ran");
    }
    Ok(count)
}

/// A command that ended, and what it printed.
#[derive(Debug)]
struct Ended {
    /// Nothing if it was killed since it ran over its time.
    status: Option<ExitStatus>,
    stdout: String,
    stderr: String,
}

/// Runs a command in a group of its own, which is killed when it runs over its time or this
/// program is interrupted.
fn watch(
    command: &mut Command,
    deadline: Duration,
    sign_of_life: Duration,
    tell: &dyn Fn(&str),
) -> Result<Ended> {
    let name = run::name(command);
    let file = || tempfile::tempfile().context("cannot create a file for the output");
    let (stdout, stderr) = (file()?, file()?);
    let share = |file: &File| file.try_clone().context("cannot share the output file");
    let child = command
        .stdin(Stdio::null())
        .stdout(share(&stdout)?)
        .stderr(share(&stderr)?)
        .process_group(0)
        .spawn()
        .with_context(|| format!("cannot run {name}"))?;
    let mut group = Group(child);
    let began = Instant::now();
    let mut heard = began;
    loop {
        interrupt::check()?;
        let status = group.0.try_wait().context("cannot wait for cargo")?;
        if status.is_some() || began.elapsed() >= deadline {
            drop(group);
            return Ok(Ended {
                status,
                stdout: text(&stdout)?,
                stderr: text(&stderr)?,
            });
        }
        if heard.elapsed() >= sign_of_life {
            heard = Instant::now();
            let said = text(&stdout)?;
            let tests = said
                .lines()
                .filter(|line| line.starts_with("test "))
                .count();
            let last = said.lines().rfind(|line| !line.trim().is_empty());
            let last = last.unwrap_or_default();
            let seconds = began.elapsed().as_secs();
            tell(&format!(
                "{tests} lines of tests in {seconds} s, the last line {last:?}"
            ));
        }
        thread::sleep(Duration::from_millis(50));
    }
}

/// What was written to a file by whoever shares it.
fn text(file: &File) -> Result<String> {
    let mut bytes = Vec::new();
    let mut piece = vec![0; 64 * 1024];
    loop {
        let from = u64::try_from(bytes.len())?;
        match file.read_at(&mut piece, from) {
            Ok(0) => return Ok(String::from_utf8_lossy(&bytes).into_owned()),
            Ok(n) => bytes.extend_from_slice(&piece[..n]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error).context("cannot read what was printed"),
        }
    }
}

fn last_lines(text: &str) -> String {
    let lines: Vec<&str> = text.lines().filter(|line| !line.is_empty()).collect();
    let start = lines.len().saturating_sub(LAST_LINES);
    lines[start..]
        .iter()
        .map(|line| format!("{line}\n"))
        .collect()
}

/// A process group by its leader; nothing of it outlives this.
struct Group(Child);

impl Drop for Group {
    fn drop(&mut self) {
        if let Ok(id) = i32::try_from(self.0.id()) {
            let _ = killpg(Pid::from_raw(id), Signal::SIGKILL);
        }
        let _ = self.0.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::RefCell;

    fn shell(script: &str) -> Command {
        let mut shell = Command::new("sh");
        shell.args(["-c", script]);
        shell
    }

    const LONG: Duration = Duration::from_secs(600);

    #[test]
    fn what_ends_by_itself_is_told_with_what_it_printed() {
        let mut command = shell("echo out; echo err >&2; exit 3");
        let ended = watch(&mut command, LONG, LONG, &|_| {}).unwrap();
        assert_eq!(ended.status.and_then(|status| status.code()), Some(3));
        assert_eq!((&*ended.stdout, &*ended.stderr), ("out\n", "err\n"));
    }

    #[test]
    fn what_hangs_is_heard_of_and_killed_with_its_children() {
        let folder = tempfile::tempdir().unwrap();
        let child = folder.path().join("child");
        let script = format!(
            "echo test begun; sleep 600 & echo $! > {0}.new; mv {0}.new {0}; wait",
            child.display()
        );
        let told = RefCell::new(Vec::new());
        let tell = |said: &str| told.borrow_mut().push(said.to_owned());
        // Long enough for a shell to begin; it never ends by itself.
        let (end, now) = (Duration::from_secs(2), Duration::from_millis(100));
        let ended = watch(&mut shell(&script), end, now, &tell).unwrap();
        assert_eq!(ended.status, None);
        assert_eq!(last_lines(&ended.stdout), "test begun\n");
        assert!(
            told.borrow()
                .iter()
                .any(|said| said.contains("\"test begun\""))
        );
        let child = std::fs::read_to_string(child).unwrap();
        let state = || std::fs::read_to_string(format!("/proc/{}/stat", child.trim()));
        while state().is_ok_and(|stat| !stat.contains(" Z ")) {
            thread::sleep(Duration::from_millis(10));
        }
    }
}
