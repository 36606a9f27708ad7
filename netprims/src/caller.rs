//! What the calling thread may do, as far as `/proc` shows it.

use std::fs;

/// The calling thread's credentials. Every question has the answer `None` where `/proc` could not be looked at.
#[derive(Clone, Debug, Default)]
pub(crate) struct Caller {
    /// `/proc/thread-self/status`.
    pub(crate) status: Option<String>,
    /// The target of `/proc/self/ns/user`.
    pub(crate) user_namespace: Option<String>,
}

/// A capability's number in `include/uapi/linux/capability.h`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(
    not(feature = "ring"),
    expect(clippy::enum_variant_names, reason = "the kernel's names")
)]
pub(crate) enum Capability {
    NetBindService = 10,
    NetAdmin = 12,
    NetRaw = 13,
    #[cfg(feature = "ring")]
    IpcLock = 14,
    #[cfg(feature = "ring")]
    SysAdmin = 21,
}

/// The first user namespace has had this number since namespaces have numbers (`PROC_USER_INIT_INO`).
const FIRST_USER_NAMESPACE: &str = "user:[4026531837]";

impl Caller {
    pub(crate) fn look() -> Self {
        let namespace = fs::read_link("/proc/self/ns/user").ok();
        Self {
            status: fs::read_to_string("/proc/thread-self/status").ok(),
            user_namespace: namespace.map(|path| path.to_string_lossy().into_owned()),
        }
    }

    /// Whether it has the capability in the first user namespace. What a process may do in a user namespace of its own
    /// does not count for what belongs to the system.
    pub(crate) fn has(&self, capability: Capability) -> Option<bool> {
        Some(self.holds(capability)? && self.is_in_first_user_namespace()?)
    }

    /// Whether it has the capability in its own user namespace.
    pub(crate) fn holds(&self, capability: Capability) -> Option<bool> {
        let set = u64::from_str_radix(self.field("CapEff:")?, 16).ok()?;
        Some(set >> (capability as u32) & 1 == 1)
    }

    pub(crate) fn is_in_first_user_namespace(&self) -> Option<bool> {
        let namespace = self.user_namespace.as_deref()?;
        Some(namespace == FIRST_USER_NAMESPACE)
    }

    /// Whether a seccomp filter is installed.
    #[cfg(feature = "ring")]
    pub(crate) fn is_filtered(&self) -> Option<bool> {
        Some(self.field("Seccomp:")? == "2")
    }

    /// Whether a group of the first user namespace is one of its groups.
    #[cfg(feature = "ring")]
    pub(crate) fn is_in_group(&self, group: u32) -> Option<bool> {
        // In another namespace the numbers mean other groups.
        if !self.is_in_first_user_namespace()? {
            return None;
        }
        let group = group.to_string();
        // Real, effective, saved, file system: the last is the one that counts.
        let own = self.field("Gid:")?.split_ascii_whitespace().nth(3)?;
        let mut others = self.field("Groups:")?.split_ascii_whitespace();
        Some(own == group || others.any(|other| other == group))
    }

    fn field(&self, name: &str) -> Option<&str> {
        let lines = self.status.as_deref()?.lines();
        lines
            .filter_map(|line| line.strip_prefix(name))
            .map(str::trim)
            .next()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    const FIRST: Option<&str> = Some(FIRST_USER_NAMESPACE);
    const OWN: Option<&str> = Some("user:[4026532123]");

    fn caller(status: Option<&str>, namespace: Option<&str>) -> Caller {
        Caller {
            status: status.map(str::to_owned),
            user_namespace: namespace.map(str::to_owned),
        }
    }

    #[rstest]
    #[case::has_it(Some("CapEff:\t0000000000001000\n"), FIRST, Some(true))]
    #[case::has_another(Some("CapEff:\t0000000000200000\n"), FIRST, Some(false))]
    #[case::only_in_its_own_namespace(Some("CapEff:\t000001ffffffffff\n"), OWN, Some(false))]
    #[case::namespace_out_of_sight(Some("CapEff:\t000001ffffffffff\n"), None, None)]
    #[case::status_out_of_sight(None, FIRST, None)]
    #[case::strange_status(Some("CapEff:\tmany\n"), FIRST, None)]
    fn a_capability_counts_in_the_first_user_namespace(
        #[case] status: Option<&str>,
        #[case] namespace: Option<&str>,
        #[case] want: Option<bool>,
    ) {
        assert_eq!(caller(status, namespace).has(Capability::NetAdmin), want);
    }

    #[rstest]
    #[case::holds_it(Some("CapEff:\t0000000000001000\n"), Some(true))]
    #[case::holds_another(Some("CapEff:\t0000000000002000\n"), Some(false))]
    #[case::out_of_sight(None, None)]
    fn a_capability_is_held_in_any_user_namespace(
        #[case] status: Option<&str>,
        #[case] want: Option<bool>,
    ) {
        let caller = caller(status, OWN);
        assert_eq!(caller.holds(Capability::NetAdmin), want);
    }

    #[cfg(feature = "ring")]
    #[rstest]
    #[case::supplementary(7, FIRST, Some(true))]
    #[case::own(1000, FIRST, Some(true))]
    #[case::only_real(999, FIRST, Some(false))]
    #[case::none(8, FIRST, Some(false))]
    #[case::numbers_of_another_namespace(7, OWN, None)]
    fn a_group_counts_in_the_first_user_namespace(
        #[case] group: u32,
        #[case] namespace: Option<&str>,
        #[case] want: Option<bool>,
    ) {
        let status = Some("Gid:\t999\t1000\t1000\t1000\nGroups:\t4 7 \n");
        assert_eq!(caller(status, namespace).is_in_group(group), want);
    }

    #[test]
    fn this_thread_can_be_looked_at() {
        let caller = Caller::look();
        assert!(caller.has(Capability::NetAdmin).is_some(), "{caller:?}");
    }
}
