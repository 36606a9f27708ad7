use std::ffi::OsString;
use std::fmt;
use std::fs;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

/// What is read of one attribute: the kernel gives at most a page.
const ATTRIBUTE_LIMIT: u64 = 64 * 1024;

/// The seam to sysfs. Tests replace it to produce errors, and writes that succeed and do nothing.
pub(crate) trait KernelFiles: Send + Sync {
    /// What an attribute says.
    fn read(&self, path: &Path) -> io::Result<Vec<u8>>;

    /// Writes an attribute with exactly one write(2).
    fn write(&self, path: &Path, value: &Value) -> io::Result<()>;

    /// Where a symbolic link points.
    fn read_link(&self, path: &Path) -> io::Result<PathBuf>;

    /// The names in a folder, in no order.
    fn list(&self, path: &Path) -> io::Result<Vec<OsString>>;

    /// Whether there is something at `path`, behind symbolic links.
    fn exists(&self, path: &Path) -> io::Result<bool>;
}

/// A value to write into an attribute. Never empty: a write of no bytes reaches no driver, and
/// leaves an attribute as it was while reporting success.
pub(crate) struct Value(String);

impl Value {
    /// A number with the line end that the kernel expects.
    pub(crate) fn number(number: u16) -> Self {
        Self(format!("{number}\n"))
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.trim_end())
    }
}

/// Files as the running system has them.
#[derive(Debug)]
pub(crate) struct SysfsFiles;

impl KernelFiles for SysfsFiles {
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        fs::File::open(path)?
            .take(ATTRIBUTE_LIMIT)
            .read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    fn write(&self, path: &Path, value: &Value) -> io::Result<()> {
        let bytes = value.0.as_bytes();
        let mut file = fs::File::options().write(true).open(path)?;
        // Not write_all: what follows a short write would be a command of its own.
        let written = loop {
            match file.write(bytes) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                result => break result?,
            }
        };
        if written == bytes.len() {
            Ok(())
        } else {
            Err(io::Error::new(
                io::ErrorKind::WriteZero,
                format!("the kernel took {written} of {} bytes", bytes.len()),
            ))
        }
    }

    fn read_link(&self, path: &Path) -> io::Result<PathBuf> {
        fs::read_link(path)
    }

    fn list(&self, path: &Path) -> io::Result<Vec<OsString>> {
        fs::read_dir(path)?
            .map(|entry| Ok(entry?.file_name()))
            .collect()
    }

    fn exists(&self, path: &Path) -> io::Result<bool> {
        path.try_exists()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_a_number_with_its_line_end_in_one_go() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("sriov_numvfs");
        fs::write(&path, "").unwrap();
        SysfsFiles.write(&path, &Value::number(4)).unwrap();
        assert_eq!(SysfsFiles.read(&path).unwrap(), b"4\n");
    }

    #[test]
    fn does_not_create_what_is_not_there() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("sriov_numvfs");
        let error = SysfsFiles.write(&path, &Value::number(4)).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
        assert!(!SysfsFiles.exists(&path).unwrap());
    }
}
