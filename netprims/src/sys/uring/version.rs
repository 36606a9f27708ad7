//! The version of the kernel that runs the tests, for what it must know from some version on.

use crate::sysctl::Sysctl;

/// Whether it is this version or a newer one. Not for what is backported.
pub(crate) fn is_at_least(major: u32, minor: u32) -> bool {
    let release = Sysctl::new("kernel.osrelease").read().unwrap().unwrap();
    let mut numbers = release.split(|c: char| !c.is_ascii_digit());
    let mut next = || -> u32 { numbers.next().unwrap().parse().unwrap() };
    (next(), next()) >= (major, minor)
}
