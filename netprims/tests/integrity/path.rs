use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::fd::AsRawFd;
use std::process::Command;

use netprims::netns::NetNs;

/// Two ends of a network.
pub(crate) struct Path {
    /// The namespaces of the near and of the far end; none where both are the caller's, which takes no privilege.
    ends: Option<[NetNs; 2]>,
    /// That of the far end.
    address: Ipv4Addr,
}

impl Path {
    /// Between two namespaces that are connected already, to this address of the far one.
    pub(crate) fn between(near: NetNs, far: NetNs, address: Ipv4Addr) -> Self {
        let ends = Some([near, far]);
        Self { ends, address }
    }

    pub(crate) fn loopback() -> Self {
        Self {
            ends: None,
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
        Self::between(near, far, Ipv4Addr::new(10, 8, 0, 2))
    }

    /// A connection from one end to the other.
    pub(crate) fn connect(&self) -> (TcpStream, TcpStream) {
        let address = (self.address, 0);
        let Some([near, far]) = &self.ends else {
            let listener = TcpListener::bind(address).unwrap();
            let near = TcpStream::connect(listener.local_addr().unwrap());
            return (near.unwrap(), listener.accept().unwrap().0);
        };
        let listener = far.run(|| TcpListener::bind(address)).unwrap().unwrap();
        let target = listener.local_addr().unwrap();
        let near = near.run(|| TcpStream::connect(target)).unwrap();
        (near.unwrap(), listener.accept().unwrap().0)
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
