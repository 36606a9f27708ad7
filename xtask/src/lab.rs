//! The lab: commands and shells in a guest, and what the cache holds.

use crate::cache::{self, Cache};
use crate::host;
use crate::kernel::{self, Kernel, Manifest};
use crate::run;
use crate::ui;
use crate::vm::{Message, Output, Terminal, Up, Vm, accelerator};
use anyhow::{Context, Result, bail};
use lab::{Event, Job, Work};
use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

/// How long a guest may take to come up under software emulation on a busy machine.
pub(crate) const BOOT: Duration = Duration::from_secs(240);

/// Everything a boot needs, for one kernel.
pub(crate) struct Lab {
    /// `lab/kernels.toml`.
    pub(crate) manifest: Manifest,
    /// The kernel.
    pub(crate) kernel: Kernel,
    agent: PathBuf,
}

/// The file of the shared folder that is kept after a command, as the command knows it.
pub(crate) const HAND_OVER: &str = "/run/lab/result";
const HANDED_OVER: &str = "result";

/// A command that ended.
pub(crate) struct Done {
    /// Its exit code.
    pub(crate) code: i32,
    /// What it printed, if that was to be kept.
    pub(crate) output: String,
    /// What it left at [`HAND_OVER`].
    pub(crate) file: Option<Vec<u8>>,
}

impl Lab {
    /// Sees to it that host, kernel and agent are there.
    pub(crate) fn provide(checkout: &Path, kernel: &str) -> Result<Lab> {
        let manifest = Manifest::read(checkout)?;
        let spec = manifest.kernel(kernel)?;
        let cache = Cache::open()?;
        host::provide(&cache)?;
        let kernel = kernel::provide(&cache, spec)?;
        drop(cache);
        let agent = build_agent(checkout)?;
        Ok(Lab {
            manifest,
            kernel,
            agent,
        })
    }

    /// Boots a guest for this work.
    pub(crate) fn boot(&self, work: Work, terminal: Terminal, output: Output) -> Result<Vm> {
        let job = Job {
            fatal_log: self.manifest.fatal_log.clone(),
            modules: self.kernel.modules(),
            work,
        };
        Vm::boot(
            &self.manifest,
            &self.kernel,
            &job,
            &self.agent,
            terminal,
            output,
        )
    }

    /// Runs one command.
    pub(crate) fn command(
        &self,
        argv: &[String],
        deadline: Duration,
        output: Output,
    ) -> Result<Done> {
        let work = Work::Command {
            argv: argv.to_vec(),
            cwd: env::current_dir().context("cannot tell the working directory")?,
            deadline_s: deadline.as_secs(),
        };
        let mut vm = self.boot(work, Terminal::Detached, output)?;
        let up = vm.wait_up(Instant::now() + BOOT)?;
        if output == Output::Shown {
            announce(&up);
        }
        let end = Instant::now() + deadline + Duration::from_secs(20);
        let finished = finish(&mut vm, end);
        let file = fs::read(vm.share().join(HANDED_OVER)).ok();
        let output = vm.captured();
        if finished.is_err() {
            eprint!("{output}");
        }
        Ok(Done {
            code: finished?,
            output,
            file,
        })
    }
}

/// `lab run`.
pub(crate) fn run(
    checkout: &Path,
    kernel: &str,
    argv: &[String],
    deadline: Duration,
) -> Result<i32> {
    let lab = Lab::provide(checkout, kernel)?;
    Ok(lab.command(argv, deadline, Output::Shown)?.code)
}

/// `lab shell`.
pub(crate) fn shell(checkout: &Path, kernel: &str) -> Result<i32> {
    let lab = Lab::provide(checkout, kernel)?;
    let cwd = env::current_dir().context("cannot tell the working directory")?;
    let mut vm = lab.boot(Work::Shell { cwd }, Terminal::Attached, Output::Shown)?;
    announce(&vm.wait_up(Instant::now() + BOOT)?);
    let raw = RawTerminal::enter();
    let code = finish(&mut vm, Instant::now() + Duration::from_secs(24 * 3600));
    drop(raw);
    code
}

