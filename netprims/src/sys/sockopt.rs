//! Socket options that socket2 does not have.

use std::ffi::c_int;
use std::io;
use std::os::fd::{AsFd, AsRawFd};

use socket2::Socket;

/// An option of `N` bytes. Only this file makes one, and only for options whose value is plain numbers: the kernel
/// takes nothing in it for an address.
pub(crate) struct Opt<const N: usize> {
    level: c_int,
    name: c_int,
}

const fn generic<const N: usize>(name: c_int) -> Opt<N> {
    let level = libc::SOL_SOCKET;
    Opt { level, name }
}

const fn tcp<const N: usize>(name: c_int) -> Opt<N> {
    let level = libc::IPPROTO_TCP;
    Opt { level, name }
}

const fn udp<const N: usize>(name: c_int) -> Opt<N> {
    let level = libc::IPPROTO_UDP;
    Opt { level, name }
}

const fn ip<const N: usize>(name: c_int) -> Opt<N> {
    let level = libc::IPPROTO_IP;
    Opt { level, name }
}

const fn ipv6<const N: usize>(name: c_int) -> Opt<N> {
    let level = libc::IPPROTO_IPV6;
    Opt { level, name }
}

// `include/uapi/asm-generic/socket.h` and `include/uapi/linux/in.h`, where libc lacks the name.
const SO_DETACH_REUSEPORT_BPF: c_int = 68;
const SO_PREFER_BUSY_POLL: c_int = 69;
const SO_BUSY_POLL_BUDGET: c_int = 70;
const IP_LOCAL_PORT_RANGE: c_int = 51;
// `include/uapi/linux/udp.h`.
const UDP_NO_CHECK6_TX: c_int = 101;

