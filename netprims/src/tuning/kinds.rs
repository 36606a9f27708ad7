//! Kinds of sockets as types, and which options each has.

use std::fmt;

use super::Tuning;
use sealed::Sealed;

/// Any kind of socket: the tuning has every option, and what a socket does not have shows when it is applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Any {}

/// TCP sockets, over IPv4 and IPv6, Multipath TCP among them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tcp {}

/// UDP sockets, over IPv4 and IPv6.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Udp {}

/// Unix sockets: streams, datagrams and sequenced packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unix {}

/// A kind of socket, in the type of a [`Tuning`](super::Tuning): [`Any`], [`Tcp`], [`Udp`] or [`Unix`].
pub trait Kind: Sealed + Copy + Eq + fmt::Debug {}

/// Tunings for sockets that have the options of IP: TCP, UDP, and any kind.
#[diagnostic::on_unimplemented(
    message = "this option has no effect on the sockets of a `{Self}`",
    label = "an option of TCP and UDP sockets",
    note = "`Tuning::new()` begins a tuning for any socket; its report says what a socket does not have"
)]
pub trait HasIp: Sealed {}

/// Tunings for sockets that have the options of TCP: TCP, and any kind.
#[diagnostic::on_unimplemented(
    message = "this option has no effect on the sockets of a `{Self}`",
    label = "an option of TCP sockets",
    note = "`Tuning::new()` begins a tuning for any socket; its report says what a socket does not have"
)]
pub trait HasTcp: Sealed {}

/// Tunings for sockets that have the options of UDP: UDP, and any kind.
#[diagnostic::on_unimplemented(
    message = "this option has no effect on the sockets of a `{Self}`",
    label = "an option of UDP sockets",
    note = "`Tuning::new()` begins a tuning for any socket; its report says what a socket does not have"
)]
pub trait HasUdp: Sealed {}

/// Tunings for sockets that may be streams: TCP, Unix, and any kind.
#[diagnostic::on_unimplemented(
    message = "this option has no effect on the sockets of a `{Self}`",
    label = "an option of TCP and Unix sockets",
    note = "`Tuning::new()` begins a tuning for any socket; its report says what a socket does not have"
)]
pub trait HasStream: Sealed {}

pub(super) mod sealed {
    /// What a socket is. Public only because the sealed trait is.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum Transport {
        Tcp,
        Udp,
        Unix,
    }

    /// Nobody else makes a kind, or says what it has.
    pub trait Sealed {
        /// What its sockets are; `None` if they can be anything.
        const TRANSPORT: Option<Transport>;
    }
}
pub(super) use sealed::Transport;

impl<K: Kind> Sealed for Tuning<K> {
    const TRANSPORT: Option<Transport> = K::TRANSPORT;
}

macro_rules! kinds {
    ($($kind:ident: $transport:expr, $($has:ident),*;)*) => {
        $(
            impl Sealed for $kind {
                const TRANSPORT: Option<Transport> = $transport;
            }

            impl Kind for $kind {}
            $(impl $has for Tuning<$kind> {})*
        )*
    };
}

kinds! {
    Any: None, HasIp, HasTcp, HasUdp, HasStream;
    Tcp: Some(Transport::Tcp), HasIp, HasTcp, HasStream;
    Udp: Some(Transport::Udp), HasIp, HasUdp;
    Unix: Some(Transport::Unix), HasStream;
}
