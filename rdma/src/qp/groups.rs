//! Receiving what is sent to groups.

use super::{Qp, Receives, State, Ud};
use crate::device::verb_error;
use crate::error::{Error, Result};
use crate::group::Group;
use crate::sys::AttachError;

impl<S: Receives> Qp<Ud, S> {
    /// Receives the datagrams that are sent to `group` and bear the queue pair's key, too. One that is
    /// attached already stays so.
    ///
    /// It lasts until [`detach`](Self::detach), or until the queue pair is destroyed; a
    /// [reset](Qp::reset) does not end it.
    ///
    /// # Errors
    ///
    /// [`Error::Verb`]; ENOMEM or EINVAL: more groups, or queue pairs in one, than the device has
    /// room for; EINVAL also: on InfiniBand, the group has no LID that can be a group's.
    #[doc(alias = "ibv_attach_mcast")]
    pub fn attach(&mut self, group: Group) -> Result<()> {
        let attached = self.handle.attach(group.numbers());
        attached.map_err(|error| self.group_error("ibv_attach_mcast", group, error))
    }

    /// Receives them no more.
    ///
    /// # Errors
    ///
    /// - [`Error::NotAttached`]: it does not receive them.
    /// - [`Error::Verb`]: it still receives them.
    #[doc(alias = "ibv_detach_mcast")]
    pub fn detach(&mut self, group: Group) -> Result<()> {
        let detached = self.handle.detach(group.numbers());
        detached.map_err(|error| self.group_error("ibv_detach_mcast", group, error))
    }
}

impl<S: State> Qp<Ud, S> {
    #[cold]
    fn group_error(&self, operation: &'static str, group: Group, error: AttachError) -> Error {
        match error {
            AttachError::NotAttached => Error::NotAttached {
                qpn: self.handle.number(),
                group,
            },
            AttachError::Errno(errno) => {
                let object = format!("of {} and group {group}", self.object());
                verb_error(operation, object, errno)
            }
        }
    }
}