pub(crate) static RECEIVE_BUFFER_FORCE: Opt<4> = generic(libc::SO_RCVBUFFORCE);
pub(crate) static SEND_BUFFER_FORCE: Opt<4> = generic(libc::SO_SNDBUFFORCE);
pub(crate) static INCOMING_CPU: Opt<4> = generic(libc::SO_INCOMING_CPU);
pub(crate) static PREFER_BUSY_POLL: Opt<4> = generic(SO_PREFER_BUSY_POLL);
pub(crate) static BUSY_POLL_BUDGET: Opt<4> = generic(SO_BUSY_POLL_BUDGET);
pub(crate) static MAX_PACING_RATE: Opt<8> = generic(libc::SO_MAX_PACING_RATE);
pub(crate) static TXTIME: Opt<8> = generic(libc::SO_TXTIME);
pub(crate) static RECEIVE_LOW_WATER: Opt<4> = generic(libc::SO_RCVLOWAT);
pub(crate) static PEEK_OFFSET: Opt<4> = generic(libc::SO_PEEK_OFF);
pub(crate) static ZEROCOPY: Opt<4> = generic(libc::SO_ZEROCOPY);
pub(crate) static TIMESTAMPING: Opt<4> = generic(libc::SO_TIMESTAMPING);
/// The descriptor of a program; the kernel refuses what is none.
pub(crate) static ATTACH_REUSEPORT_PROGRAM: Opt<4> = generic(libc::SO_ATTACH_REUSEPORT_EBPF);
/// The value counts for nothing.
pub(crate) static DETACH_REUSEPORT_PROGRAM: Opt<4> = generic(SO_DETACH_REUSEPORT_BPF);
pub(crate) static NO_CHECKSUMS: Opt<4> = generic(libc::SO_NO_CHECK);
pub(crate) static DROPS: Opt<4> = generic(libc::SO_RXQ_OVFL);
pub(crate) static FASTOPEN: Opt<4> = tcp(libc::TCP_FASTOPEN);
pub(crate) static FASTOPEN_CONNECT: Opt<4> = tcp(libc::TCP_FASTOPEN_CONNECT);
pub(crate) static DEFER_ACCEPT: Opt<4> = tcp(libc::TCP_DEFER_ACCEPT);
pub(crate) static SYN_COUNT: Opt<4> = tcp(libc::TCP_SYNCNT);
pub(crate) static WINDOW_CLAMP: Opt<4> = tcp(libc::TCP_WINDOW_CLAMP);
pub(crate) static KEEPALIVE_IDLE: Opt<4> = tcp(libc::TCP_KEEPIDLE);
pub(crate) static KEEPALIVE_INTERVAL: Opt<4> = tcp(libc::TCP_KEEPINTVL);
pub(crate) static KEEPALIVE_COUNT: Opt<4> = tcp(libc::TCP_KEEPCNT);
/// The name of an upper layer protocol, shorter names padded with NUL; the kernel reads three letters of it.
pub(crate) static ULP: Opt<3> = tcp(libc::TCP_ULP);
pub(crate) static UDP_SEGMENT: Opt<4> = udp(libc::UDP_SEGMENT);
pub(crate) static NO_CHECKSUMS_V6: Opt<4> = udp(UDP_NO_CHECK6_TX);
pub(crate) static UDP_GRO: Opt<4> = udp(libc::UDP_GRO);
pub(crate) static TOS: Opt<4> = ip(libc::IP_TOS);
pub(crate) static TRAFFIC_CLASS: Opt<4> = ipv6(libc::IPV6_TCLASS);
pub(crate) static TTL: Opt<4> = ip(libc::IP_TTL);
pub(crate) static HOP_LIMIT: Opt<4> = ipv6(libc::IPV6_UNICAST_HOPS);
pub(crate) static BIND_ADDRESS_NO_PORT: Opt<4> = ip(libc::IP_BIND_ADDRESS_NO_PORT);
pub(crate) static LOCAL_PORT_RANGE: Opt<4> = ip(IP_LOCAL_PORT_RANGE);
pub(crate) static ERRORS_V4: Opt<4> = ip(libc::IP_RECVERR);
pub(crate) static ERRORS_V6: Opt<4> = ipv6(libc::IPV6_RECVERR);
/// How long a packet to the peer can be.
pub(crate) static PATH_MTU: Opt<4> = ip(libc::IP_MTU);
pub(crate) static PATH_MTU_V4: Opt<4> = ip(libc::IP_MTU_DISCOVER);
pub(crate) static PATH_MTU_V6: Opt<4> = ipv6(libc::IPV6_MTU_DISCOVER);
pub(crate) static PACKET_INFO_V4: Opt<4> = ip(libc::IP_PKTINFO);
pub(crate) static PACKET_INFO_V6: Opt<4> = ipv6(libc::IPV6_RECVPKTINFO);
pub(crate) static RECEIVE_TOS: Opt<4> = ip(libc::IP_RECVTOS);
pub(crate) static RECEIVE_TRAFFIC_CLASS: Opt<4> = ipv6(libc::IPV6_RECVTCLASS);

impl<const N: usize> Opt<N> {
    /// Asks the kernel to take a value.
    pub(crate) fn set(&self, socket: &Socket, value: [u8; N]) -> io::Result<()> {
        let len = libc::socklen_t::try_from(N).map_err(|_| io::ErrorKind::InvalidInput)?;
        // SAFETY: the kernel reads `len` bytes from the fourth argument during the call; `value` is a live local of
        // exactly that many. It takes none of them for an address: `Opt` is made for such options only. The descriptor
        // is open: `socket` owns it.
        let result = unsafe {
            libc::setsockopt(
                socket.as_raw_fd(),
                self.level,
                self.name,
                value.as_ptr().cast(),
                len,
            )
        };
        if result == 0 {
            Ok(())
        } else {
            Err(io::Error::last_os_error())
        }
    }

    /// What is in effect.
    pub(crate) fn get(&self, socket: &Socket) -> io::Result<[u8; N]> {
        read(socket, self.level, self.name)
    }
}

impl Opt<4> {
    pub(crate) fn set_number(&self, socket: &Socket, value: u32) -> io::Result<()> {
        self.set(socket, value.to_ne_bytes())
    }

    pub(crate) fn number(&self, socket: &Socket) -> io::Result<u32> {
        self.get(socket).map(u32::from_ne_bytes)
    }

    pub(crate) fn set_flag(&self, socket: &Socket, on: bool) -> io::Result<()> {
        self.set_number(socket, u32::from(on))
    }

    pub(crate) fn flag(&self, socket: &Socket) -> io::Result<bool> {
        Ok(self.number(socket)? != 0)
    }
}

