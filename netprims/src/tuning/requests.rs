use std::fmt;
use std::time::Duration;

use super::kinds::Transport;
use super::spec::Spec;
use super::{
    Congestion, Dscp, Interface, PathMtu, PortRange, Timestamping, TxTime, Ulp, Value, options,
};
use crate::Result;

macro_rules! requests {
    (
        $(#[$about:meta])*
        plain { $($plain:ident: $kind:ty,)* }
        times { $($time:ident: $name:literal in $unit:literal,)* }
    ) => {
        $(#[$about])*
        pub(super) struct Requests {
            pub(super) strict: bool,
            $(
                #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Option::is_none"))]
                pub(super) $plain: Option<$kind>,
            )*
            $(
                #[cfg_attr(feature = "serde", serde(rename = $name, with = $unit))]
                #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Option::is_none"))]
                pub(super) $time: Option<Duration>,
            )*
        }

        impl Requests {
            pub(super) const NONE: Self = Self {
                strict: false,
                $($plain: None,)*
                $($time: None,)*
            };
        }

        impl fmt::Debug for Requests {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_struct("Tuning")
                    .field("strict", &self.strict)
                    $(.field(stringify!($plain), &self.$plain))*
                    $(.field(stringify!($time), &self.$time))*
                    .finish()
            }
        }
    };
}

requests! {
    /// What a tuning asks for, of whatever kind of socket; as users see it, it is the tuning.
    #[derive(Clone, Copy, PartialEq, Eq)]
    #[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
    #[cfg_attr(feature = "serde", serde(rename = "Tuning", default, deny_unknown_fields))]
    plain {
        receive_buffer: u32,
        receive_buffer_force: u32,
        send_buffer: u32,
        send_buffer_force: u32,
        only_v6: bool,
        reuse_address: bool,
        reuse_port: bool,
        incoming_cpu: u32,
        freebind: bool,
        transparent: bool,
        interface: Interface,
        bind_address_no_port: bool,
        local_port_range: PortRange,
        mark: u32,
        dscp: Dscp,
        priority: u32,
        hop_limit: u32,
        path_mtu: PathMtu,
        receive_errors: bool,
        receive_low_water: u32,
        peek_offset: u32,
        zerocopy: bool,
        timestamping: Timestamping,
        txtime: TxTime,
        max_pacing_rate: u64,
        keepalive: bool,
        keepalive_count: u32,
        nodelay: bool,
        quickack: bool,
        cork: bool,
        notsent_lowat: u32,
        max_segment: u32,
        window_clamp: u32,
        syn_count: u32,
        fastopen: u32,
        fastopen_connect: bool,
        udp_segment: u32,
        udp_gro: bool,
        prefer_busy_poll: bool,
        busy_poll_budget: u32,
        congestion: Congestion,
        ulp: Ulp,
    }
    times {
        linger: "linger_s" in "super::value::seconds",
        keepalive_idle: "keepalive_idle_s" in "super::value::seconds",
        keepalive_interval: "keepalive_interval_s" in "super::value::seconds",
        user_timeout: "user_timeout_ms" in "super::value::milliseconds",
        defer_accept: "defer_accept_s" in "super::value::seconds",
        busy_poll: "busy_poll_us" in "super::value::microseconds",
    }
}

impl Requests {
    /// Each option that is asked for, in the order they are set.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&'static Spec, Value)> + '_ {
        options::ALL
            .iter()
            .filter_map(|spec| Some((*spec, (spec.requested)(self)?)))
    }

    /// Refuses values that no kernel takes.
    pub(super) fn validate(&self) -> Result<()> {
        self.iter().try_for_each(|(spec, value)| {
            (spec.validate)(value).map_err(|reason| spec.invalid(value, reason))
        })
    }

    /// Refuses the first option that has no effect on such sockets.
    pub(super) fn fit(&self, transport: Option<Transport>) -> Result<()> {
        let Some(transport) = transport else {
            return Ok(());
        };
        match self
            .iter()
            .find(|(spec, _)| !spec.sockets.include(transport))
        {
            Some((spec, value)) => Err(spec.invalid(value, transport.without())),
            None => Ok(()),
        }
    }
}

impl Default for Requests {
    fn default() -> Self {
        Self::NONE
    }
}
