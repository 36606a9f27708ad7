//! What the crate owes a device, and whether it kept it.
//!
//! Real drivers say EBUSY to some of it, wait for ever at other, and believe the rest.

/// What exists, and what was done that must not be.
#[derive(Debug, Default)]
pub(crate) struct Contract {
    alive: Vec<Alive>,
    broken: Vec<String>,
}

/// An object, and those it uses.
#[derive(Debug)]
struct Alive {
    kind: &'static str,
    address: usize,
    needs: Vec<usize>,
}

impl Contract {
    /// An object was made. Of `needs`, 0 is none.
    pub(super) fn made(&mut self, kind: &'static str, address: usize, needs: &[usize]) {
        self.alive.push(Alive {
            kind,
            address,
            needs: needs.iter().copied().filter(|need| *need != 0).collect(),
        });
    }

    /// An object is to end: it must exist, and nothing may use it.
    pub(super) fn ends(&mut self, kind: &'static str, address: usize) {
        if !self.is_alive(address) {
            self.breaks(format!("{kind} ends that does not exist"));
        }
        let users = self.alive.iter();
        let users = users.filter(|alive| alive.needs.contains(&address));
        let users: Vec<_> = users.map(|user| user.kind).collect();
        for user in users {
            self.breaks(format!("{kind} ends that {user} uses"));
        }
    }

    /// An object has ended.
    pub(super) fn gone(&mut self, address: usize) {
        self.alive.retain(|alive| alive.address != address);
    }

    pub(super) fn is_alive(&self, address: usize) -> bool {
        self.alive.iter().any(|alive| alive.address == address)
    }

    pub(super) fn breaks(&mut self, what: impl Into<String>) {
        self.broken.push(what.into());
    }

    /// What exists.
    pub(crate) fn alive(&self) -> Vec<&'static str> {
        self.alive.iter().map(|alive| alive.kind).collect()
    }

    /// What was done that must not be.
    pub(crate) fn broken(&self) -> &[String] {
        &self.broken
    }
}
