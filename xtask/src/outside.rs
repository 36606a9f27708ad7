//! A project outside the workspace that depends on the packages as published: it must build,
//! document and run where no RDMA library, libudev, libclang or cmake is installed.

use crate::lab::target_folder;
use crate::run;
use anyhow::{Context, Result, bail};
use nix::unistd::Uid;
use std::fs;
use std::path::Path;

const PROGRAM: &str = include_str!("../outside/main.rs");
const PACKAGES: &[&str] = &["netprims", "netprims-rdma", "netprims-sriov"];

/// Hides, in a mount namespace of its own, what the packages must not need; then runs cargo. A
/// character device 0/0 in an overlay's upper layer hides the file below it.
const SCRIPT: &str = r#"
set -e
mount -t tmpfs tmpfs "$1"
mkdir "$1/upper" "$1/work"
for path in /usr/lib/*/libibverbs* /usr/lib/*/librdmacm* /usr/lib/*/libudev* /usr/lib/*/libclang* \
    /usr/lib/llvm* /usr/lib64/libibverbs* /usr/lib64/librdmacm* /usr/lib64/libudev* \
    /usr/bin/cmake /usr/bin/llvm-config* /usr/bin/pkg-config /usr/bin/pkgconf \
    /usr/include/infiniband /usr/include/rdma /usr/include/libudev.h; do
    [ -e "$path" ] || [ -L "$path" ] || continue
    hidden="$1/upper/${path#/usr/}"
    mkdir -p "${hidden%/*}"
    mknod "$hidden" c 0 0
done
mount -t overlay overlay -o "lowerdir=/usr,upperdir=$1/upper,workdir=$1/work" /usr
for name in libibverbs.so.1 librdmacm.so.1 libudev.so.1; do
    ! ls /usr/lib/*/"$name" 2>/dev/null || exit 99
done
cd "$2"
"$CARGO" build --offline --quiet
"$CARGO" doc --offline --quiet --no-deps --package netprims --package netprims-rdma --package netprims-sriov
"$CARGO" run --offline --quiet
"#;

/// Packages the three crates and puts them to use.
pub(crate) fn check(checkout: &Path) -> Result<()> {
    let target = target_folder(checkout)?;
    let mut package = run::cargo(checkout);
    package.args(["package", "--quiet", "--allow-dirty", "--no-verify"]);
    for name in PACKAGES {
        package.args(["--package", name]);
    }
    run::quiet(&mut package).context("cargo package")?;
    let project = target.join("outside");
    let crates = project.join("crates");
    let _ = fs::remove_dir_all(&crates);
    fs::create_dir_all(project.join("src")).context("cannot create the project")?;
    fs::create_dir_all(&crates).context("cannot create the project")?;
    let mut manifest = String::from(
        "[package]\nname = \"outside\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\n[workspace]\n\n[dependencies]\n",
    );
    for name in PACKAGES {
        let version = env!("CARGO_PKG_VERSION");
        let archive = target
            .join("package")
            .join(format!("{name}-{version}.crate"));
        run::quiet(
            run::program("tar")
                .arg("-xzf")
                .arg(&archive)
                .arg("-C")
                .arg(&crates),
        )?;
        manifest += &format!("{name} = {{ path = \"crates/{name}-{version}\" }}\n");
    }
    fs::write(project.join("Cargo.toml"), manifest).context("cannot write the project")?;
    fs::write(project.join("src/main.rs"), PROGRAM).context("cannot write the project")?;
    fs::copy(checkout.join("Cargo.lock"), project.join("Cargo.lock"))
        .context("cannot write the project")?;
    let hidden = tempfile::tempdir().context("cannot create a folder")?;
    let mut command = run::program("unshare");
    if !Uid::effective().is_root() {
        command.args(["--user", "--map-root-user"]);
    }
    command
        .args(["--mount", "sh", "-c", SCRIPT, "sh"])
        .arg(hidden.path())
        .arg(&project);
    command
        .env("CARGO", run::cargo(checkout).get_program())
        .env("CARGO_TARGET_DIR", project.join("target"));
    let said = run::text(&mut command)
        .context("outside the workspace, without RDMA libraries, libudev, libclang and cmake")?;
    // Seen by the program itself: the library is reported missing and the socket is tuned.
    for words in ["rdma: library missing", "socket: tuned", "sriov: "] {
        if !said.contains(words) {
            bail!("the project outside the workspace did not say {words:?}: {said}");
        }
    }
    Ok(())
}
