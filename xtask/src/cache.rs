//! Where downloads and built modules stay between runs, outside the checkout.

use crate::interrupt;
use anyhow::{Context, Result, bail};
use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};
use nix::sys::statvfs::statvfs;
use std::env;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

/// The cache, locked against another run that would change it.
pub(crate) struct Cache {
    root: PathBuf,
    _lock: Flock<File>,
}

/// The cache's folder: `$NETPRIMS_CACHE`, else `netprims` in the user's cache folder.
pub(crate) fn folder() -> Result<PathBuf> {
    let set = |name| env::var_os(name).filter(|value| !value.is_empty());
    if let Some(path) = set("NETPRIMS_CACHE") {
        return std::path::absolute(path).context("NETPRIMS_CACHE is no path");
    }
    if let Some(path) = set("XDG_CACHE_HOME") {
        let path = std::path::absolute(path).context("XDG_CACHE_HOME is no path")?;
        return Ok(path.join("netprims"));
    }
    let home =
        env::var_os("HOME").context("no HOME: set NETPRIMS_CACHE to a folder for downloads")?;
    Ok(PathBuf::from(home).join(".cache/netprims"))
}

impl Cache {
    /// Opens and locks the cache, waiting for another run to finish with it.
    pub(crate) fn open() -> Result<Cache> {
        let root = folder()?;
        if root.to_string_lossy().contains(char::is_whitespace) {
            bail!(
                "kernel modules cannot be built under {:?}, which has a space: set NETPRIMS_CACHE elsewhere",
                root.display().to_string()
            );
        }
        fs::create_dir_all(&root).with_context(|| {
            format!(
                "cannot create {}: set NETPRIMS_CACHE elsewhere",
                root.display()
            )
        })?;
        let file = File::create(root.join("lock")).context("cannot create the cache's lock")?;
        let mut waiting = false;
        let mut file = Some(file);
        let lock = loop {
            let attempt = file.take().context("the cache's lock is gone")?;
            match Flock::lock(attempt, FlockArg::LockExclusiveNonblock) {
                Ok(lock) => break lock,
                Err((back, Errno::EWOULDBLOCK)) => file = Some(back),
                Err((_, errno)) => return Err(errno).context("cannot lock the cache"),
            }
            if !waiting {
                eprintln!(
                    "  another run is filling {}; waiting for it",
                    root.display()
                );
                waiting = true;
            }
            interrupt::check()?;
            thread::sleep(Duration::from_millis(200));
        };
        Ok(Cache { root, _lock: lock })
    }

    /// The cache's folder.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// Fails now, in words, rather than in the middle of an unpack.
    pub(crate) fn require_free(&self, mib: u64) -> Result<()> {
        let stat = statvfs(&self.root).context("cannot ask for free disk space")?;
        let free = stat.blocks_available() * stat.fragment_size() / (1 << 20);
        if free < mib {
            bail!(
                "{} has {free} MiB free and {mib} MiB are needed: free some, or set NETPRIMS_CACHE to another disk",
                self.root.display()
            );
        }
        Ok(())
    }

    /// Fills `name` through a folder beside it, so that it exists whole or not at all.
    pub(crate) fn publish(
        &self,
        name: &str,
        fill: impl FnOnce(&Path) -> Result<()>,
    ) -> Result<PathBuf> {
        let target = self.root.join(name);
        let partial = self.root.join(format!("{name}.partial"));
        if partial.exists() {
            fs::remove_dir_all(&partial).context("cannot remove an unfinished download")?;
        }
        fs::create_dir_all(&partial)
            .with_context(|| format!("cannot create {}", partial.display()))?;
        if let Err(error) = fill(&partial) {
            let _ = fs::remove_dir_all(&partial);
            return Err(error);
        }
        if target.exists() {
            fs::remove_dir_all(&target)
                .with_context(|| format!("cannot replace {}", target.display()))?;
        }
        fs::rename(&partial, &target)
            .with_context(|| format!("cannot create {}", target.display()))?;
        Ok(target)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cache(root: &Path) -> Cache {
        let file = File::create(root.join("lock")).unwrap();
        let lock = Flock::lock(file, FlockArg::LockExclusive).unwrap();
        Cache {
            root: root.to_owned(),
            _lock: lock,
        }
    }

    #[test]
    fn a_failed_fill_leaves_nothing_and_the_next_one_works() {
        let folder = tempfile::tempdir().unwrap();
        let cache = cache(folder.path());
        let failed = cache.publish("thing", |partial| {
            fs::write(partial.join("half"), "x")?;
            bail!("the network went away")
        });
        assert_eq!(failed.unwrap_err().to_string(), "the network went away");
        assert!(!folder.path().join("thing").exists());
        assert!(!folder.path().join("thing.partial").exists());
        let path = cache.publish("thing", |partial| {
            Ok(fs::write(partial.join("whole"), "x")?)
        });
        assert!(path.unwrap().join("whole").exists());
    }

    #[test]
    fn too_little_disk_is_said_before_anything_is_written() {
        let folder = tempfile::tempdir().unwrap();
        let error = cache(folder.path())
            .require_free(u64::MAX)
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("MiB free") && error.contains("NETPRIMS_CACHE"),
            "{error}"
        );
    }
}
