//! States of a queue pair, as types.

use std::fmt;

use super::{Qp, QpType};
use crate::error::Error;

/// A state of a [`Qp`].
pub trait State: sealed::Sealed + Send + Sync + 'static {
    /// Its name, for messages.
    const NAME: &'static str;
}

/// A state in which receives can be posted.
pub trait Receives: State {}

mod sealed {
    pub trait Sealed {}
}

macro_rules! states {
    ($($(#[$meta:meta])* $name:ident $text:literal;)+) => {
        $(
            $(#[$meta])*
            #[derive(Debug)]
            pub enum $name {}
            impl sealed::Sealed for $name {}
            impl State for $name {
                const NAME: &'static str = $text;
            }
        )+
    };
}

states! {
    /// Just created; bound to no port.
    #[doc(alias = "IBV_QPS_RESET")]
    Reset "Reset";
    /// Bound to a port; receives can be posted.
    #[doc(alias = "IBV_QPS_INIT")]
    Init "Init";
    /// Ready to receive.
    #[doc(alias = "IBV_QPS_RTR")]
    Rtr "Rtr";
    /// Ready to send: connected.
    #[doc(alias = "IBV_QPS_RTS")]
    Rts "Rts";
    /// Stopped: what was posted comes back, nothing more can be. A receive that was posted after the
    /// queue pair had failed by itself, and before a completion said so, may not come back: its
    /// buffer does when the queue pair is dropped.
    #[doc(alias = "IBV_QPS_ERR")]
    Stopped "Stopped";
}

impl Receives for Init {}
impl Receives for Rtr {}
impl Receives for Rts {}

/// A step that failed, with the queue pair in the state it had.
///
/// It converts into [`Error`], so that `?` works; that drops the queue pair.
#[non_exhaustive]
pub struct Failed<Q> {
    /// Why.
    pub error: Error,
    /// The queue pair, to try again.
    pub qp: Box<Q>,
}

impl<Q> Failed<Q> {
    pub(super) fn new(error: Error, qp: Q) -> Self {
        Failed {
            error,
            qp: Box::new(qp),
        }
    }
}

impl<T: QpType, S: State> From<Failed<Qp<T, S>>> for Error {
    fn from(failed: Failed<Qp<T, S>>) -> Self {
        failed.error
    }
}

impl<Q> fmt::Debug for Failed<Q> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Failed")
            .field("error", &self.error)
            .finish_non_exhaustive()
    }
}

impl<Q> fmt::Display for Failed<Q> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error.fmt(f)
    }
}

impl<Q> std::error::Error for Failed<Q> {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.error.source()
    }
}
