use super::super::difference::Explanation;
use super::super::environment::Environment;
use super::super::spec::{
    Attempt, Privilege, Sockets, Spec, any_value, no_warning, taken_or_refused, wrong_kind,
};
use super::super::{Cause, HasIp, Interface, Kind, Moment, Tuning, Value};

impl<K: Kind> Tuning<K>
where
    Self: HasIp,
{
    /// The interface that this socket's packets come from and leave by, and no other.
    ///
    /// - Default: any.
    /// - When: before bind and connect, so that neither looks at other interfaces; the kernel takes it at any time.
    /// - Privilege: none for a socket that has none; CAP_NET_RAW over the network namespace to change it, and
    ///   before Linux 5.7.
    /// - Kernel: any; one before Linux 3.8 cannot be read back.
    ///
    /// Source: socket(7), `sock_bindtoindex_locked` in `net/core/sock.c`.
    #[doc(alias = "SO_BINDTODEVICE")]
    pub const fn interface(mut self, name: Interface) -> Self {
        self.requests.interface = Some(name);
        self
    }
}

pub(super) static SPEC: Spec = Spec {
    name: "SO_BINDTODEVICE",
    sockets: Sockets::Ip,
    earliest: Moment::Open,
    latest: Moment::Connected,
    privilege: Privilege::NET_RAW,
    requested: |requests| requests.interface.map(Value::Interface),
    validate: any_value,
    set: |socket, value| {
        let name = value.interface()?;
        socket.bind_device(Some(name.as_str().as_bytes()))
    },
    read: |socket| {
        let Some(name) = socket.device()? else {
            return Ok(Value::Flag(false));
        };
        std::str::from_utf8(&name)
            .ok()
            .and_then(|name| Interface::new(name).ok())
            .map(Value::Interface)
            .ok_or_else(wrong_kind)
    },
    explain,
    warn: no_warning,
};

fn explain(attempt: &Attempt, environment: &dyn Environment) -> Option<Explanation> {
    match attempt.refused {
        // Without privilege what is there cannot be replaced, not even by itself.
        Some(libc::EPERM) if attempt.effective == Some(attempt.requested) => None,
        Some(libc::ENODEV) => {
            Some(Cause::KernelRule("the socket's network namespace has no such interface").into())
        }
        _ => taken_or_refused(attempt, environment),
    }
}
