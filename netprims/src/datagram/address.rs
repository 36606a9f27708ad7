//! `struct sockaddr_in` and `struct sockaddr_in6`, as bytes.

use std::ffi::c_int;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};

use crate::sys::datagrams::NAME;

const V4: usize = 16;

/// The bytes of an address. One that is IPv4 in IPv6's clothes is written as IPv4: IPv6 sockets take that as well, and
/// IPv4 sockets nothing else.
pub(super) fn encode(address: SocketAddr, room: &mut [u8; NAME]) -> &[u8] {
    let port = address.port().to_be_bytes();
    *room = [0; NAME];
    let (family, len) = match address.ip().to_canonical() {
        IpAddr::V4(ip) => {
            put(room, 4, &ip.octets());
            (libc::AF_INET, V4)
        }
        IpAddr::V6(ip) => {
            put(room, 8, &ip.octets());
            if let SocketAddr::V6(address) = address {
                put(room, 4, &address.flowinfo().to_ne_bytes());
                put(room, 24, &address.scope_id().to_ne_bytes());
            }
            (libc::AF_INET6, NAME)
        }
    };
    // The constants are of another type than the field.
    put(room, 0, &u16::try_from(family).unwrap_or(0).to_ne_bytes());
    put(room, 2, &port);
    room.get(..len).unwrap_or_default()
}

/// The address that bytes of the kernel say; none if they are of another family, or cut.
pub(crate) fn decode(name: &[u8]) -> Option<SocketAddr> {
    let family = c_int::from(u16::from_ne_bytes(take(name, 0)?));
    let port = u16::from_be_bytes(take(name, 2)?);
    match family {
        libc::AF_INET => {
            let ip = Ipv4Addr::from(take::<4>(name, 4)?);
            Some(SocketAddrV4::new(ip, port).into())
        }
        libc::AF_INET6 => {
            let flow = u32::from_ne_bytes(take(name, 4)?);
            let ip = Ipv6Addr::from(take::<16>(name, 8)?);
            let scope = u32::from_ne_bytes(take(name, 24)?);
            Some(SocketAddrV6::new(ip, port, flow, scope).into())
        }
        _ => None,
    }
}

fn put(room: &mut [u8; NAME], at: usize, bytes: &[u8]) {
    for (byte, value) in room.iter_mut().skip(at).zip(bytes) {
        *byte = *value;
    }
}

fn take<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..)?.first_chunk().copied()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::datagrams::bytes_of;
    use proptest::collection::vec;
    use proptest::prelude::*;
    use rstest::rstest;

    #[rstest]
    #[case("1.2.3.4:5", "1.2.3.4:5")]
    #[case("[2001:db8::1%7]:65535", "[2001:db8::1%7]:65535")]
    #[case::ipv4_in_ipv6("[::ffff:1.2.3.4]:5", "1.2.3.4:5")]
    fn what_is_written_is_read_as_what_it_means(
        #[case] address: SocketAddr,
        #[case] want: SocketAddr,
    ) {
        let mut room = [0xff; NAME];
        assert_eq!(decode(encode(address, &mut room)), Some(want));
    }

    #[test]
    fn the_bytes_are_those_of_the_header_files() {
        let mut room = [0xff; NAME];
        let family = 2_u16.to_ne_bytes();
        let want = [
            family[0], family[1], 0x1f, 0x90, 10, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0,
        ];
        assert_eq!(encode("10.0.0.1:8080".parse().unwrap(), &mut room), want);
        let long = encode("[fe80::1%3]:8080".parse().unwrap(), &mut room);
        assert_eq!(long.len(), 28);
        assert_eq!(long[..4], [10_u16.to_ne_bytes(), [0x1f, 0x90]].concat());
        assert_eq!(long[8..10], [0xfe, 0x80]);
        assert_eq!(long[24..], 3_u32.to_ne_bytes());
    }

    proptest! {
        #[test]
        fn ipv6_goes_and_comes_back(ip: u128, port: u16, flow: u32, scope: u32) {
            let ip = Ipv6Addr::from(ip);
            prop_assume!(ip.to_ipv4_mapped().is_none());
            let address = SocketAddr::from(SocketAddrV6::new(ip, port, flow, scope));
            let mut room = [0; NAME];
            prop_assert_eq!(decode(encode(address, &mut room)), Some(address));
        }

        #[test]
        fn the_bytes_are_those_of_socket2(ip: u128, port: u16, flow: u32, scope: u32) {
            let ip = Ipv6Addr::from(ip);
            prop_assume!(ip.to_ipv4_mapped().is_none());
            let v6 = SocketAddr::from(SocketAddrV6::new(ip, port, flow, scope));
            let [.., a, b, c, d] = ip.octets();
            let v4 = SocketAddr::from(([a, b, c, d], port));
            let mut room = [0xff; NAME];
            for address in [v4, v6] {
                let same = socket2::SockAddr::from(address);
                prop_assert_eq!(encode(address, &mut room), bytes_of(&same));
                prop_assert_eq!(decode(bytes_of(&same)), Some(address));
            }
        }

        #[test]
        fn any_bytes_are_an_address_or_none(
            family in prop_oneof![Just(2_u16), Just(10), any::<u16>()],
            rest in vec(any::<u8>(), 0..40),
        ) {
            let mut bytes = family.to_ne_bytes().to_vec();
            bytes.extend(rest);
            let whole = match family {
                2 => bytes.len() >= 8,
                10 => bytes.len() >= 28,
                _ => false,
            };
            prop_assert_eq!(decode(&bytes).is_some(), whole);
        }
    }
}
