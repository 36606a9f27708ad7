//! What verbs are measured against: a stand-in for libibverbs, and programs in C and of other crates that post to it.

use crate::apt::{self, Apt};
use crate::cache::Cache;
use crate::host;
use crate::lab::target_folder;
use crate::run;
use crate::ui;
use anyhow::{Context, Result};
use std::env;
use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What is built with these runs wherever a newer release's would, too.
const SUITE: &str = "bookworm";

/// The headers of libibverbs, and what the other crates generate their bindings with: cmake and libclang, with the
/// libraries of theirs that a machine without them may lack.
const PACKAGES: &[&str] = &[
    "libibverbs-dev",
    "cmake",
    "cmake-data",
    "libarchive13",
    "libcurl4",
    "libjsoncpp25",
    "librhash0",
    "libuv1",
    "libclang1-14",
    "libclang-common-14-dev",
    "libllvm14",
    "libnl-3-200",
    "libnl-3-dev",
    "libnl-route-3-200",
    "libnl-route-3-dev",
];
const WITHOUT: &[&str] = &["./usr/share/doc", "./usr/share/man", "*.a"];
const MIB: u64 = 400;

/// The crates to compare with; each may fail to build on a machine.
const CRATES: &[&str] = &["sideway", "ibverbs"];

/// The programs, built.
pub(super) struct VerbsPeers {
    /// The folder with the programs.
    pub(super) programs: PathBuf,
    /// The folder with the stand-in.
    pub(super) provider: PathBuf,
}

impl VerbsPeers {
    /// Sees to it that they are there.
    pub(super) fn provide(checkout: &Path) -> Result<VerbsPeers> {
        let cache = Cache::open()?;
        host::provide_programs(&["cc", "make", "pkg-config"])?;
        let name = "verbs-peers";
        let mut packages = cache.root().join(name);
        if !packages.exists() {
            cache.require_free(MIB)?;
            packages = cache.publish(name, |partial| fill(&cache, partial))?;
        }
        drop(cache);
        let target = target_folder(checkout)?.join("verbs-peers");
        let peers = VerbsPeers {
            programs: target.join("release"),
            provider: target.join("provider"),
        };
        let sources = checkout.join("benches/verbs_peers");
        ui::step(
            "build the stand-in for libibverbs and the peer in C",
            || {
                fs::create_dir_all(&peers.programs).context("cannot make the peers' folder")?;
                fs::create_dir_all(&peers.provider).context("cannot make the stand-in's folder")?;
                peers.compile(&sources, &packages)
            },
        )?;
        for name in CRATES {
            let built = ui::step(&format!("build {name} and what posts by it"), || {
                let mut cargo = run::cargo(checkout);
                cargo.current_dir(&sources);
                cargo.args(["build", "--quiet", "--locked", "--release", "--package"]);
                cargo.arg(format!("verbs_{name}"));
                cargo.arg("--target-dir").arg(&target);
                peers.lend(&mut cargo, &packages);
                run::quiet(&mut cargo).map(drop)
            });
            if let Err(error) = built {
                // An old program is not what the sources say.
                let _ = fs::remove_file(peers.programs.join(format!("verbs_{name}")));
                eprintln!("  {name} cannot be built here and is left out: {error:#}");
            }
        }
        Ok(peers)
    }

    fn compile(&self, sources: &Path, packages: &Path) -> Result<()> {
        let cc = || {
            let mut cc = run::program("cc");
            cc.args(["-O2", "-Wall", "-Wextra", "-Werror", "-isystem"]);
            cc.arg(packages.join("usr/include"));
            cc
        };
        let provider = sources.join("provider");
        let mut version_script = OsString::from("-Wl,-soname,libibverbs.so.1,--version-script,");
        version_script.push(provider.join("provider.map"));
        let library = self.provider.join("libibverbs.so.1");
        let mut shared = cc();
        shared.args(["-fPIC", "-shared", "-fvisibility=hidden"]);
        shared.arg(version_script).arg("-o").arg(&library);
        shared.args(["provider.c", "absent.c"].map(|file| provider.join(file)));
        run::quiet(&mut shared).context("the stand-in for libibverbs")?;
        let link = self.provider.join("libibverbs.so");
        if !link.exists() {
            symlink("libibverbs.so.1", link).context("cannot link to the stand-in")?;
        }
        let mut program = cc();
        program.arg("-o").arg(self.programs.join("verbs_c"));
        program.arg(sources.join("c/verbs_c.c"));
        program.arg("-L").arg(&self.provider).arg("-libverbs");
        run::quiet(&mut program).context("the peer in C")?;
        Ok(())
    }

    /// Lets a build use the packages, and link with the stand-in.
    fn lend(&self, cargo: &mut Command, packages: &Path) {
        let triple = format!("{}-linux-gnu", env::consts::ARCH);
        let libraries = ["usr/lib", "lib"].map(|folder| packages.join(folder).join(&triple));
        let joined = |first: &[PathBuf], variable: &str| {
            let others = env::var_os(variable).unwrap_or_default();
            let all = first.iter().cloned().chain(env::split_paths(&others));
            env::join_paths(all).unwrap_or_default()
        };
        let [library, other] = &libraries;
        let link = [&self.provider, library, other].map(PathBuf::clone);
        let mut flags = OsString::new();
        for folder in &link {
            flags.push("-L");
            flags.push(folder);
            flags.push(" ");
        }
        // ibverbs looks for headers of its own where they are not built, and finds these.
        let mut isystem = OsString::new();
        for folder in ["usr/lib/llvm-14/lib/clang/14.0.6/include", "usr/include"] {
            isystem.push("-isystem ");
            isystem.push(packages.join(folder));
            isystem.push(" ");
        }
        cargo
            .env("PATH", joined(&[packages.join("usr/bin")], "PATH"))
            .env("LD_LIBRARY_PATH", joined(&libraries, "LD_LIBRARY_PATH"))
            .env("LIBRARY_PATH", joined(&link, "LIBRARY_PATH"))
            .env("LDFLAGS", flags)
            .env("LIBCLANG_PATH", library)
            .env("BINDGEN_EXTRA_CLANG_ARGS", isystem)
            .env("PKG_CONFIG_SYSROOT_DIR", packages)
            .env("PKG_CONFIG_LIBDIR", library.join("pkgconfig"));
    }
}

fn fill(cache: &Cache, partial: &Path) -> Result<()> {
    let apt = Apt::with_suites(&cache.root().join("apt").join(SUITE), &[SUITE], false)?;
    ui::step(&format!("package lists of {SUITE}"), || apt.update())?;
    let packages: Vec<String> = PACKAGES.iter().map(|name| (*name).to_owned()).collect();
    let folder = partial.join("debs");
    for deb in apt.download(&packages, &folder)? {
        apt::unpack(&deb, partial, WITHOUT)?;
    }
    fs::remove_dir_all(&folder).context("cannot remove the packages")
}
