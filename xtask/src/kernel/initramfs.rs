//! The initramfs of a boot: busybox, the modules in load order, and PID 1.

use super::modules::{self, Dependencies};
use super::{Kernel, Manifest};
use anyhow::{Context, Result};
use std::fs;
use std::io::Write;
use std::path::Path;

const INIT: &str = include_str!("../../../lab/init.sh");

/// Writes the archive. Modules are kept unpacked in the cache: the guest has no xz.
pub(super) fn write(kernel: &Kernel, manifest: &Manifest, path: &Path) -> Result<()> {
    let folder = kernel.modules().join(&kernel.resolved.release);
    let dependencies = Dependencies::read(&folder)?;
    let unpacked = kernel.folder.join("unpacked");
    fs::create_dir_all(&unpacked).context("cannot create the folder for unpacked modules")?;
    let mut archive = Archive::default();
    for name in ["bin", "modules"] {
        archive.add(name, 0o040_755, b"");
    }
    let busybox = fs::read(kernel.folder.join("busybox")).context("cannot read busybox")?;
    archive.add("bin/busybox", 0o100_755, &busybox);
    // The kernel runs /init through the interpreter its first line names.
    archive.add("bin/sh", 0o120_777, b"busybox");
    archive.add("init", 0o100_755, INIT.as_bytes());
    let mut order = String::new();
    for file in dependencies.load_order(&manifest.modules)? {
        let name = format!("{}.ko", modules::module_name(&file.to_string_lossy()));
        let kept = unpacked.join(&name);
        if !kept.exists() {
            let partial = unpacked.join(format!("{name}.{}", std::process::id()));
            fs::write(&partial, modules::load(&file)?).context("cannot unpack a module")?;
            fs::rename(&partial, &kept).context("cannot keep an unpacked module")?;
        }
        archive.add(
            &format!("modules/{name}"),
            0o100_644,
            &fs::read(&kept).context("cannot read a module")?,
        );
        order += &format!("{name}\n");
    }
    archive.add("modules/order", 0o100_644, order.as_bytes());
    fs::write(path, archive.finish()).with_context(|| format!("cannot write {}", path.display()))
}

/// A cpio archive in the `newc` form the kernel reads (Documentation/driver-api/early-userspace).
#[derive(Default)]
struct Archive {
    bytes: Vec<u8>,
    entries: u32,
}

impl Archive {
    fn add(&mut self, name: &str, mode: u32, content: &[u8]) {
        self.entries += 1;
        let fields = [
            self.entries,
            mode,
            0, // uid
            0, // gid
            1, // links
            0, // mtime
            u32::try_from(content.len()).unwrap_or(u32::MAX),
            0, // device
            0,
            0, // device of a device node
            0,
            u32::try_from(name.len() + 1).unwrap_or(u32::MAX),
            0, // checksum: none in this form
        ];
        self.bytes.extend_from_slice(b"070701");
        for field in fields {
            // Writing to a vector cannot fail.
            let _ = write!(self.bytes, "{field:08x}");
        }
        self.bytes.extend_from_slice(name.as_bytes());
        self.bytes.push(0);
        self.pad();
        self.bytes.extend_from_slice(content);
        self.pad();
    }

    fn pad(&mut self) {
        while self.bytes.len() % 4 != 0 {
            self.bytes.push(0);
        }
    }

    fn finish(mut self) -> Vec<u8> {
        self.add("TRAILER!!!", 0, b"");
        self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_has_a_header_of_110_bytes_and_is_padded_to_four() {
        let mut archive = Archive::default();
        archive.add("abc", 0o100_644, b"hello");
        assert_eq!(&archive.bytes[..14], b"07070100000001");
        assert_eq!(&archive.bytes[110..114], b"abc\0");
        assert_eq!(archive.bytes.len(), 116 + 8);
        assert_eq!(&archive.bytes[116..124], b"hello\0\0\0");
    }
}
