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
const SO_PREFER_BUSY_POLL: c_int = 69;
const SO_BUSY_POLL_BUDGET: c_int = 70;
const IP_LOCAL_PORT_RANGE: c_int = 51;

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
pub(crate) static UDP_GRO: Opt<4> = udp(libc::UDP_GRO);
pub(crate) static TOS: Opt<4> = ip(libc::IP_TOS);
pub(crate) static TRAFFIC_CLASS: Opt<4> = ipv6(libc::IPV6_TCLASS);
pub(crate) static TTL: Opt<4> = ip(libc::IP_TTL);
pub(crate) static HOP_LIMIT: Opt<4> = ipv6(libc::IPV6_UNICAST_HOPS);
pub(crate) static BIND_ADDRESS_NO_PORT: Opt<4> = ip(libc::IP_BIND_ADDRESS_NO_PORT);
pub(crate) static LOCAL_PORT_RANGE: Opt<4> = ip(IP_LOCAL_PORT_RANGE);
pub(crate) static ERRORS_V4: Opt<4> = ip(libc::IP_RECVERR);
pub(crate) static ERRORS_V6: Opt<4> = ipv6(libc::IPV6_RECVERR);
pub(crate) static PATH_MTU_V4: Opt<4> = ip(libc::IP_MTU_DISCOVER);
pub(crate) static PATH_MTU_V6: Opt<4> = ipv6(libc::IPV6_MTU_DISCOVER);

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

/// The state of a TCP socket, as `include/net/tcp_states.h` numbers it.
pub(crate) fn tcp_state(socket: &impl AsFd) -> io::Result<u8> {
    let [state] = read(socket, libc::IPPROTO_TCP, libc::TCP_INFO)?;
    Ok(state)
}

/// How many connections may wait to be accepted from a listening TCP socket.
pub(crate) fn tcp_backlog(listener: &impl AsFd) -> io::Result<u32> {
    // `tcp_get_info` in `net/ipv4/tcp.c`: for a listener `tcpi_sacked`, at byte 28, is the limit.
    let [.., a, b, c, d]: [u8; 32] = read(listener, libc::IPPROTO_TCP, libc::TCP_INFO)?;
    Ok(u32::from_ne_bytes([a, b, c, d]))
}

/// Reads an option of at least `N` bytes; the kernel cuts what is longer.
fn read<const N: usize>(socket: &impl AsFd, level: c_int, option: c_int) -> io::Result<[u8; N]> {
    let mut value = [0; N];
    let short = || io::Error::from(io::ErrorKind::InvalidData);
    let mut len = libc::socklen_t::try_from(N).map_err(|_| short())?;
    // SAFETY: the kernel writes at most `len` bytes to the fourth argument and a socklen_t to the fifth. `value` is a
    // live local of exactly that many bytes, for which every bit pattern is valid, `len` is a live local of that type,
    // and neither is used otherwise during the call. The descriptor is open: `socket` borrows its owner.
    let result = unsafe {
        libc::getsockopt(
            socket.as_fd().as_raw_fd(),
            level,
            option,
            value.as_mut_ptr().cast(),
            &raw mut len,
        )
    };
    if result != 0 {
        return Err(io::Error::last_os_error());
    }
    if usize::try_from(len) == Ok(N) {
        Ok(value)
    } else {
        Err(short())
    }
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
    fn tcp_tells_its_state() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        assert_eq!(tcp_state(&listener).unwrap(), 10, "TCP_LISTEN");
        let stream = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        assert_eq!(tcp_state(&stream).unwrap(), 1, "TCP_ESTABLISHED");
        let udp = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        assert!(tcp_state(&udp).is_err());
    }

    #[test]
    fn of_a_file_is_an_error() {
        let file = std::fs::File::open("/dev/null").unwrap();
        let error = incoming_napi_id(&file).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::ENOTSOCK));
    }
}
