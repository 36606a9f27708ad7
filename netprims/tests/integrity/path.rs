use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::fd::AsRawFd;
use std::process::Command;

use netprims::netns::NetNs;

/// Two ends of a network.
pub(crate) struct Path {
    near: NetNs,
    far: NetNs,
    address: Ipv4Addr,
}

impl Path {
    /// Between two namespaces that are connected already, to this address of the far one.
    #[allow(dead_code, reason = "not every test file that shares this asks for it")]
    pub(crate) fn between(near: NetNs, far: NetNs, address: Ipv4Addr) -> Self {
        Self { near, far, address }
    }

    pub(crate) fn loopback() -> Self {
        let here = || NetNs::current().unwrap();
        Self {
            near: here(),
            far: here(),
            address: Ipv4Addr::LOCALHOST,
        }
    }

    /// A veth pair between two fresh namespaces, with which it goes away.
    pub(crate) fn veth() -> Self {
        let [near, far] = [(); 2].map(|()| NetNs::fresh().unwrap());
        let place = |namespace: &NetNs| {
            let (process, number) = (std::process::id(), namespace.as_raw_fd());
            format!("/proc/{process}/fd/{number}")
        };
        let (here, there) = (place(&near), place(&far));
        ip(&format!(
            "link add near netns {here} type veth peer name far netns {there}"
        ));
        for (namespace, name, last) in [(&near, "near", 1), (&far, "far", 2)] {
            let set_up = || {
                ip(&format!("addr add 10.8.0.{last}/24 dev {name}"));
                ip(&format!("link set {name} up"));
            };
            namespace.run(set_up).unwrap();
        }
        Self {
            near,
            far,
            address: Ipv4Addr::new(10, 8, 0, 2),
        }
    }

    /// A connection from one end to the other.
    pub(crate) fn connect(&self) -> (TcpStream, TcpStream) {
        let listener = self.far.run(|| TcpListener::bind((self.address, 0)));
        let listener = listener.unwrap().unwrap();
        let target = listener.local_addr().unwrap();
        let near = self.near.run(|| TcpStream::connect(target));
        (near.unwrap().unwrap(), listener.accept().unwrap().0)
    }
}

fn ip(arguments: &str) {
    let output = Command::new("ip")
        .args(arguments.split(' '))
        .output()
        .expect("ip, of iproute2");
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "ip {arguments}: {text}");
}
