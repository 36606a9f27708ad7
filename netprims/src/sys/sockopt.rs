//! Socket options that socket2 does not have.

use std::ffi::c_int;
use std::io;
use std::os::fd::{AsFd, AsRawFd};

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
