//! Sockets that share one address, and which of them gets a connection or a datagram.

mod make;
mod steering;

use std::ops::Index;
use std::os::fd::{AsFd, OwnedFd};

pub use steering::Steering;

use crate::{Result, fd};

/// Sockets bound to one address with `SO_REUSEPORT`, made in one go: a queue of its own for each thread.
///
/// Made by [`TcpBuilder::listen_group`](super::TcpBuilder::listen_group) and
/// [`UdpBuilder::bind_group`](super::UdpBuilder::bind_group), or from sockets received from another process. Needs no
/// privilege.
///
/// # Places
///
/// A member's index is its place in the kernel's group, which a program that steers by index names: sockets take their
/// places in the order of joining (`listen` for TCP, `bind` for UDP), and a group is made only where nobody is yet.
/// **Closing a member moves the last one into its place**, and all of a steering that counts on the number of members
/// is then wrong; a place that is empty leaves the choice to the hash. So keep the group whole as long as it serves:
/// share it (`Arc<Group<_>>`, or a scope's `&group`) and let each thread use `&group[i]`.
/// [`into_members`](Self::into_members) is for those that know better.
///
/// A socket of the same user that asks for `SO_REUSEPORT` may still join. Later it comes behind the members: the hash
/// gives it its share, steering by CPU nothing. **While the group is made it may come between two members**: it then has
/// the place of the second, whose traffic a steering by place gives to it, and nothing tells. Only what runs as the same
/// user can do so.
///
/// A listener that is closed resets the connections that wait in its queue, unless `net.ipv4.tcp_migrate_req` is 1
/// (Linux 5.14).
///
/// A service that takes over from a running one cannot make a group at the same address. Pass it the members
/// ([`fd::pass`](crate::fd::pass)), which become a group there by `Group::from`; or, if the kernel's hash is steering
/// enough, let both open single sockets with [`Tuning::reuse_port`](crate::tuning::Tuning::reuse_port).
///
/// ```
/// use netprims::socket::{Steering, TcpBuilder};
///
/// let builder = TcpBuilder::new();
/// let (group, reports) = builder.listen_group("127.0.0.1:0".parse()?, 2, Steering::Cpu)?;
/// println!("{}", reports[0]);
/// std::thread::scope(|scope| {
///     for listener in &group {
///         scope.spawn(move || {
///             println!("{:?}", listener.local_addr());
///             // pin the thread to the CPU of this index, then listener.accept() in a loop
///         });
///     }
/// });
/// group.close()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// Source: socket(7), `net/core/sock_reuseport.c`.
#[doc(alias = "SO_REUSEPORT")]
#[derive(Debug)]
pub struct Group<S> {
    members: Vec<S>,
}

impl<S> Group<S> {
    /// The sockets, by place.
    pub fn members(&self) -> &[S] {
        &self.members
    }

    /// Takes the group apart. From then on a member that is closed changes the places of the others.
    pub fn into_members(self) -> Vec<S> {
        self.members
    }
}

impl<S: AsFd> Group<S> {
    /// Steers what arrives from now on another way. Connections and datagrams that already wait stay where they are.
    ///
    /// # Errors
    ///
    /// - [`Error::InvalidValue`](crate::Error::InvalidValue): the group has no members, or [`Steering::Cpus`] does not
    ///   take the CPUs.
    /// - [`Error::System`](crate::Error::System), and the steering is as before: `EINVAL` if the descriptor is no
    ///   program that can steer, or the first member is in no group; `EOPNOTSUPP` for a program on Multipath TCP;
    ///   `ENOTSUPP` (524) if the program cannot steer such sockets; `ENOMEM` if it is larger than
    ///   `net.core.optmem_max`; `EPERM` if the socket's filter is locked.
    #[doc(alias = "SO_ATTACH_REUSEPORT_CBPF")]
    #[doc(alias = "SO_ATTACH_REUSEPORT_EBPF")]
    #[doc(alias = "SO_DETACH_REUSEPORT_BPF")]
    pub fn steer(&self, steering: Steering<'_>) -> Result<()> {
        let members = make::count(self.members.len())?;
        steering.check(members)?;
        match self.members.first() {
            Some(first) => steering.apply(first, members),
            None => Ok(()),
        }
    }
}

impl<S: Into<OwnedFd>> Group<S> {
    /// Closes all members.
    ///
    /// # Errors
    ///
    /// The first of those of [`fd::close`]. All are closed in any case.
    pub fn close(self) -> Result<()> {
        let closed: Vec<_> = self.members.into_iter().map(fd::close).collect();
        closed.into_iter().collect()
    }
}

impl<S> From<Vec<S>> for Group<S> {
    /// For sockets that are a group already, such as one received from another process, in the order in which they
    /// joined. Nothing is checked.
    fn from(members: Vec<S>) -> Self {
        Self { members }
    }
}

impl<S> Index<usize> for Group<S> {
    type Output = S;

    /// # Panics
    ///
    /// If there is no such place.
    fn index(&self, place: usize) -> &S {
        &self.members[place]
    }
}

impl<'a, S> IntoIterator for &'a Group<S> {
    type Item = &'a S;
    type IntoIter = std::slice::Iter<'a, S>;

    fn into_iter(self) -> Self::IntoIter {
        self.members.iter()
    }
}
