//! Messages of a socket's error queue.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};
use std::os::fd::{AsRawFd, BorrowedFd};
use std::time::Duration;

use super::kernel::Received;
use super::message::{Message, Origin};
use crate::sys::control;

/// Bytes for control messages: an `IP_RECVERR` with its address, three timestamps, the connection's statistics that may
/// come with them, and what IP options add.
const CONTROL: usize = 2048;
/// Bytes for an address (`struct sockaddr_storage`).
const ADDRESS: usize = 128;

/// `SO_EE_ORIGIN_ZEROCOPY` of `include/uapi/linux/errqueue.h`.
const ORIGIN_ZEROCOPY: u8 = 5;
/// `SO_EE_CODE_ZEROCOPY_COPIED`.
const COPIED: u8 = 1;
/// `sizeof(struct sock_extended_err)`.
const EXTENDED_ERROR: usize = 16;
/// `SCM_TIMESTAMPING` with `struct timespec` of the machine's word, and with 64 bits everywhere.
const SCM_TIMESTAMPING: [i32; 2] = [37, 65];

/// Room for one message, made once.
#[repr(C, align(8))]
pub(super) struct Room {
    control: [u8; CONTROL],
    address: [u8; ADDRESS],
    payload: [u8; Message::PAYLOAD],
}

impl Room {
    pub(super) fn new() -> Box<Self> {
        Box::new(Self {
            control: [0; CONTROL],
            address: [0; ADDRESS],
            payload: [0; Message::PAYLOAD],
        })
    }
}

/// Takes the next message of a socket's error queue; `None` if it is empty. Does not block.
pub(super) fn receive(socket: BorrowedFd<'_>, room: &mut Room) -> io::Result<Option<Received>> {
    let mut payload = libc::iovec {
        iov_base: room.payload.as_mut_ptr().cast(),
        iov_len: room.payload.len(),
    };
    // SAFETY: `msghdr` is a plain C struct of pointers and numbers: all zeroes is the value without name, data and
    // control messages.
    let mut header: libc::msghdr = unsafe { std::mem::zeroed() };
    header.msg_name = room.address.as_mut_ptr().cast();
    header.msg_namelen = length(ADDRESS)?;
    header.msg_iov = &raw mut payload;
    header.msg_iovlen = 1;
    header.msg_control = room.control.as_mut_ptr().cast();
    header.msg_controllen = length(CONTROL)?;
    let flags = libc::MSG_ERRQUEUE | libc::MSG_DONTWAIT | libc::MSG_CMSG_CLOEXEC;
    // SAFETY: the kernel writes to `header` and, within the lengths set above, to the three arrays of `room`, which is
    // borrowed for writing; `payload` is a live local. Every bit pattern is valid for all of them, and none is used
    // otherwise meanwhile. `room` is aligned for control messages. The socket is open: its owner is borrowed.
    let bytes = unsafe { libc::recvmsg(socket.as_raw_fd(), &raw mut header, flags) };
    let Ok(bytes) = usize::try_from(bytes) else {
        let error = io::Error::last_os_error();
        return match error.raw_os_error() {
            Some(libc::EAGAIN) => Ok(None),
            _ => Err(error),
        };
    };
    let control = to_usize(header.msg_controllen);
    let address = to_usize(header.msg_namelen);
    Ok(Some(parse(
        room.control.get(..control).unwrap_or(&room.control),
        room.address.get(..address).unwrap_or_default(),
        room.payload.get(..bytes).unwrap_or(&room.payload),
    )))
}