/// The NAPI id of the last packet the socket received, 0 for none (`SO_INCOMING_NAPI_ID`, Linux 4.12).
pub(crate) fn incoming_napi_id(socket: &impl AsFd) -> io::Result<u32> {
    read(socket, libc::SOL_SOCKET, libc::SO_INCOMING_NAPI_ID).map(u32::from_ne_bytes)
}

/// What tells the socket's network namespace from every other (`SO_NETNS_COOKIE`, Linux 5.14).
pub(crate) fn namespace_cookie(socket: &impl AsFd) -> io::Result<u64> {
    read(socket, libc::SOL_SOCKET, libc::SO_NETNS_COOKIE).map(u64::from_ne_bytes)
}

/// `TCP_INFO`: as much of it as there is room for. Returns how much that is.
pub(crate) fn tcp_info(socket: &impl AsFd, room: &mut [u8]) -> io::Result<usize> {
    read_into(socket, libc::IPPROTO_TCP, libc::TCP_INFO, room)
}

/// `TCP_CC_INFO`, likewise.
pub(crate) fn congestion_info(socket: &impl AsFd, room: &mut [u8]) -> io::Result<usize> {
    read_into(socket, libc::IPPROTO_TCP, libc::TCP_CC_INFO, room)
}

/// `SO_MEMINFO`, likewise.
pub(crate) fn memory_info(socket: &impl AsFd, room: &mut [u8]) -> io::Result<usize> {
    read_into(socket, libc::SOL_SOCKET, libc::SO_MEMINFO, room)
}

/// `SO_PEERCRED`: process, user and group.
pub(crate) fn peer_credentials(socket: &impl AsFd) -> io::Result<[u32; 3]> {
    let bytes: [u8; 12] = read(socket, libc::SOL_SOCKET, libc::SO_PEERCRED)?;
    let mut numbers = [0; 3];
    for (number, bytes) in numbers.iter_mut().zip(bytes.chunks_exact(4)) {
        *number = bytes.try_into().map_or(0, u32::from_ne_bytes);
    }
    Ok(numbers)
}

/// Reads an option of at least `N` bytes; the kernel cuts what is longer.
fn read<const N: usize>(socket: &impl AsFd, level: c_int, option: c_int) -> io::Result<[u8; N]> {
    let mut value = [0; N];
    match read_into(socket, level, option, &mut value)? {
        len if len == N => Ok(value),
        _ => Err(io::ErrorKind::InvalidData.into()),
    }
}

/// Reads an option, as much as there is room for, and returns how much that is. For options whose value is plain bytes:
/// the kernel takes nothing in `room` for an address.
fn read_into(
    socket: &impl AsFd,
    level: c_int,
    option: c_int,
    room: &mut [u8],
) -> io::Result<usize> {
    let mut len = libc::socklen_t::try_from(room.len()).map_err(|_| io::ErrorKind::InvalidInput)?;
    // SAFETY: the kernel writes at most `len` bytes to the fourth argument and a socklen_t to the fifth. `room` is
    // borrowed for writing and has exactly that many bytes, for which every bit pattern is valid; `len` is a live local
    // of that type; neither is used otherwise during the call. The callers above ask for options only whose value the
    // kernel does not read. The descriptor is open: `socket` borrows its owner.
    let result = unsafe {
        libc::getsockopt(
            socket.as_fd().as_raw_fd(),
            level,
            option,
            room.as_mut_ptr().cast(),
            &raw mut len,
        )
    };
    if result != 0 {
        return Err(io::Error::last_os_error());
    }
    usize::try_from(len).map_err(|_| io::ErrorKind::InvalidData.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_zero_before_a_packet_came() {
        let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        assert_eq!(incoming_napi_id(&socket).unwrap(), 0);
    }

    #[test]
    fn the_cookie_is_the_namespaces() {
        let [first, second] = [(); 2].map(|()| std::net::UdpSocket::bind("127.0.0.1:0").unwrap());
        let cookie = namespace_cookie(&first).unwrap();
        assert_ne!(cookie, 0);
        assert_eq!(cookie, namespace_cookie(&second).unwrap());
    }

    #[test]
    fn of_a_file_is_an_error() {
        let file = std::fs::File::open("/dev/null").unwrap();
        let error = incoming_napi_id(&file).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::ENOTSOCK));
    }
}
