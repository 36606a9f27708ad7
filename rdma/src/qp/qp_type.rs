//! The types of queue pairs.

use crate::sys;

/// The type of a [`Qp`](super::Qp): how it talks to others.
pub trait QpType: sealed::Sealed + Send + Sync + 'static {
    /// Its name, for messages.
    const NAME: &'static str;
    #[doc(hidden)]
    const KIND: Kind;
}

/// A type with one peer: [`Rc`] or [`Uc`].
pub trait Connected: QpType {}

/// The number behind a type.
#[doc(hidden)]
#[derive(Clone, Copy, Debug)]
pub struct Kind(pub(crate) sys::Transport);

mod sealed {
    pub trait Sealed {}
}

macro_rules! qp_types {
    ($($(#[$meta:meta])* $name:ident $text:literal;)+) => {
        $(
            $(#[$meta])*
            #[derive(Debug)]
            pub enum $name {}
            impl sealed::Sealed for $name {}
            impl QpType for $name {
                const NAME: &'static str = $text;
                const KIND: Kind = Kind(sys::Transport::$name);
            }
        )+
    };
}

qp_types! {
    /// Reliable connected: one peer; what is sent arrives once and in order, or the queue pair
    /// fails. All kinds of work.
    #[doc(alias = "IBV_QPT_RC")]
    Rc "RC";
    /// Unreliable connected: one peer; what is lost is lost without a word. Sends and remote writes.
    #[doc(alias = "IBV_QPT_UC")]
    Uc "UC";
    /// Unreliable datagram: any peer, one packet a message. Sends.
    #[doc(alias = "IBV_QPT_UD")]
    Ud "UD";
}

impl Connected for Rc {}
impl Connected for Uc {}

impl Kind {
    pub(crate) const RC: Kind = Rc::KIND;

    /// Whether the peer answers.
    pub(crate) const fn is_reliable(self) -> bool {
        matches!(self.0, sys::Transport::Rc)
    }

    /// Whether a message is one packet.
    pub(crate) const fn is_datagram(self) -> bool {
        matches!(self.0, sys::Transport::Ud)
    }
}
