//! Writing sysctls, and whose they are, in a network namespace of the test's own.
#![expect(clippy::unwrap_used, reason = "a test's way to fail")]

use std::path::Path;

use again::{nothing_is_started, without_privilege};
use descriptors::balanced;
use netns::{Fresh, in_fresh};
use netprims::sysctl::{KNOWN, Scope, Sysctl, scopes};

mod again;
mod descriptors;
mod netns;

const BACKLOG: Sysctl = Sysctl::new("net.core.somaxconn");

#[test]
fn what_is_written_is_read_back() {
    in_fresh(Fresh::Network, "what_is_written_is_read_back", || {
        balanced(|| {
            BACKLOG.write(777).unwrap();
            assert_eq!(BACKLOG.read().unwrap().unwrap(), "777");
            let rmem = Sysctl::new("net.ipv4.tcp_rmem");
            rmem.write("4096 50000 60000").unwrap();
            assert_eq!(rmem.read().unwrap().unwrap(), "4096\t50000\t60000");
        });
    });
}

#[test]
fn a_value_the_kernel_does_not_take_changes_nothing() {
    let name = "a_value_the_kernel_does_not_take_changes_nothing";
    in_fresh(Fresh::Network, name, || {
        balanced(|| {
            BACKLOG.write(777).unwrap();
            for value in ["-1", "many", "99999999999999999999"] {
                let error = BACKLOG.write(value).unwrap_err();
                assert_eq!(error.raw_os_error(), Some(22), "{value}: {error}");
                assert!(error.to_string().contains("somaxconn"), "{error}");
            }
            assert_eq!(BACKLOG.read().unwrap().unwrap(), "777");
        });
    });
}

#[test]
fn words_before_the_one_that_is_refused_are_told() {
    let name = "words_before_the_one_that_is_refused_are_told";
    in_fresh(Fresh::Network, name, || {
        balanced(|| {
            let rmem = Sysctl::new("net.ipv4.tcp_rmem");
            for (value, now) in [
                ("5000 many", "5000 50000 60000"),
                ("5000 6000 2147483648", "5000 6000 60000"),
                ("many 6000", "4096 50000 60000"),
            ] {
                rmem.write("4096 50000 60000").unwrap();
                let error = rmem.write(value).unwrap_err();
                assert_eq!(error.raw_os_error(), Some(22), "{value}: {error}");
                let told = format!("net.ipv4.tcp_rmem, which is {now:?} now: Invalid");
                assert!(error.to_string().contains(&told), "{value}: {error}");
                let read = rmem.read().unwrap().unwrap();
                assert_eq!(read.replace('\t', " "), now, "{value}");
            }
            let error = rmem.write("many").unwrap_err().to_string();
            assert!(error.contains("net.ipv4.tcp_rmem: Invalid"), "{error}");
        });
    });
}

#[test]
fn fewer_words_than_there_are_set_the_first() {
    let name = "fewer_words_than_there_are_set_the_first";
    in_fresh(Fresh::Network, name, || {
        balanced(|| {
            let rmem = Sysctl::new("net.ipv4.tcp_rmem");
            rmem.write("4096 50000 60000").unwrap();
            rmem.write("5000 6000").unwrap();
            assert_eq!(rmem.read().unwrap().unwrap(), "5000\t6000\t60000");
        });
    });
}

#[test]
fn a_name_the_kernel_does_not_have_is_no_missing_sysctl() {
    let name = "a_name_the_kernel_does_not_have_is_no_missing_sysctl";
    in_fresh(Fresh::Network, name, || {
        balanced(|| {
            let congestion = Sysctl::new("net.ipv4.tcp_congestion_control");
            let before = congestion.read().unwrap();
            let error = congestion.write("no_such").unwrap_err();
            assert_eq!(error.raw_os_error(), Some(2), "{error}");
            let text = error.to_string();
            assert!(text.contains("module is not loaded"), "{text}");
            assert!(!text.contains("namespace"), "{text}");
            assert_eq!(congestion.read().unwrap(), before);
        });
    });
}

#[test]
fn a_value_that_is_taken_in_part_is_an_error() {
    in_fresh(
        Fresh::Network,
        "a_value_that_is_taken_in_part_is_an_error",
        || {
            balanced(|| {
                let error = BACKLOG.write("888 and more").unwrap_err();
                let text = error.to_string();
                assert!(text.contains("took only \"888"), "{text}");
                assert_eq!(BACKLOG.read().unwrap().unwrap(), "888");
            });
        },
    );
}

#[test]
fn what_is_not_there_cannot_be_written() {
    in_fresh(
        Fresh::Network,
        "what_is_not_there_cannot_be_written",
        || {
            balanced(|| {
                for name in ["net.core.busy_poll", "net.core.no_such_thing"] {
                    let error = Sysctl::new(name).write(1).unwrap_err();
                    assert_eq!(error.raw_os_error(), Some(2), "{error}");
                    let text = error.to_string();
                    assert!(text.contains("not in this network namespace"), "{text}");
                }
                let list = Sysctl::new("net.ipv4.tcp_available_congestion_control");
                let error = list.write("reno").unwrap_err();
                assert!(error.to_string().contains("read-only"), "{error}");
            });
        },
    );
}

