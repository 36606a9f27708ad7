use std::ffi::CString;
use std::fs::File;
use std::os::fd::{AsRawFd, OwnedFd};

use nix::fcntl::{FcntlArg, SealFlag, fcntl};
use nix::sys::memfd::{MFdFlags, memfd_create};

use super::{owned_fd, retry};
use crate::{Error, Result};

/// Memory without a file system, to be mapped or passed to another process, with seals a receiver can rely on.
///
/// ```
/// use std::fs::File;
/// use std::io::Write;
/// use netprims::fd::{MemFdOptions, Seals};
///
/// let memory = MemFdOptions::new("table").sealable(true).open()?;
/// memory.set_len(4096)?;
/// memory.seal(Seals::SHRINK.and(Seals::GROW))?;
/// assert!(memory.seals()?.contains(Seals::SHRINK));
/// memory.set_len(0).unwrap_err();
///
/// File::from(memory).write_all(b"as any file")?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct MemFd {
    fd: OwnedFd,
}

impl MemFd {
    /// Empty memory that takes no seals: [`MemFdOptions`] with its defaults.
    ///
    /// # Errors
    ///
    /// Those of [`MemFdOptions::open`].
    pub fn new(name: &str) -> Result<Self> {
        MemFdOptions::new(name).open()
    }

    /// Its length in bytes.
    ///
    /// # Errors
    ///
    /// [`Error::System`] if the kernel refuses, which it does not for a memfd.
    pub fn len(&self) -> Result<u64> {
        let stat = nix::sys::stat::fstat(&self.fd);
        let stat = stat.map_err(|errno| Error::system("fstat", self.name(), errno.into()))?;
        // Never negative for a file.
        Ok(u64::try_from(stat.st_size).unwrap_or_default())
    }

    /// Whether its length is 0.
    ///
    /// # Errors
    ///
    /// Those of [`len`](Self::len).
    pub fn is_empty(&self) -> Result<bool> {
        Ok(self.len()? == 0)
    }

    /// Cuts or extends it, with zeros, to so many bytes. Pages are taken when they are touched. Cutting what somebody has
    /// mapped makes their next access a `SIGBUS`: hence [`Seals::SHRINK`].
    ///
    /// # Errors
    ///
    /// - [`Error::InvalidValue`]: 2⁶³ bytes or more.
    /// - [`Error::System`]: `EPERM` if it is sealed, `EFBIG` past `RLIMIT_FSIZE` or what the kernel can hold.
    ///
    /// Source: ftruncate(2).
    #[doc(alias = "ftruncate")]
    pub fn set_len(&self, bytes: u64) -> Result<()> {
        let len = libc::off_t::try_from(bytes).map_err(|_| Error::InvalidValue {
            option: "memfd length",
            value: bytes.to_string(),
            reason: "a file has less than 2^63 bytes",
        })?;
        retry(|| nix::unistd::ftruncate(&self.fd, len))
            .map_err(|error| Error::system("ftruncate", self.name(), error))
    }

    /// Adds seals. They hold for every descriptor of this memory, in every process, and are never taken off.
    ///
    /// # Errors
    ///
    /// [`Error::System`]: `EPERM` if it takes no (more) seals, `EBUSY` for [`Seals::WRITE`] while somebody has it mapped
    /// writable, `EINVAL` for a seal this kernel does not know.
    ///
    /// Source: F_ADD_SEALS in fcntl(2).
    #[doc(alias = "F_ADD_SEALS")]
    pub fn seal(&self, seals: Seals) -> Result<()> {
        fcntl(&self.fd, FcntlArg::F_ADD_SEALS(seals.flags))
            .map(drop)
            .map_err(|errno| Error::system("fcntl F_ADD_SEALS", self.name(), errno.into()))
    }

    /// The seals in effect. Memory that was received from elsewhere is relied on only as far as they say.
    ///
    /// # Errors
    ///
    /// [`Error::System`]: `EINVAL` if the descriptor this was made from is no memory.
    #[doc(alias = "F_GET_SEALS")]
    pub fn seals(&self) -> Result<Seals> {
        fcntl(&self.fd, FcntlArg::F_GET_SEALS)
            .map(|bits| Seals::of(SealFlag::from_bits_retain(bits)))
            .map_err(|errno| Error::system("fcntl F_GET_SEALS", self.name(), errno.into()))
    }

