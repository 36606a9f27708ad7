use super::super::difference::Explanation;
use super::super::environment::Environment;
use super::super::spec::{
    Attempt, Privilege, Sockets, Spec, any_value, no_warning, taken_or_refused, wrong_kind,
};
use super::super::{Cause, HasTcp, Kind, Moment, Tuning, Ulp, Value};
use crate::sys::sockopt::ULP;

impl<K: Kind> Tuning<K>
where
    Self: HasTcp,
{
    /// The protocol the kernel speaks on top of this TCP connection.
    ///
    /// - Default: none. It cannot be taken off again, and zero-copy sends end with it.
    /// - When: once connected; [`TcpBuilder::connect`](crate::socket::TcpBuilder::connect) sets it then.
    /// - Privilege: none if the module is loaded; CAP_NET_ADMIN in the first user namespace has it loaded.
    /// - Kernel: Linux 4.13, built with `CONFIG_TLS`.
    ///
    /// Source: `Documentation/networking/tls.rst`, `net/ipv4/tcp_ulp.c`.
    #[doc(alias = "TCP_ULP")]
    pub const fn ulp(mut self, protocol: Ulp) -> Self {
        self.requests.ulp = Some(protocol);
        self
    }
}

pub(super) static SPEC: Spec = Spec {
    name: "TCP_ULP",
    sockets: Sockets::Tcp,
    earliest: Moment::Connected,
    latest: Moment::Connected,
    privilege: Privilege::None,
    requested: |requests| requests.ulp.map(Value::Ulp),
    validate: any_value,
    set: |socket, value| match value.ulp()? {
        Ulp::Tls => ULP.set(socket, *b"tls"),
    },
    read: |socket| match &ULP.get(socket)? {
        b"tls" => Ok(Value::Ulp(Ulp::Tls)),
        _ => Err(wrong_kind()),
    },
    explain,
    warn: no_warning,
};

fn explain(attempt: &Attempt, environment: &dyn Environment) -> Option<Explanation> {
    match attempt.refused {
        // It was there before.
        Some(libc::EEXIST) if attempt.effective == Some(attempt.requested) => None,
        Some(libc::ENOENT) => Some(
            Cause::ModuleNotLoaded("tls")
                .lifted_by("load it (modprobe tls), on a kernel built with CONFIG_TLS"),
        ),
        _ => taken_or_refused(attempt, environment),
    }
}
