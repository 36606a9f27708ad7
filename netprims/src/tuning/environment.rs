use crate::sysctl::Sysctl;

/// What a decision about a cause may look up. A trait, so that the decisions are tested without a kernel.
pub(super) trait Environment {
    /// The value of a sysctl, `None` where it cannot be seen.
    fn sysctl(&self, name: &'static str) -> Option<String>;

    /// A sysctl that is one number.
    fn number(&self, name: &'static str) -> Option<u64> {
        self.sysctl(name)?.parse().ok()
    }

    /// A sysctl that is a list of words.
    fn words(&self, name: &'static str) -> Vec<String> {
        let list = self.sysctl(name).unwrap_or_default();
        list.split_ascii_whitespace().map(str::to_owned).collect()
    }
}

/// The running kernel, as the calling thread's network namespace shows it.
pub(super) struct Host;

impl Environment for Host {
    fn sysctl(&self, name: &'static str) -> Option<String> {
        Sysctl::new(name).read().ok().flatten()
    }
}

#[cfg(test)]
pub(super) mod fake {
    use super::Environment;

    /// Exactly the sysctls a test names.
    pub(crate) struct Fake(pub(crate) &'static [(&'static str, &'static str)]);

    impl Environment for Fake {
        fn sysctl(&self, name: &'static str) -> Option<String> {
            let (_, value) = self.0.iter().find(|(key, _)| *key == name)?;
            Some((*value).to_owned())
        }
    }
}
