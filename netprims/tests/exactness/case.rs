//! One thing that is asked, where, by whom, and how it is compared.

use std::os::fd::AsRawFd;
use std::process::Command;

use netprims::tuning::Report;
use nix::sched::{CloneFlags, unshare};

use super::host::{has_the_network, is_root, kernel, sysctl};
use super::open::Opened;
use super::sys;

/// Set in a process that was made root of a user namespace and a network namespace of its own.
const INSIDE: &str = "NETPRIMS_TEST_USER_NAMESPACE";
use super::want::Want;

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Who {
    Root,
    /// User 65534, without any capability.
    Nobody,
}

/// What is asked.
#[derive(Clone, Copy)]
pub(crate) struct Case {
    /// The sysctls of the fresh network namespace it is asked in; `None` for the process's own.
    fresh: Option<&'static [(&'static str, &'static str)]>,
    /// An option that the kernel answers for with this errno.
    hidden: Option<(i32, i32, i32)>,
    open: fn() -> Opened,
    ask: fn(&Opened, &World) -> netprims::Result<Report>,
}

/// A case, and what must come of it.
#[derive(Clone, Copy)]
pub(crate) struct Exact(pub(crate) Case, pub(crate) fn(&World) -> Want);

/// What is there once the case is set up.
pub(crate) struct World {
    pub(crate) kernel: (u32, u32),
    /// Whether the first user namespace's capabilities are there.
    pub(crate) system: bool,
    /// Whether those over the network namespace are.
    pub(crate) network: bool,
}

impl World {
    /// A sysctl that must be there.
    pub(crate) fn sysctl(&self, name: &str) -> String {
        sysctl(name).unwrap_or_else(|| panic!("{name} is not shown"))
    }

    /// A sysctl that is a number.
    pub(crate) fn number(&self, name: &str) -> u64 {
        self.sysctl(name).parse().unwrap()
    }
}

impl Case {
    pub(crate) fn of(
        open: fn() -> Opened,
        ask: fn(&Opened, &World) -> netprims::Result<Report>,
    ) -> Self {
        Self {
            fresh: None,
            hidden: None,
            open,
            ask,
        }
    }

    /// In a fresh network namespace with these sysctls.
    pub(crate) fn fresh(mut self, sysctls: &'static [(&'static str, &'static str)]) -> Self {
        self.fresh = Some(sysctls);
        self
    }

    /// Where a kernel answers with an errno for an option, as one without it does.
    pub(crate) fn hidden(mut self, level: i32, option: i32, errno: i32) -> Self {
        self.hidden = Some((level, option, errno));
        self
    }
}

impl Exact {
    /// Asks it, and compares what comes. `name` is the test's, for a process of its own where root is to be had only there.
    pub(crate) fn check(self, name: &str, who: Who) {
        if !is_root() && std::env::var_os(INSIDE).is_none() {
            return in_a_user_namespace(name);
        }
        let ended = std::thread::scope(|scope| scope.spawn(|| self.here(who)).join());
        if let Err(panic) = ended {
            std::panic::resume_unwind(panic);
        }
        println!("asked {name}");
    }

    /// On a thread of its own: namespace, privilege and filter stay.
    fn here(&self, who: Who) {
        let Self(case, want) = self;
        if std::env::var_os(INSIDE).is_some() {
            sys::loopback::set_up().unwrap();
        }
        if let Some(sysctls) = case.fresh {
            unshare(CloneFlags::CLONE_NEWNET).unwrap();
            sys::loopback::set_up().unwrap();
            for (name, value) in sysctls {
                let path = format!("/proc/sys/{}", name.replace('.', "/"));
                std::fs::write(&path, value).unwrap_or_else(|error| panic!("{path}: {error}"));
            }
        }
        let opened = (case.open)();
        if who == Who::Nobody {
            sys::unprivileged::become_nobody().unwrap();
            assert!(!has_the_network());
        }
        if let Some((level, option, errno)) = case.hidden {
            let errno = u16::try_from(errno).unwrap();
            sys::seccomp::refuse_option(level, option, errno).unwrap();
        }
        let world = World {
            kernel: kernel(),
            system: is_root(),
            network: has_the_network(),
        };
        let number = opened.fd.as_raw_fd();
        let got = Want::of_descriptor((case.ask)(&opened, &world), number);
        assert_eq!(got, want(&world), "{who:?}");
    }
}

fn in_a_user_namespace(name: &str) {
    let program = std::env::current_exe().unwrap();
    let output = Command::new("unshare")
        .args(["--user", "--map-root-user", "--net"])
        .arg(program)
        .args([name, "--nocapture", "--test-threads=1"])
        .env(INSIDE, "1")
        .output()
        .expect("unshare, of util-linux");
    let text = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "in a user namespace:\n{text}");
    let asked = format!("asked {name}\n");
    assert!(text.contains(&asked), "it was not asked:\n{text}");
}
