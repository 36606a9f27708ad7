use std::io;

use super::super::difference::Explanation;
use super::super::environment::Environment;
use super::super::spec::{Attempt, Privilege, Sockets, Spec, any_value, no_warning, refusal};
use super::super::{Cause, Congestion, HasTcp, Kind, Moment, Tuning, Value};

const AVAILABLE: &str = "net.ipv4.tcp_available_congestion_control";
const ALLOWED: &str = "net.ipv4.tcp_allowed_congestion_control";

impl<K: Kind> Tuning<K>
where
    Self: HasTcp,
{
    /// The congestion control algorithm.
    ///
    /// - Default: `net.ipv4.tcp_congestion_control` of the network namespace. TCP only.
    /// - When: at any time. Accepted sockets inherit it from the listener.
    /// - Privilege: none for the algorithms of `net.ipv4.tcp_allowed_congestion_control`; CAP_NET_ADMIN over the
    ///   network namespace for others, and in the first user namespace to have a module loaded. The report lists what is
    ///   available and what is allowed.
    /// - Kernel: Linux 2.6.13.
    ///
    /// Source: tcp(7), `net/ipv4/tcp_cong.c`.
    #[doc(alias = "TCP_CONGESTION")]
    pub const fn congestion(mut self, name: Congestion) -> Self {
        self.requests.congestion = Some(name);
        self
    }
}

pub(super) static SPEC: Spec = Spec {
    name: "TCP_CONGESTION",
    sockets: Sockets::Tcp,
    earliest: Moment::Open,
    latest: Moment::Connected,
    privilege: Privilege::NET_ADMIN,
    requested: |requests| requests.congestion.map(Value::Congestion),
    validate: any_value,
    set: |socket, value| socket.set_tcp_congestion(value.congestion()?.as_str().as_bytes()),
    read: |socket| parse(&socket.tcp_congestion()?),
    explain,
    warn: no_warning,
};

/// The kernel gives 16 bytes, padded with NUL.
fn parse(bytes: &[u8]) -> io::Result<Value> {
    let end = bytes
        .iter()
        .position(|byte| *byte == 0)
        .unwrap_or(bytes.len());
    std::str::from_utf8(&bytes[..end])
        .ok()
        .and_then(|name| Congestion::new(name).ok())
        .map(Value::Congestion)
        .ok_or_else(|| io::Error::from(io::ErrorKind::InvalidData))
}

fn explain(attempt: &Attempt, environment: &dyn Environment) -> Option<Explanation> {
    let errno = match attempt.refused {
        None if attempt.effective == Some(attempt.requested) => return None,
        None => {
            return Some(Cause::KernelRule("the kernel keeps another algorithm").into());
        }
        Some(errno) => errno,
    };
    let available = environment.words(AVAILABLE);
    let allowed = environment.words(ALLOWED);
    let name = attempt.requested;
    Some(match errno {
        libc::EPERM => Cause::CongestionNotAllowed { available, allowed }
            .lifted_by(format!("add {name} to {ALLOWED}, or grant CAP_NET_ADMIN")),
        libc::ENOENT => Cause::CongestionNotLoaded { available, allowed }.lifted_by(format!(
            "load its module (modprobe tcp_{name}), or choose one that is available"
        )),
        errno => refusal(errno, attempt, environment),
    })
}

#[cfg(test)]
mod tests {
    use super::super::super::environment::fake::Fake;
    use super::*;
    use rstest::rstest;

    const LISTS: Fake = Fake(&[(AVAILABLE, "reno bbr cubic"), (ALLOWED, "reno bbr")]);

    fn value(name: &str) -> Value {
        Value::Congestion(name.parse().unwrap())
    }

    fn words(list: &str) -> Vec<String> {
        list.split(' ').map(str::to_owned).collect()
    }

    #[rstest]
    #[case::granted("bbr", None, "bbr", None)]
    #[case::not_allowed("cubic", Some(libc::EPERM), "reno", Some(Cause::CongestionNotAllowed {
        available: words("reno bbr cubic"), allowed: words("reno bbr") }))]
    #[case::not_loaded("nope", Some(libc::ENOENT), "reno", Some(Cause::CongestionNotLoaded {
        available: words("reno bbr cubic"), allowed: words("reno bbr") }))]
    #[case::other("bbr", Some(libc::EINVAL), "reno", Some(Cause::Errno(libc::EINVAL)))]
    #[case::silently_kept(
        "bbr",
        None,
        "reno",
        Some(Cause::KernelRule("the kernel keeps another algorithm"))
    )]
    fn names_the_cause(
        #[case] requested: &str,
        #[case] refused: Option<i32>,
        #[case] effective: &str,
        #[case] want: Option<Cause>,
    ) {
        let attempt = Attempt {
            requested: value(requested),
            privilege: Privilege::NET_ADMIN,
            refused,
            effective: Some(value(effective)),
        };
        assert_eq!(
            explain(&attempt, &LISTS).map(|explanation| explanation.cause),
            want
        );
    }

    #[test]
    fn parses_what_the_kernel_pads() {
        assert_eq!(
            parse(b"bbr\0\0\0\0\0\0\0\0\0\0\0\0\0").unwrap(),
            value("bbr")
        );
        assert!(parse(b"\0\0").is_err());
        assert!(parse(b"\xff\xfe").is_err());
    }
}
