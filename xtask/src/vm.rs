//! One virtual machine: booted, listened to, and gone when dropped.

mod silence;

use crate::interrupt;
use crate::kernel::{Kernel, Manifest};
use crate::run;
use anyhow::{Context, Result, bail};
use lab::{Event, Job};
use silence::Silence;
use std::fmt;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};
use tempfile::TempDir;

const MEMORY_MIB: u32 = 2048;

/// How long to wait between two looks at whether there still is a guest to wait for.
const LOOK: Duration = Duration::from_millis(200);

/// What a guest's folder is called, before the process that made it.
const FOLDER: &str = "netprims-lab-";

/// Removes the folders of runs that were killed.
fn sweep() {
    for entry in fs::read_dir(std::env::temp_dir())
        .into_iter()
        .flatten()
        .flatten()
    {
        let name = entry.file_name().to_string_lossy().into_owned();
        let pid = name
            .strip_prefix(FOLDER)
            .and_then(|rest| rest.split('-').next());
        if pid.is_some_and(|pid| !Path::new("/proc").join(pid).exists()) {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

/// What the user's terminal is to the guest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Terminal {
    /// Nothing.
    Detached,
    /// The guest's console, for a shell.
    Attached,
}

/// Where a command's output goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Output {
    /// To this program's own output, as it comes.
    Shown,
    /// Kept, for [`Vm::captured`].
    Kept,
}

/// What came from the guest.
#[derive(Debug)]
pub(crate) enum Message {
    /// The agent said this.
    Event(Event),
    /// The guest is gone; what its console said last, if it said why.
    Gone(String),
    /// Nothing came before the deadline but signs of life.
    Silent,
    /// No sign of life came for this long.
    Stalled(Duration),
}

/// A guest that came up.
#[derive(Debug)]
pub(crate) struct Up {
    /// `uname -r`.
    pub(crate) release: String,
    /// How long that took.
    pub(crate) uptime: Duration,
    /// What of the usual set-up its kernel lacks.
    pub(crate) missing: Vec<String>,
    /// Fatal lines its log held by then.
    pub(crate) log: Vec<String>,
}

impl fmt::Display for Up {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.uptime.as_secs_f64();
        write!(
            f,
            "guest: {} ({}), up in {seconds:.1} s",
            self.release,
            accelerator()
        )?;
        if !self.missing.is_empty() {
            write!(f, "; without {}", self.missing.join(", "))?;
        }
        Ok(())
    }
}

enum Heard {
    Event(Event),
    Stdout(Vec<u8>),
    Stderr(Vec<u8>),
}

/// A running guest.
pub(crate) struct Vm {
    qemu: Child,
    folder: TempDir,
    heard: Receiver<Heard>,
    output: Output,
    captured: Vec<u8>,
    fatal_log: Vec<String>,
    silence: Silence,
}

/// Which accelerator QEMU is to use: `$NETPRIMS_LAB_ACCEL`, else software emulation, which works
/// on any machine.
pub(crate) fn accelerator() -> String {
    std::env::var("NETPRIMS_LAB_ACCEL").unwrap_or_else(|_| "tcg".to_owned())
}

impl Vm {
    /// Boots a guest for one job.
    pub(crate) fn boot(
        manifest: &Manifest,
        kernel: &Kernel,
        job: &Job,
        agent: &Path,
        terminal: Terminal,
        output: Output,
    ) -> Result<Vm> {
        sweep();
        let folder = tempfile::Builder::new()
            .prefix(&format!("{FOLDER}{}-", std::process::id()))
            .tempdir()
            .context("cannot create a folder for the guest")?;
        let share = folder.path().join("share");
        fs::create_dir(&share).context("cannot create the shared folder")?;
        fs::copy(agent, share.join("agent")).context("cannot copy the agent")?;
        let json = serde_json::to_vec(job).context("cannot write the job")?;
        fs::write(share.join("job.json"), json).context("cannot write the job")?;
        let initramfs = folder.path().join("initramfs");
        kernel.write_initramfs(manifest, &initramfs)?;
        let (speak, heard) = channel();
        if terminal == Terminal::Attached {
            let listener = UnixListener::bind(folder.path().join("tty"))
                .context("cannot listen for the guest")?;
            thread::spawn(move || listener.accept().map(|(stream, _)| relay(stream)));
        }
        for port in ["events", "stdout", "stderr"] {
            let listener = UnixListener::bind(folder.path().join(port))
                .context("cannot listen for the guest")?;
            let speak = speak.clone();
            thread::spawn(move || {
                if let Ok((stream, _)) = listener.accept() {
                    listen(port, stream, &speak);
                }
            });
        }
        let mut command = command(kernel, folder.path(), terminal);
        let log =
            fs::File::create(folder.path().join("qemu.log")).context("cannot create QEMU's log")?;
        let qemu = command
            .stderr(log)
            .spawn()
            .context("cannot start QEMU (is qemu-system-x86_64 on the PATH?)")?;
        Ok(Vm {
            qemu,
            folder,
            heard,
            output,
            captured: Vec::new(),
            fatal_log: job.fatal_log.clone(),
            silence: Silence::before_the_first_word(),
        })
    }