    fn name(&self) -> String {
        format!("memfd {}", self.fd.as_raw_fd())
    }
}

owned_fd!(MemFd);

impl From<MemFd> for File {
    fn from(memory: MemFd) -> Self {
        memory.fd.into()
    }
}

impl From<File> for MemFd {
    fn from(file: File) -> Self {
        Self { fd: file.into() }
    }
}

/// What can no longer be done to a [`MemFd`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seals {
    flags: SealFlag,
}

impl Seals {
    /// None.
    pub const NONE: Self = Self::of(SealFlag::empty());
    /// It takes no more seals.
    #[doc(alias = "F_SEAL_SEAL")]
    pub const SEAL: Self = Self::of(SealFlag::F_SEAL_SEAL);
    /// It cannot become shorter: a mapping of it never faults.
    #[doc(alias = "F_SEAL_SHRINK")]
    pub const SHRINK: Self = Self::of(SealFlag::F_SEAL_SHRINK);
    /// It cannot become longer.
    #[doc(alias = "F_SEAL_GROW")]
    pub const GROW: Self = Self::of(SealFlag::F_SEAL_GROW);
    /// Nobody can write to it.
    #[doc(alias = "F_SEAL_WRITE")]
    pub const WRITE: Self = Self::of(SealFlag::F_SEAL_WRITE);
    /// Only those can write to it who have it mapped writable already. Linux 5.1.
    #[doc(alias = "F_SEAL_FUTURE_WRITE")]
    pub const FUTURE_WRITE: Self = Self::of(SealFlag::from_bits_retain(libc::F_SEAL_FUTURE_WRITE));

    const fn of(flags: SealFlag) -> Self {
        Self { flags }
    }

    /// Both.
    pub const fn and(self, other: Self) -> Self {
        Self::of(self.flags.union(other.flags))
    }

    /// Whether all of these are among them.
    pub const fn contains(self, others: Self) -> bool {
        self.flags.contains(others.flags)
    }
}

/// How to make a [`MemFd`]. A plain value: `const`-buildable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MemFdOptions<'a> {
    name: &'a str,
    sealable: bool,
}

impl<'a> MemFdOptions<'a> {
    /// Memory by this name, which `/proc/PID/fd` and `/proc/PID/maps` show and nothing else uses: at most 249 bytes
    /// without NUL; need not be unique.
    pub const fn new(name: &'a str) -> Self {
        Self {
            name,
            sealable: false,
        }
    }

    /// Whether it takes [seals](MemFd::seal). Default: it does not.
    #[doc(alias = "MFD_ALLOW_SEALING")]
    pub const fn sealable(mut self, sealable: bool) -> Self {
        self.sealable = sealable;
        self
    }

    /// Makes it, empty and close-on-exec.
    ///
    /// # Errors
    ///
    /// - [`Error::InvalidValue`]: the name is too long or has a NUL.
    /// - [`Error::System`]: `EMFILE`, `ENFILE`, `ENOMEM`.
    ///
    /// Source: memfd_create(2).
    #[doc(alias = "memfd_create")]
    pub fn open(self) -> Result<MemFd> {
        let invalid = |reason| Error::InvalidValue {
            option: "memfd name",
            value: format!("{:?}", self.name),
            reason,
        };
        if self.name.len() > 249 {
            return Err(invalid("a name has at most 249 bytes"));
        }
        let name = CString::new(self.name).map_err(|_| invalid("a name has no NUL"))?;
        let mut flags = MFdFlags::MFD_CLOEXEC;
        flags.set(MFdFlags::MFD_ALLOW_SEALING, self.sealable);
        memfd_create(name.as_c_str(), flags)
            .map(MemFd::from)
            .map_err(|errno| Error::system("memfd_create", self.name, errno.into()))
    }
}
