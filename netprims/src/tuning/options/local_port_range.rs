use super::super::environment::Environment;
use super::super::spec::{
    Granted, Privilege, Sockets, Spec, any_value, taken_or_refused, wrong_kind,
};
use super::super::{HasIp, Kind, Moment, PortRange, Tuning, Value, Warning};
use crate::sys::sockopt::LOCAL_PORT_RANGE;

const SYSTEM: &str = "net.ipv4.ip_local_port_range";

impl<K: Kind> Tuning<K>
where
    Self: HasIp,
{
    /// The ports the kernel chooses from where bind or connect leaves the port to it.
    ///
    /// - Default: `net.ipv4.ip_local_port_range`. An end that is outside of it does not count, of which the report
    ///   warns.
    /// - When: before the port is chosen, by bind or by connect.
    /// - Privilege: none. Kernel: Linux 6.3, and later 6.1 stable kernels.
    ///
    /// Source: ip(7), `inet_sk_get_local_port_range` in `net/ipv4/inet_connection_sock.c`.
    #[doc(alias = "IP_LOCAL_PORT_RANGE")]
    pub const fn local_port_range(mut self, ports: PortRange) -> Self {
        self.requests.local_port_range = Some(ports);
        self
    }
}

pub(super) static SPEC: Spec = Spec {
    name: "IP_LOCAL_PORT_RANGE",
    sockets: Sockets::Ip,
    earliest: Moment::Open,
    latest: Moment::BoundWithoutPort,
    privilege: Privilege::None,
    requested: |requests| requests.local_port_range.map(Value::Ports),
    validate: any_value,
    set: |socket, value| {
        let range = value.ports()?;
        let number = u32::from(range.last()) << 16 | u32::from(range.first());
        LOCAL_PORT_RANGE.set_number(socket, number)
    },
    read: |socket| {
        let [a, b, c, d] = LOCAL_PORT_RANGE.number(socket)?.to_le_bytes();
        let (first, last) = (u16::from_le_bytes([a, b]), u16::from_le_bytes([c, d]));
        match (first, last) {
            (0, 0) => Ok(Value::Flag(false)),
            _ => PortRange::new(first, last)
                .map(Value::Ports)
                .map_err(|_| wrong_kind()),
        }
    },
    explain: taken_or_refused,
    warn,
};

fn warn(granted: &Granted<'_>, environment: &dyn Environment) -> Vec<Warning> {
    let Some(Value::Ports(range)) = granted.effective else {
        return Vec::new();
    };
    let words = environment.words(SYSTEM);
    let ends: Vec<u16> = words.iter().filter_map(|word| word.parse().ok()).collect();
    match ends[..] {
        [first, last] if range.first() < first || range.last() > last => {
            vec![Warning::WithoutEffect {
                option: "IP_LOCAL_PORT_RANGE",
                sysctl: SYSTEM,
                value: words.join(" "),
                reason: "an end outside of it does not count",
            }]
        }
        _ => Vec::new(),
    }
}