    /// Lets the guest go only this long without a sign of life.
    pub(crate) fn allow_silence(&mut self, allowed: Duration) {
        self.silence.allow(allowed);
    }

    /// The next event, however much output comes in between.
    pub(crate) fn next(&mut self, deadline: Instant) -> Result<Message> {
        loop {
            interrupt::check()?;
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(Message::Silent);
            }
            let wait = left.min(LOOK);
            match self.heard.recv_timeout(wait) {
                Ok(Heard::Event(Event::Alive)) => self.silence.end(),
                Ok(Heard::Event(event)) => {
                    self.silence.end();
                    return Ok(Message::Event(event));
                }
                Ok(Heard::Stdout(bytes)) => self.take(&bytes, false)?,
                Ok(Heard::Stderr(bytes)) => self.take(&bytes, true)?,
                // Whoever listens to a port is gone only with the guest, all it said taken.
                Err(error) => {
                    if let Some(status) = self.qemu.try_wait().context("cannot wait for QEMU")? {
                        match self.heard.try_recv() {
                            Ok(Heard::Event(Event::Alive)) => continue,
                            Ok(Heard::Event(event)) => return Ok(Message::Event(event)),
                            _ => return Ok(Message::Gone(self.last_words(status))),
                        }
                    }
                    if error == RecvTimeoutError::Timeout && self.silence.goes_on(wait) {
                        return Ok(Message::Stalled(self.silence.allowed()));
                    }
                }
            }
        }
    }

    /// Waits for the guest to be up.
    pub(crate) fn wait_up(&mut self, deadline: Instant) -> Result<Up> {
        match self.next(deadline)? {
            Message::Event(Event::Up {
                release,
                uptime_ms,
                missing,
                log,
            }) => Ok(Up {
                release,
                uptime: Duration::from_millis(uptime_ms),
                missing,
                log,
            }),
            Message::Event(Event::Broken { why }) => bail!("the guest cannot do its job: {why}"),
            Message::Event(other) => bail!("the guest said {other:?} before it was up"),
            Message::Gone(why) => bail!("the guest did not come up: {why}"),
            Message::Silent => bail!("the guest did not come up in time: {}", self.console_end()),
            Message::Stalled(time) => bail!(
                "the guest stalled while it came up, no sign of life for {} s: {}",
                time.as_secs(),
                self.console_end()
            ),
        }
    }

    /// The folder the guest sees at [`lab::SHARE`].
    pub(crate) fn share(&self) -> PathBuf {
        self.folder.path().join("share")
    }

    /// What the command printed, if it was kept.
    pub(crate) fn captured(self) -> String {
        String::from_utf8_lossy(&self.captured).into_owned()
    }

    fn take(&mut self, bytes: &[u8], error: bool) -> Result<()> {
        match (self.output, error) {
            (Output::Kept, _) => self.captured.extend_from_slice(bytes),
            (Output::Shown, false) => {
                let mut stdout = std::io::stdout().lock();
                stdout
                    .write_all(bytes)
                    .and_then(|()| stdout.flush())
                    .context("cannot print")?;
            }
            (Output::Shown, true) => std::io::stderr().write_all(bytes).context("cannot print")?,
        }
        Ok(())
    }

    /// Why the guest is gone, as far as its console or QEMU itself say.
    fn last_words(&self, status: ExitStatus) -> String {
        let console = self.console();
        let panic = console.lines().find(|line| line.contains("Kernel panic"));
        let qemu = fs::read_to_string(self.folder.path().join("qemu.log")).unwrap_or_default();
        let qemu = qemu.lines().next().filter(|_| !status.success());
        match (panic, qemu) {
            (Some(panic), _) => format!("the guest's kernel panicked: {}", panic.trim()),
            (None, Some(qemu)) => format!("QEMU ended ({status}): {qemu}"),
            (None, None) => format!("the guest went away ({status}): {}", self.console_end()),
        }
    }

    fn console(&self) -> String {
        let bytes = fs::read(self.folder.path().join("console")).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// The first fatal line on the guest's console.
    pub(crate) fn complaint(&self) -> Option<String> {
        let fatal = |line: &&str| self.fatal_log.iter().any(|words| line.contains(words));
        let console = self.console();
        let found = console.lines().find(fatal);
        found.map(|line| line.trim().to_owned())
    }

    /// The last line of the guest's console.
    pub(crate) fn console_end(&self) -> String {
        let console = self.console();
        let last = console
            .lines()
            .rev()
            .map(str::trim)
            .find(|line| !line.is_empty());
        last.unwrap_or("its console is empty").to_owned()
    }
}

impl Drop for Vm {
    fn drop(&mut self) {
        let _ = self.qemu.kill();
        let _ = self.qemu.wait();
        if std::env::var_os("NETPRIMS_LAB_CONSOLE").is_some() {
            eprintln!("{}", self.console());
        }
    }
}

