use std::ffi::OsStr;
use std::fmt;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::SocketAddr;
use std::path::Path;

use socket2::SockAddr;

use crate::{Error, Result};

/// A Unix socket's name, for people: an abstract one begins with `@`, as in `/proc/net/unix`.
pub(crate) struct Name<'a>(pub(crate) &'a SocketAddr);

/// Bytes of `sun_path`.
const PATH: usize = 108;

impl Name<'_> {
    /// As system calls take it. Allocates nothing.
    pub(crate) fn to_kernel(&self) -> Result<SockAddr> {
        let path = match (self.0.as_pathname(), self.0.as_abstract_name()) {
            (Some(path), _) => SockAddr::unix(path),
            (None, Some(name)) => {
                let mut bytes = [0; PATH];
                let places = bytes.iter_mut().skip(1).zip(name);
                places.for_each(|(byte, value)| *byte = *value);
                let bytes = bytes.get(..=name.len()).unwrap_or_default();
                SockAddr::unix(Path::new(OsStr::from_bytes(bytes)))
            }
            (None, None) => SockAddr::unix(""),
        };
        path.map_err(|_| Error::InvalidValue {
            option: "sun_path",
            value: self.to_string(),
            reason: "a name has at most 107 bytes",
        })
    }
}

impl fmt::Display for Name<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.0.as_pathname(), self.0.as_abstract_name()) {
            (Some(path), _) => path.display().fmt(f),
            (None, Some(name)) => write!(f, "@{}", name.escape_ascii()),
            (None, None) => f.write_str("an unnamed Unix socket"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case::path(SocketAddr::from_pathname("/run/a.sock").unwrap(), "/run/a.sock")]
    #[case::of_no_file(SocketAddr::from_abstract_name(b"a\0\xff").unwrap(), "@a\\x00\\xff")]
    #[case::unnamed(SocketAddr::from_pathname("").unwrap(), "an unnamed Unix socket")]
    fn goes_to_the_kernel_and_to_people_as_it_is(#[case] name: SocketAddr, #[case] shown: &str) {
        let name = Name(&name);
        assert_eq!(name.to_string(), shown);
        let kernel = name.to_kernel().unwrap();
        assert_eq!(kernel.as_pathname(), name.0.as_pathname());
        assert_eq!(kernel.as_abstract_namespace(), name.0.as_abstract_name());
        assert_eq!(kernel.is_unnamed(), name.0.is_unnamed());
    }
}
