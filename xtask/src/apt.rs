//! Debian packages: installed on the host where that is asked for, or fetched from another suite
//! and unpacked in the cache. apt verifies every signature and checksum; the user's own sources
//! and lists are not touched.

use crate::interrupt;
use crate::run;
use crate::ui;
use anyhow::{Context, Result, bail};
use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

pub(crate) const KEYRING: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";

/// apt with sources, lists and caches of its own.
pub(crate) struct Apt {
    config: PathBuf,
}

/// A field of /etc/os-release.
pub(crate) fn os_release(key: &str) -> Option<String> {
    let os = fs::read_to_string("/etc/os-release").ok()?;
    let value = os
        .lines()
        .find_map(|line| line.strip_prefix(key)?.strip_prefix('='))?;
    Some(value.trim_matches('"').to_owned())
}

/// The mirror of the user's own apt configuration, or `$NETPRIMS_DEBIAN_MIRROR`.
pub(crate) fn mirror() -> Result<String> {
    if let Ok(mirror) = env::var("NETPRIMS_DEBIAN_MIRROR") {
        return Ok(mirror);
    }
    let advice = "set NETPRIMS_DEBIAN_MIRROR to the URL of a Debian mirror";
    if os_release("ID").as_deref() != Some("debian") {
        bail!("the lab's kernels are Debian's and this is not Debian: {advice}");
    }
    let codename = os_release("VERSION_CODENAME").unwrap_or_default();
    let targets = run::text(run::program("apt-get").args([
        "indextargets",
        "--format",
        "$(RELEASE) $(COMPONENT) $(REPO_URI)",
        "Created-By: Packages",
    ]))?;
    // Third parties name their releases as Debian does; Debian's own archive is called `debian`.
    let uri = targets.lines().find_map(|line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let [release, "main", uri] = fields[..] else {
            return None;
        };
        let uri = uri.trim_end_matches('/');
        let ours = release == codename || release == "stable";
        (ours && uri.ends_with("/debian")).then(|| uri.to_owned())
    });
    uri.with_context(|| format!("no source for Debian {codename} in apt's configuration: {advice}"))
}

/// Whether this machine has apt at all.
pub(crate) fn available() -> bool {
    run::program("apt-get")
        .arg("--version")
        .output()
        .is_ok_and(|o| o.status.success())
}

impl Apt {
    /// apt over these suites only, its state under `folder`; it knows what is installed on this
    /// machine only if it is to install more.
    pub(crate) fn with_suites(folder: &Path, suites: &[&str], installs: bool) -> Result<Apt> {
        if !available() {
            bail!("apt-get is not on this machine: the lab fetches its kernels with it");
        }
        if !Path::new(KEYRING).exists() {
            bail!("{KEYRING} is missing: install the package debian-archive-keyring");
        }
        let mirror = mirror()?;
        for sub in ["lists/partial", "cache/archives/partial"] {
            fs::create_dir_all(folder.join(sub)).context("cannot create apt's folders")?;
        }
        let mut sources = String::new();
        for suite in suites {
            sources += &format!("deb [signed-by={KEYRING}] {mirror} {suite} main\n");
        }
        let at = folder.display();
        fs::write(folder.join("sources.list"), sources).context("cannot write apt's sources")?;
        let mut config = format!(
            "Dir::Etc::sourcelist \"{at}/sources.list\";\nDir::Etc::sourceparts \"-\";\n\
             Dir::State::Lists \"{at}/lists\";\nDir::Cache \"{at}/cache\";\n\
             Acquire::Languages \"none\";\nAcquire::IndexTargets::deb::DEP-11::DefaultEnabled \"false\";\n\
             Acquire::Retries \"3\";\nAPT::Sandbox::User \"root\";\n"
        );
        if !installs {
            fs::write(folder.join("status"), "").context("cannot write apt's status")?;
            config += &format!("Dir::State::status \"{at}/status\";\n");
        }
        let path = folder.join("apt.conf");
        fs::write(&path, config).context("cannot write apt's configuration")?;
        Ok(Apt { config: path })
    }

    fn command(&self, program: &str) -> Command {
        let mut command = run::program(program);
        command.env("APT_CONFIG", &self.config).env("LC_ALL", "C");
        command.env("DEBIAN_FRONTEND", "noninteractive");
        command
    }

    /// Fetches the lists of packages.
    pub(crate) fn update(&self) -> Result<()> {
        run::quiet(
            self.command("apt-get")
                .args(["-q", "update", "--error-on=any"]),
        )
        .context("cannot fetch Debian's package lists (is there a network?)")?;
        Ok(())
    }

    /// The packages that `package` names in its Depends, without versions and alternatives.
    pub(crate) fn depends(&self, package: &str) -> Result<Vec<String>> {
        let shown =
            run::text(
                self.command("apt-cache")
                    .args(["show", "--no-all-versions", package]),
            )
            .with_context(|| format!("Debian has no package {package} in this suite"))?;
        let depends = shown
            .lines()
            .find_map(|line| line.strip_prefix("Depends: "));
        let names = depends
            .unwrap_or_default()
            .split(", ")
            .filter_map(|one| one.split_whitespace().next().map(str::to_owned));
        Ok(names.collect())
    }

