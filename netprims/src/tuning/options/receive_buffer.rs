use super::super::difference::Explanation;
use super::super::environment::Environment;
use super::super::spec::{Attempt, Granted, Privilege, Sockets, Spec};
use super::super::{HasIp, Kind, Moment, Tuning, Value, Warning};
use super::buffer::{self, Clamp};

const CLAMP: Clamp = Clamp {
    sysctl: "net.core.rmem_max",
    force: "SO_RCVBUFFORCE",
};
const AUTOTUNING: &str = "net.ipv4.tcp_rmem";

impl<K: Kind> Tuning<K>
where
    Self: HasIp,
{
    /// The receive buffer, in bytes.
    ///
    /// - Range: 1 to 1 073 741 823. The kernel cuts it at `net.core.rmem_max`, doubles it for its own bookkeeping, and
    ///   keeps a minimum of about 2 KiB. The report shows the doubled value as effective; doubling is no difference.
    /// - Default: for TCP, autotuning between the numbers of `net.ipv4.tcp_rmem`. **Setting the option turns autotuning
    ///   off for good**, and `tcp_rmem`'s maximum is often larger than `rmem_max` allows: the report then warns.
    /// - When: before connect or listen, because the handshake fixes the window scale. Accepted sockets inherit it.
    /// - Privilege: none up to `rmem_max`. Kernel: any.
    ///
    /// Source: socket(7), tcp(7), `sk_setsockopt` in `net/core/sock.c`.
    #[doc(alias = "SO_RCVBUF")]
    pub const fn receive_buffer(mut self, bytes: u32) -> Self {
        self.requests.receive_buffer = Some(bytes);
        self
    }
}

pub(super) static SPEC: Spec = Spec {
    name: "SO_RCVBUF",
    sockets: Sockets::Ip,
    earliest: Moment::Open,
    latest: Moment::Connected,
    privilege: Privilege::None,
    requested: |requests| requests.receive_buffer.map(Value::Bytes),
    validate: buffer::validate,
    set: |socket, value| socket.set_recv_buffer_size(buffer::size(value.bytes()?)),
    read: |socket| socket.recv_buffer_size().and_then(buffer::bytes),
    explain,
    warn,
};

fn explain(attempt: &Attempt, environment: &dyn Environment) -> Option<Explanation> {
    buffer::explain(attempt, environment, &CLAMP)
}

fn warn(granted: &Granted<'_>, environment: &dyn Environment) -> Vec<Warning> {
    lost("SO_RCVBUF", granted, environment)
}

/// What a socket loses by having its receive buffer set.
pub(super) fn lost(
    option: &'static str,
    granted: &Granted<'_>,
    environment: &dyn Environment,
) -> Vec<Warning> {
    let Some(Value::Bytes(effective)) = granted.effective else {
        return Vec::new();
    };
    if !matches!(granted.socket.protocol(), Ok(Some(socket2::Protocol::TCP))) {
        return Vec::new();
    }
    let ceiling = environment
        .words(AUTOTUNING)
        .get(2)
        .and_then(|word| word.parse().ok());
    warnings(option, u64::from(effective), ceiling, granted.moment)
}

fn warnings(
    option: &'static str,
    effective: u64,
    ceiling: Option<u64>,
    moment: Moment,
) -> Vec<Warning> {
    let mut warnings = Vec::new();
    if let Some(ceiling) = ceiling.filter(|ceiling| *ceiling > effective) {
        warnings.push(Warning::AutotuningOff {
            option,
            effective,
            sysctl: AUTOTUNING,
            ceiling,
        });
    }
    if moment == Moment::Connected {
        warnings.push(Warning::WindowScaleFixed);
    }
    warnings
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case::below_the_ceiling(400_000, Some(33_554_432), Moment::Open, true, false)]
    #[case::at_the_ceiling(33_554_432, Some(33_554_432), Moment::Open, false, false)]
    #[case::ceiling_out_of_sight(400_000, None, Moment::Open, false, false)]
    #[case::after_the_handshake(400_000, Some(33_554_432), Moment::Connected, true, true)]
    fn warns_of_what_is_lost(
        #[case] effective: u64,
        #[case] ceiling: Option<u64>,
        #[case] moment: Moment,
        #[case] autotuning: bool,
        #[case] scale: bool,
    ) {
        let warnings = warnings("SO_RCVBUF", effective, ceiling, moment);
        let off = warnings
            .iter()
            .any(|warning| matches!(warning, Warning::AutotuningOff { .. }));
        assert_eq!(off, autotuning);
        assert_eq!(warnings.contains(&Warning::WindowScaleFixed), scale);
    }
}