/// QEMU's command line. `setpriv --pdeathsig` ends QEMU with this program, however that ends.
fn command(kernel: &Kernel, folder: &Path, terminal: Terminal) -> Command {
    // A comma in an option's value is written twice.
    let at = |name: &str| folder.join(name).display().to_string().replace(',', ",,");
    let mut command = run::program("setpriv");
    command.args(["--pdeathsig", "KILL", "qemu-system-x86_64"]);
    let accelerator = match accelerator().as_str() {
        "tcg" => "tcg,thread=multi".to_owned(),
        other => other.to_owned(),
    };
    command.args([
        "-M",
        "q35,kernel-irqchip=split",
        "-accel",
        &accelerator,
        "-cpu",
        "max",
    ]);
    command.args(["-smp", "2", "-m", &MEMORY_MIB.to_string()]);
    command.args([
        "-display",
        "none",
        "-monitor",
        "none",
        "-vga",
        "none",
        "-nic",
        "none",
        "-no-reboot",
    ]);
    command
        .arg("-kernel")
        .arg(kernel.image())
        .arg("-initrd")
        .arg(folder.join("initramfs"));
    command.args([
        "-append",
        "console=ttyS0 quiet panic=-1 rdinit=/init intel_iommu=on no_timer_check",
    ]);
    command.args(["-serial", &format!("file:{}", at("console"))]);
    let filesystem = |id: &str, path: &str, rest: &str| {
        format!("local,id={id},path={path},security_model=none,multidevs=remap{rest}")
    };
    command.args(["-fsdev", &filesystem("root", "/", ",readonly=on")]);
    command.args(["-device", "virtio-9p-pci,fsdev=root,mount_tag=root"]);
    command.args(["-fsdev", &filesystem("share", &at("share"), "")]);
    command.args(["-device", "virtio-9p-pci,fsdev=share,mount_tag=share"]);
    command.args(["-device", "virtio-serial-pci"]);
    for port in ["events", "stdout", "stderr"] {
        command.args(["-chardev", &format!("socket,id={port},path={}", at(port))]);
        command.args([
            "-device",
            &format!("virtserialport,chardev={port},name=lab.{port}"),
        ]);
    }
    command.args(["-device", "intel-iommu,intremap=on"]);
    for (id, mac) in [("0", "52:54:00:12:34:98"), ("1", "52:54:00:12:34:99")] {
        command.args([
            "-device",
            &format!("pcie-root-port,id=rp{id},slot={}{id}", 1),
        ]);
        command.args(["-netdev", &format!("user,id=n{id},restrict=on")]);
        command.args(["-device", &format!("igb,bus=rp{id},netdev=n{id},mac={mac}")]);
    }
    // Two NICs, back to back: a hub delivers to whoever else is on it.
    for (id, mac) in [("2", "52:54:00:12:34:9a"), ("3", "52:54:00:12:34:9b")] {
        command.args(["-netdev", &format!("hubport,id=n{id},hubid=0")]);
        let nic = format!("virtio-net-pci,netdev=n{id},mac={mac},romfile=");
        command.args(["-device", &nic]);
    }
    if terminal == Terminal::Attached {
        command.args(["-chardev", &format!("socket,id=tty,path={}", at("tty"))]);
        command.args(["-device", "virtconsole,chardev=tty"]);
    }
    command.stdin(Stdio::null()).stdout(Stdio::null());
    command
}

/// Connects the user's terminal and the guest's.
fn relay(guest: UnixStream) {
    if let Ok(mut keys) = guest.try_clone() {
        thread::spawn(move || {
            let mut buffer = [0; 256];
            let mut terminal = std::io::stdin().lock();
            while let Ok(n @ 1..) = terminal.read(&mut buffer) {
                if keys.write_all(&buffer[..n]).is_err() {
                    return;
                }
            }
        });
    }
    let mut guest = guest;
    let mut buffer = [0; 4096];
    while let Ok(n @ 1..) = guest.read(&mut buffer) {
        let mut terminal = std::io::stdout().lock();
        if terminal
            .write_all(&buffer[..n])
            .and_then(|()| terminal.flush())
            .is_err()
        {
            return;
        }
    }
}

fn listen(port: &str, stream: UnixStream, speak: &Sender<Heard>) {
    let say = |heard| speak.send(heard).is_ok();
    if port == "events" {
        for line in BufReader::new(stream).lines().map_while(|line| line.ok()) {
            let event = serde_json::from_str(&line).unwrap_or_else(|error| Event::Broken {
                why: format!("said {line:?}, which is no event: {error}"),
            });
            if !say(Heard::Event(event)) {
                return;
            }
        }
        return;
    }
    let mut stream = stream;
    let mut buffer = vec![0; 64 * 1024];
    while let Ok(n) = stream.read(&mut buffer) {
        let bytes = buffer[..n].to_vec();
        let heard = if port == "stdout" {
            Heard::Stdout(bytes)
        } else {
            Heard::Stderr(bytes)
        };
        if n == 0 || !say(heard) {
            return;
        }
    }
}