    /// The versions of a package, the newest first.
    pub(crate) fn versions(&self, package: &str) -> Result<Vec<String>> {
        let shown = run::text(self.command("apt-cache").args(["show", package]))
            .with_context(|| format!("Debian has no package {package} in this suite"))?;
        let versions = shown
            .lines()
            .filter_map(|line| line.strip_prefix("Version: "));
        Ok(versions.map(str::to_owned).collect())
    }

    /// Downloads these packages into `folder` under a progress bar.
    pub(crate) fn download(&self, packages: &[String], folder: &Path) -> Result<Vec<PathBuf>> {
        fs::create_dir_all(folder)
            .with_context(|| format!("cannot create {}", folder.display()))?;
        let uris = run::text(
            self.command("apt-get")
                .args(["-q", "download", "--print-uris"])
                .args(packages)
                .current_dir(folder),
        )?;
        let sizes = uris
            .lines()
            .filter_map(|line| line.split_whitespace().nth(2)?.parse::<u64>().ok());
        let bar = ui::bytes_bar(&format!("  {}", packages.join(" ")), sizes.sum());
        let mut child = self
            .command("apt-get")
            .args(["-q", "download"])
            .args(packages)
            .current_dir(folder)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .context("cannot run apt-get")?;
        while child
            .try_wait()
            .context("cannot wait for apt-get")?
            .is_none()
        {
            bar.set_position(folder_size(folder));
            if interrupt::seen() {
                let _ = child.kill();
            }
            thread::sleep(Duration::from_millis(100));
        }
        bar.finish_and_clear();
        let output = child
            .wait_with_output()
            .context("cannot wait for apt-get")?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr);
            let line = said
                .lines()
                .find(|line| line.starts_with("E: "))
                .unwrap_or("apt-get failed");
            bail!("cannot download {}: {line}", packages.join(" "));
        }
        let entries = fs::read_dir(folder).context("cannot list the downloads")?;
        let paths = entries.flatten().map(|entry| entry.path());
        Ok(paths
            .filter(|path| path.extension().is_some_and(|e| e == "deb"))
            .collect())
    }

    /// Installs packages on this machine, from these suites, preferring the last.
    pub(crate) fn install(&self, packages: &[&str], from: &str) -> Result<()> {
        let args = ["-q", "install", "-y", "--no-install-recommends", "-t", from];
        run::quiet(self.command("apt-get").args(args).args(packages))?;
        Ok(())
    }
}

const LOCK: &str = "DPkg::Lock::Timeout=120";

/// Fetches the lists of the user's own sources.
pub(crate) fn update() -> Result<()> {
    let mut apt = run::program("apt-get");
    apt.env("LC_ALL", "C").args(["-q", "update"]);
    run::quiet(&mut apt).context("cannot fetch the package lists (is there a network?)")?;
    Ok(())
}

/// Installs packages on this machine from the user's own sources.
pub(crate) fn install(packages: &[&str]) -> Result<()> {
    let mut apt = run::program("apt-get");
    apt.env("DEBIAN_FRONTEND", "noninteractive")
        .env("LC_ALL", "C");
    apt.args(["-q", "install", "-y", "--no-install-recommends", "-o", LOCK]);
    run::quiet(apt.args(packages))?;
    Ok(())
}

/// The version apt would install from the user's own sources.
pub(crate) fn candidate(package: &str) -> Option<String> {
    let policy = run::text(
        run::program("apt-cache")
            .env("LC_ALL", "C")
            .args(["policy", package]),
    )
    .ok()?;
    let version = policy
        .lines()
        .find_map(|line| line.trim().strip_prefix("Candidate: "))?;
    Some(version.to_owned())
}

/// Unpacks a package, leaving out what matches one of `without`.
pub(crate) fn unpack(deb: &Path, into: &Path, without: &[&str]) -> Result<()> {
    fs::create_dir_all(into).with_context(|| format!("cannot create {}", into.display()))?;
    let mut source = run::program("dpkg-deb")
        .arg("--fsys-tarfile")
        .arg(deb)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .context("cannot run dpkg-deb")?;
    let stdout = source.stdout.take().context("dpkg-deb has no output")?;
    let mut tar = run::program("tar");
    tar.arg("-x")
        .arg("-C")
        .arg(into)
        .args(without.iter().map(|w| format!("--exclude={w}")));
    let output = tar.stdin(stdout).output().context("cannot run tar")?;
    let source = source.wait().context("cannot wait for dpkg-deb")?;
    if !output.status.success() || !source.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        bail!(
            "cannot unpack {}: {}",
            deb.display(),
            said.lines().next().unwrap_or("damaged archive")
        );
    }
    Ok(())
}

fn folder_size(folder: &Path) -> u64 {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .filter_map(|entry| entry.metadata().ok())
        .map(|meta| meta.len())
        .sum()
}
