//! What the kernel says of itself and of the calling thread, read without the crate.

/// The kernel's major and minor number.
pub(crate) fn kernel() -> (u32, u32) {
    let release = sysctl("kernel.osrelease").expect("the kernel's release");
    let mut parts = release.split(|c: char| !c.is_ascii_digit());
    let mut next = || parts.next().and_then(|part| part.parse().ok());
    next().zip(next()).expect("a version")
}

/// A sysctl as the calling thread's namespace shows it, its words apart by blanks.
pub(crate) fn sysctl(name: &str) -> Option<String> {
    let text = std::fs::read_to_string(format!("/proc/sys/{}", name.replace('.', "/"))).ok()?;
    Some(text.split_whitespace().collect::<Vec<_>>().join(" "))
}

/// Whether the calling thread has CAP_NET_ADMIN and CAP_NET_RAW in its user namespace.
pub(crate) fn has_the_network() -> bool {
    let status = std::fs::read_to_string("/proc/thread-self/status").expect("a thread's status");
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("CapEff:"))
        .expect("its capabilities");
    let set = u64::from_str_radix(line.trim(), 16).expect("a set of capabilities");
    set >> 12 & 3 == 3
}

/// Whether it has them in the first user namespace.
pub(crate) fn is_root() -> bool {
    let namespace = std::fs::read_link("/proc/self/ns/user").expect("a user namespace");
    has_the_network() && namespace.to_string_lossy() == "user:[4026531837]"
}