/// What a message says, from its control messages, its address and its data. Pure.
fn parse(control: &[u8], address: &[u8], payload: &[u8]) -> Received {
    let mut message = Message::empty();
    message.set_payload(payload);
    message.destination = socket_address(address);
    // A header that makes no sense ends the walk; what came before it counts.
    for found in control::messages(control) {
        let data = found.payload;
        match (found.level, found.kind) {
            (libc::SOL_IP, libc::IP_RECVERR) | (libc::SOL_IPV6, libc::IPV6_RECVERR) => {
                let Some((error, offender)) = data.split_first_chunk::<EXTENDED_ERROR>() else {
                    continue;
                };
                let [
                    e0,
                    e1,
                    e2,
                    e3,
                    origin,
                    kind,
                    code,
                    _,
                    i0,
                    i1,
                    i2,
                    i3,
                    d0,
                    d1,
                    d2,
                    d3,
                ] = *error;
                message.errno = i32::from_ne_bytes([e0, e1, e2, e3]);
                message.origin = Origin::from_raw(origin);
                message.kind = kind;
                message.code = code;
                message.info = u32::from_ne_bytes([i0, i1, i2, i3]);
                message.data = u32::from_ne_bytes([d0, d1, d2, d3]);
                message.offender = socket_address(offender).map(|address| address.ip());
                if origin == ORIGIN_ZEROCOPY && message.errno == 0 {
                    return Received::Done {
                        first: message.info,
                        last: message.data,
                        copied: code & COPIED != 0,
                    };
                }
            }
            (libc::SOL_SOCKET, kind) if SCM_TIMESTAMPING.contains(&kind) => {
                [message.software_time, message.hardware_time] = times(data);
            }
            _ => {}
        }
    }
    Received::Other(message)
}

/// Software and hardware time of a `struct scm_timestamping`: the first and the third of three, zero for none.
fn times(data: &[u8]) -> [Option<Duration>; 2] {
    let time = |nth: usize| {
        let one = data.len() / 3;
        let (seconds, nanos) = data.get(nth * one..)?.get(..one)?.split_at(one / 2);
        let time = Duration::new(
            u64::try_from(number(seconds)?).ok()?,
            u32::try_from(number(nanos)?)
                .ok()
                .filter(|n| *n < 1_000_000_000)?,
        );
        (!time.is_zero()).then_some(time)
    };
    [time(0), time(2)]
}

/// A signed number of 4 or 8 bytes.
fn number(bytes: &[u8]) -> Option<i64> {
    let long = bytes.try_into().map(i64::from_ne_bytes);
    let short = || bytes.try_into().map(i32::from_ne_bytes).map(i64::from);
    long.or_else(|_| short()).ok()
}

/// An internet address as the kernel writes it (`struct sockaddr_in`, `struct sockaddr_in6`); `None` for others and for
/// none.
fn socket_address(bytes: &[u8]) -> Option<SocketAddr> {
    let (family, rest) = bytes.split_first_chunk::<2>()?;
    let (port, rest) = rest.split_first_chunk::<2>()?;
    let port = u16::from_be_bytes(*port);
    match i32::from(u16::from_ne_bytes(*family)) {
        libc::AF_INET => {
            let address = Ipv4Addr::from(*rest.first_chunk::<4>()?);
            Some(SocketAddr::new(IpAddr::V4(address), port))
        }
        libc::AF_INET6 => {
            let (flow, rest) = rest.split_first_chunk::<4>()?;
            let (address, rest) = rest.split_first_chunk::<16>()?;
            let scope = u32::from_ne_bytes(*rest.first_chunk::<4>()?);
            let flow = u32::from_be_bytes(*flow);
            Some(SocketAddrV6::new(Ipv6Addr::from(*address), port, flow, scope).into())
        }
        _ => None,
    }
}

/// As `msghdr` counts: of several types among C libraries.
fn length<T: TryFrom<usize>>(bytes: usize) -> io::Result<T> {
    T::try_from(bytes).map_err(|_| io::ErrorKind::InvalidInput.into())
}

