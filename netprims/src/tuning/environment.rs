use std::cell::OnceCell;

use socket2::{Domain, SockRef, Socket, Type};

use super::Unseen;
use crate::caller::{Caller, Capability};
use crate::sys::sockopt::namespace_cookie;
use crate::sysctl::Sysctl;

/// What a decision about a cause may look up. A trait, so that the decisions are tested without a kernel.
pub(super) trait Environment {
    /// The value of a sysctl that rules the socket.
    fn sysctl(&self, name: &'static str) -> Result<String, Unseen>;

    /// Whether the thread has a capability in the first user namespace; `None` if that cannot be seen.
    fn has(&self, capability: Capability) -> Option<bool>;

    /// Whether the thread has a capability in its own user namespace; `None` if that cannot be seen.
    fn holds(&self, capability: Capability) -> Option<bool>;

    /// A sysctl that is one number.
    fn number(&self, name: &'static str) -> Result<u64, Unseen> {
        self.sysctl(name)?.parse().map_err(|_| Unseen::Unreadable)
    }

    /// A sysctl that is a list of words; empty where it cannot be seen.
    fn words(&self, name: &'static str) -> Vec<String> {
        let list = self.sysctl(name).unwrap_or_default();
        list.split_ascii_whitespace().map(str::to_owned).collect()
    }
}

/// The running kernel, as the calling thread's network namespace shows it.
pub(super) struct Host<'a> {
    socket: &'a SockRef<'a>,
    /// Why the sysctls this thread sees are not the socket's, if they are not. Looked up when first needed.
    unseen: OnceCell<Option<Unseen>>,
}

impl<'a> Host<'a> {
    pub(super) fn of(socket: &'a SockRef<'a>) -> Self {
        Self {
            socket,
            unseen: OnceCell::new(),
        }
    }

    /// A socket keeps the network namespace it was opened in; what the thread sees is that of its own.
    fn namespace(&self) -> Option<Unseen> {
        *self.unseen.get_or_init(|| {
            // A kernel that does not tell namespaces apart (before Linux 5.14) is taken to have one.
            let theirs = namespace_cookie(&**self.socket).ok()?;
            let fresh = Socket::new(Domain::UNIX, Type::DGRAM, None);
            match fresh.and_then(|fresh| namespace_cookie(&fresh)) {
                Ok(ours) if ours == theirs => None,
                Ok(_) => Some(Unseen::OtherNamespace),
                Err(_) => Some(Unseen::Unreadable),
            }
        })
    }
}

impl Environment for Host<'_> {
    fn sysctl(&self, name: &'static str) -> Result<String, Unseen> {
        if let Some(unseen) = self.namespace() {
            return Err(unseen);
        }
        match Sysctl::new(name).read() {
            Ok(value) => value.ok_or(Unseen::Absent),
            Err(_) => Err(Unseen::Unreadable),
        }
    }

    fn has(&self, capability: Capability) -> Option<bool> {
        Caller::look().has(capability)
    }

    fn holds(&self, capability: Capability) -> Option<bool> {
        Caller::look().holds(capability)
    }
}

#[cfg(test)]
pub(super) mod fake {
    use super::{Capability, Environment, Unseen};

    /// Exactly the sysctls a test names, and no privilege.
    pub(crate) struct Fake(pub(crate) &'static [(&'static str, &'static str)]);

    impl Environment for Fake {
        fn sysctl(&self, name: &'static str) -> Result<String, Unseen> {
            let found = self.0.iter().find(|(key, _)| *key == name);
            let (_, value) = found.ok_or(Unseen::Absent)?;
            Ok((*value).to_owned())
        }

        fn has(&self, _: Capability) -> Option<bool> {
            Some(false)
        }

        fn holds(&self, _: Capability) -> Option<bool> {
            Some(false)
        }
    }
}