/// `lab list`.
pub(crate) fn list(checkout: &Path) -> Result<()> {
    let manifest = Manifest::read(checkout)?;
    let root = cache::folder()?;
    println!("cache: {}", root.display());
    match host::qemu_major() {
        Some(major) => println!("QEMU: {major}, accelerator: {}", accelerator()),
        None => println!(
            "QEMU: none yet (installed on first use), accelerator: {}",
            accelerator()
        ),
    }
    let mut rows = vec![
        ["kernel", "suite", "cached", "built out of tree"]
            .map(str::to_owned)
            .to_vec(),
    ];
    for spec in &manifest.kernels {
        let cached = kernel::cached(&root, spec);
        let (release, built) = match cached {
            Some(kernel) => (kernel.resolved.release, kernel.resolved.built.join(", ")),
            None => ("no".to_owned(), String::new()),
        };
        rows.push(vec![spec.name.clone(), spec.suite.clone(), release, built]);
    }
    ui::table(&rows);
    Ok(())
}

fn announce(up: &Up) {
    eprintln!("  {up}");
    for line in &up.log {
        eprintln!("  its log says: {line}");
    }
}

/// Waits for the command's or the shell's end.
pub(crate) fn finish(vm: &mut Vm, deadline: Instant) -> Result<i32> {
    let mut code = None;
    let mut deadline = deadline;
    loop {
        match (vm.next(deadline)?, code) {
            (Message::Event(Event::Exited { code: exit }), _) => {
                code = Some(exit);
                // Its output may still be on its way; the guest's end comes after it.
                deadline = Instant::now() + Duration::from_secs(20);
            }
            (Message::Gone(_) | Message::Silent | Message::Stalled(_), Some(code)) => {
                return Ok(code);
            }
            (Message::Event(Event::Broken { why }), _) => {
                bail!("the guest cannot do its job: {why}")
            }
            (Message::Event(Event::Done), None) => {
                bail!("the guest ended without running the command")
            }
            (Message::Event(_), _) => {}
            (Message::Gone(why), None) => bail!("{why}"),
            (Message::Silent, None) => bail!("the guest ran over its time and was stopped"),
            (Message::Stalled(time), None) => bail!(
                "the guest stalled, no sign of life for {} s: {}",
                time.as_secs(),
                vm.console_end()
            ),
        }
    }
}

fn build_agent(checkout: &Path) -> Result<PathBuf> {
    let mut cargo = run::cargo(checkout);
    cargo.args(["build", "--quiet", "--package", "lab", "--bin", "lab-agent"]);
    run::shown(&mut cargo).context("cannot build the agent")?;
    Ok(target_folder(checkout)?.join("debug/lab-agent"))
}

/// Where cargo puts what it builds.
pub(crate) fn target_folder(checkout: &Path) -> Result<PathBuf> {
    let mut cargo = run::cargo(checkout);
    cargo.args([
        "metadata",
        "--no-deps",
        "--format-version",
        "1",
        "--offline",
    ]);
    let json: serde_json::Value =
        serde_json::from_str(&run::text(&mut cargo)?).context("cannot read cargo's metadata")?;
    let folder = json["target_directory"]
        .as_str()
        .context("cargo names no target folder")?;
    // The guest has its own file systems there.
    if ["/run/", "/dev/", "/proc/", "/sys/"]
        .iter()
        .any(|hidden| folder.starts_with(hidden))
    {
        bail!("{folder} is hidden from the guest: set CARGO_TARGET_DIR to another place");
    }
    Ok(PathBuf::from(folder))
}

/// The terminal as the guest's shell wants it, put back on drop.
struct RawTerminal(String);

impl RawTerminal {
    fn enter() -> Option<RawTerminal> {
        let stty =
            |args: &[&str]| run::text(Command::new("stty").args(["-F", "/dev/tty"]).args(args));
        let before = stty(&["-g"]).ok()?;
        stty(&["raw", "-echo"]).ok()?;
        Some(RawTerminal(before.trim().to_owned()))
    }
}

impl Drop for RawTerminal {
    fn drop(&mut self) {
        let _ = run::quiet(Command::new("stty").args(["-F", "/dev/tty", &self.0]));
    }
}
