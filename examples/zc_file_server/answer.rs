use std::fs::File;
use std::io::{self, Read};
use std::os::fd::OwnedFd;
use std::path::Path;

use anyhow::{Context, Result};
use nix::errno::Errno;
use nix::fcntl::{OFlag, OpenHow, ResolveFlag, openat2};

use super::request::Status;

/// The folder that is served.
pub(crate) struct Folder {
    fd: OwnedFd,
}

impl Folder {
    pub(crate) fn open(path: &Path) -> Result<Self> {
        let what = || format!("open {}", path.display());
        let folder = File::open(path).with_context(what)?;
        anyhow::ensure!(
            folder.metadata()?.is_dir(),
            "{} is no folder",
            path.display()
        );
        Ok(Self { fd: folder.into() })
    }

    /// A file, from a path that leads nowhere else: the kernel follows no link, and no `..`, out of the folder.
    fn file(&self, path: &str) -> Result<(File, u64), Status> {
        // Not blocking: opening a named pipe would wait for somebody who writes.
        let flags = OFlag::O_RDONLY | OFlag::O_CLOEXEC | OFlag::O_NONBLOCK;
        let within = ResolveFlag::RESOLVE_BENEATH | ResolveFlag::RESOLVE_NO_MAGICLINKS;
        let how = OpenHow::new().flags(flags).resolve(within);
        let opened = openat2(&self.fd, path, how).map_err(|errno| match errno {
            Errno::EXDEV | Errno::EACCES | Errno::EPERM | Errno::ELOOP => Status::Forbidden,
            Errno::ENOENT | Errno::ENOTDIR | Errno::ENAMETOOLONG => Status::NotFound,
            _ => Status::Internal,
        })?;
        let file = File::from(opened);
        let about = file.metadata().map_err(|_| Status::Internal)?;
        if !about.is_file() {
            return Err(Status::Forbidden);
        }
        Ok((file, about.len()))
    }
}

/// What a client gets: a head, and a file's bytes.
pub(crate) struct Answer {
    head: Vec<u8>,
    /// How much of the head was taken.
    taken: usize,
    body: Option<File>,
    left: u64,
}

impl Answer {
    pub(crate) fn to(asked: Result<String, Status>, folder: &Folder) -> Self {
        match asked.and_then(|path| folder.file(&path)) {
            Ok((file, len)) => Self::new(Status::Ok, Some(file), len),
            Err(status) => Self::new(status, None, 0),
        }
    }

    fn new(status: Status, body: Option<File>, len: u64) -> Self {
        let head = format!(
            "HTTP/1.0 {}\r\nContent-Length: {len}\r\nConnection: close\r\n\r\n",
            status.line()
        );
        Self {
            head: head.into_bytes(),
            taken: 0,
            body,
            left: len,
        }
    }

    /// Whether nothing of it was taken yet.
    pub(crate) fn is_fresh(&self) -> bool {
        self.taken == 0
    }

    pub(crate) fn is_over(&self) -> bool {
        self.taken == self.head.len() && self.left == 0
    }

    /// Fills a buffer with what is left of the head, and returns how much that was.
    pub(crate) fn fill_head(&mut self, buf: &mut [u8]) -> usize {
        let head = self.head.get(self.taken..).unwrap_or_default();
        let len = head.len().min(buf.len());
        buf[..len].copy_from_slice(&head[..len]);
        self.taken += len;
        len
    }

    /// Fills a buffer with what comes next, and returns how much that was.
    ///
    /// Reading waits for the disk where the file is not in memory: a server that has many clients wants threads for that.
    ///
    /// # Errors
    ///
    /// Those of read(2), and `UnexpectedEof` if the file has become shorter. The client was told a length, so all that
    /// is left is to close the connection.
    pub(crate) fn fill(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let len = self.fill_head(buf);
        let most = usize::try_from(self.left).unwrap_or(usize::MAX);
        let wanted = most.min(buf.len() - len);
        if let Some(file) = &mut self.body {
            file.read_exact(&mut buf[len..][..wanted])?;
        }
        self.left -= u64::try_from(wanted).unwrap_or(0);
        Ok(len + wanted)
    }
}