#[test]
fn each_known_sysctl_has_the_scope_that_is_told() {
    let name = "each_known_sysctl_has_the_scope_that_is_told";
    // Only the first namespace shows all of them, and to look from there takes root.
    if nix::unistd::geteuid().is_root() {
        let _quiet = nothing_is_started();
        balanced(scopes_are_true);
    } else {
        in_fresh(Fresh::Network, name, || balanced(scopes_are_true));
    }
}

fn scopes_are_true() {
    let told = scopes(KNOWN).unwrap();
    let found: Vec<_> = KNOWN.iter().map(|known| truth::of(known.name())).collect();
    for ((known, told), found) in KNOWN.iter().zip(&told).zip(&found) {
        assert_eq!(told, found, "{known}");
    }
    // What kernels since 6.1 have in common.
    for name in ["net.core.somaxconn", "net.ipv4.tcp_rmem"] {
        assert_eq!(scope_of(&found, name), Some(Scope::Namespace), "{name}");
    }
    let list = "net.ipv4.tcp_available_congestion_control";
    let global = Some(Scope::ReadOnlyInChildren);
    assert_eq!(scope_of(&found, list), global);
    // A namespace that is not the first shows no other kind.
    let first = Some(Scope::FirstNamespace);
    let backlog = "net.core.netdev_max_backlog";
    let shown = Path::new("/proc/sys/net/core/netdev_max_backlog").exists();
    assert_eq!(scope_of(&found, backlog), first.filter(|_| shown));
    for name in [backlog, "net.ipv4.tcp_mem"] {
        assert_eq!(scope_of(&found, name).is_some(), shown, "{name}");
    }
}

fn scope_of(found: &[Option<Scope>], name: &str) -> Option<Scope> {
    let at = KNOWN.iter().position(|known| known.name() == name);
    found[at.unwrap_or_else(|| panic!("{name} is not known"))]
}

#[test]
fn what_is_shown_nowhere_has_no_scope() {
    in_fresh(Fresh::Network, "what_is_shown_nowhere_has_no_scope", || {
        balanced(|| {
            assert_eq!(BACKLOG.scope().unwrap(), Some(Scope::Namespace));
            // Neither this namespace nor a fresh one is the first.
            for name in ["net.core.nothing_here", "net.core.netdev_max_backlog"] {
                assert_eq!(Sysctl::new(name).scope().unwrap(), None, "{name}");
            }
        });
    });
}

/// Whose a sysctl is, found without the crate: by writing to it in a fresh namespace and looking who sees the change.
mod truth {
    use std::fs;
    use std::io::ErrorKind;

    use netprims::sysctl::Scope;
    use nix::sched::{CloneFlags, unshare};

    /// What came of writing in a fresh namespace.
    enum Written {
        /// It is not shown there.
        Absent,
        /// Nobody may.
        Refused,
        /// Its value there became another one.
        Changed,
    }

    pub(crate) fn of(name: &str) -> Option<Scope> {
        let path = format!("/proc/sys/{}", name.replace('.', "/"));
        let before = fs::read_to_string(&path).ok();
        let child = std::thread::spawn({
            let path = path.clone();
            move || {
                unshare(CloneFlags::CLONE_NEWNET).unwrap();
                write(&path)
            }
        });
        let written = child.join().unwrap();
        let after = fs::read_to_string(&path).ok();
        if before != after {
            // The kernel would have let a child change the system.
            let restored = before.as_deref().map(|value| fs::write(&path, value));
            panic!("{name}: a child changed {before:?} to {after:?}; put back: {restored:?}");
        }
        match (before, written) {
            (None, Written::Absent) => None,
            (Some(_), Written::Absent) => Some(Scope::FirstNamespace),
            (_, Written::Refused) => Some(Scope::ReadOnlyInChildren),
            (_, Written::Changed) => Some(Scope::Namespace),
        }
    }

    fn write(path: &str) -> Written {
        let Ok(before) = fs::read_to_string(path) else {
            return Written::Absent;
        };
        for value in others(before.trim_end()) {
            match fs::write(path, &value) {
                Ok(()) => {}
                Err(error) if error.kind() == ErrorKind::PermissionDenied => {
                    return Written::Refused;
                }
                // Not a value for this one.
                Err(_) => continue,
            }
            let after = fs::read_to_string(path).unwrap();
            if after != before {
                return Written::Changed;
            }
        }
        panic!("{path}: no other value than {before:?} is taken");
    }

    /// Values that are not this one, of which the kernel takes one: its first number changed by one, or another word.
    fn others(value: &str) -> Vec<String> {
        let (first, rest) = value
            .split_once(char::is_whitespace)
            .map_or((value, String::new()), |(first, rest)| {
                (first, format!(" {rest}"))
            });
        match first.parse::<u64>() {
            Ok(number) => [number.checked_add(1), number.checked_sub(1)]
                .into_iter()
                .flatten()
                .map(|number| format!("{number}{rest}"))
                .collect(),
            Err(_) => ["reno", "cubic"]
                .into_iter()
                .filter(|word| *word != value)
                .map(str::to_owned)
                .collect(),
        }
    }
}

#[test]
fn looking_without_the_privilege_says_which() {
    without_privilege("looking_without_the_privilege_says_which", || {
        balanced(|| {
            let text = BACKLOG.scope().unwrap_err().to_string();
            assert!(text.contains("CAP_SYS_ADMIN"), "{text}");
        });
    });
}