fn to_usize(len: impl TryInto<usize>) -> usize {
    len.try_into().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rstest::rstest;

    /// A control message.
    fn control(level: i32, kind: i32, data: &[u8]) -> Vec<u8> {
        let mut bytes = (control::HEADER + data.len()).to_ne_bytes().to_vec();
        bytes.extend(level.to_ne_bytes());
        bytes.extend(kind.to_ne_bytes());
        bytes.extend(data);
        bytes.resize(bytes.len().next_multiple_of(control::WORD), 0);
        bytes
    }

    /// A `struct sock_extended_err`, and no address.
    fn error(errno: u32, origin: u8, code: u8, info: u32, data: u32) -> Vec<u8> {
        let mut bytes = errno.to_ne_bytes().to_vec();
        bytes.extend([origin, 3, code, 0]);
        bytes.extend(info.to_ne_bytes());
        bytes.extend(data.to_ne_bytes());
        bytes.extend([0; 16]);
        bytes
    }

    const V4: (i32, i32) = (libc::SOL_IP, libc::IP_RECVERR);
    const V6: (i32, i32) = (libc::SOL_IPV6, libc::IPV6_RECVERR);

    #[rstest]
    #[case::zero_copied(V4, 0, (7, 9), false)]
    #[case::copied(V4, 1, (7, 7), true)]
    #[case::round(V6, 0, (u32::MAX, 0), false)]
    #[case::other_bits(V6, 4, (0, 0), false)]
    fn a_notification_is_a_range(
        #[case] (level, kind): (i32, i32),
        #[case] code: u8,
        #[case] (first, last): (u32, u32),
        #[case] copied: bool,
    ) {
        // What comes beside it does not matter.
        let mut bytes = control(libc::SOL_SOCKET, 99, &[1; 5]);
        bytes.extend(control(level, kind, &error(0, 5, code, first, last)));
        let done = Received::Done {
            first,
            last,
            copied,
        };
        assert_eq!(parse(&bytes, &[], &[]), done);
    }

    fn other(received: Received) -> Message {
        match received {
            Received::Other(message) => message,
            done => panic!("{done:?}"),
        }
    }

    #[test]
    fn an_icmp_error_is_told_in_full() {
        let mut data = error(111, 2, 4, 5, 6);
        data.truncate(EXTENDED_ERROR);
        data.extend([2, 0, 0, 0, 10, 0, 0, 7]);
        let to = [2, 0, 0x1f, 0x90, 10, 0, 0, 9];
        let message = other(parse(&control(V4.0, V4.1, &data), &to, b"payload"));
        assert_eq!(message.origin, Origin::Icmp);
        assert_eq!(message.error().unwrap().raw_os_error(), Some(111));
        assert_eq!((message.kind, message.code), (3, 4));
        assert_eq!((message.info, message.data), (5, 6));
        assert_eq!(message.offender, Some("10.0.0.7".parse().unwrap()));
        assert_eq!(message.destination, Some("10.0.0.9:8080".parse().unwrap()));
        assert_eq!(message.payload(), b"payload");
    }

    #[rstest]
    #[case::long(8, [Some(Duration::new(5, 6)), Some(Duration::new(9, 10))])]
    #[case::short(4, [Some(Duration::new(5, 6)), Some(Duration::new(9, 10))])]
    fn timestamps_are_of_either_width(#[case] width: usize, #[case] want: [Option<Duration>; 2]) {
        let numbers = [5_u64, 6, 0, 0, 9, 10];
        let data: Vec<u8> = numbers
            .iter()
            .flat_map(|number| number.to_ne_bytes()[..width].to_vec())
            .collect();
        let mut bytes = control(libc::SOL_SOCKET, 37, &data);
        bytes.extend(control(V4.0, V4.1, &error(42, 4, 0, 1, 3)));
        let message = other(parse(&bytes, &[], &[]));
        assert_eq!([message.software_time, message.hardware_time], want);
        assert_eq!((message.origin, message.data), (Origin::Timestamping, 3));
    }

    #[rstest]
    #[case::nothing(&[], None)]
    #[case::unix(&[1, 0, 0, 0], None)]
    #[case::cut(&[2, 0, 0, 80, 1, 2, 3], None)]
    #[case::v4(&[2, 0, 0, 80, 1, 2, 3, 4], Some("1.2.3.4:80"))]
    #[case::v6_cut(&[10, 0, 0, 80, 0, 0, 0, 0, 1], None)]
    #[case::v6(
        &[10, 0, 0, 80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0],
        Some("[::1]:80")
    )]
    fn addresses(#[case] bytes: &[u8], #[case] want: Option<&str>) {
        assert_eq!(
            socket_address(bytes),
            want.map(|want| want.parse().unwrap())
        );
    }

    proptest! {
        #[test]
        fn any_bytes_are_some_message(
            control in prop::collection::vec(any::<u8>(), 0..200),
            address in prop::collection::vec(any::<u8>(), 0..40),
            payload in prop::collection::vec(any::<u8>(), 0..600),
        ) {
            let _ = parse(&control, &address, &payload);
        }

        /// A failed send of zero-copy origin, which no kernel posts, releases nothing.
        #[test]
        fn only_a_notification_without_error_releases(errno in 1_u32.., code: u8, first: u32, last: u32) {
            let bytes = control(V4.0, V4.1, &error(errno, 5, code, first, last));
            prop_assert!(matches!(parse(&bytes, &[], &[]), Received::Other(_)));
        }
    }
}
