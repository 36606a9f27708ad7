//! What sockets tell of themselves.
#![expect(clippy::unwrap_used, reason = "a test's way to fail")]

use std::fs::File;
use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream, UdpSocket};
use std::os::fd::AsFd;
use std::os::unix::net::{UnixDatagram, UnixListener, UnixStream};

use netprims::info::{
    AcceptQueue, CongestionInfo, CongestionState, MemInfo, PeerCredentials, TcpInfo, TcpState,
    cookie, incoming_cpu, napi_id, outstanding, unread, unsent,
};
use netprims::socket::TcpBuilder;
use netprims::sysctl::Sysctl;
use netprims::tuning::Tuning;
use netprims::{Error, Result};
use rstest::rstest;
use socket2::{Domain, Protocol, SockRef, Socket, Type};

fn connected() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let near = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (far, _) = listener.accept().unwrap();
    (near, far)
}

fn state(socket: &impl AsFd) -> TcpState {
    TcpInfo::of(socket).unwrap().state()
}

/// What becomes true once the other end's segments have arrived.
fn eventually(what: &str, mut is_so: impl FnMut() -> bool) {
    for _ in 0..10_000 {
        if is_so() {
            return;
        }
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
    panic!("not within ten seconds: {what}");
}

/// Major and minor number of the running kernel.
fn kernel() -> (u32, u32) {
    let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap();
    let mut numbers = release.split(|c: char| !c.is_ascii_digit());
    let mut next = || numbers.next().unwrap().parse().unwrap();
    (next(), next())
}

#[test]
fn a_connection_tells_what_went_over_it() {
    let (mut near, mut far) = connected();
    near.set_nodelay(true).unwrap();
    near.write_all(&[7; 1000]).unwrap();
    far.read_exact(&mut [0; 1000]).unwrap();
    far.write_all(&[8; 50]).unwrap();
    near.read_exact(&mut [0; 50]).unwrap();

    let info = TcpInfo::of(&near).unwrap();
    assert_eq!(info.state(), TcpState::Established);
    assert_eq!(info.congestion_state(), CongestionState::Open);
    // The answer brought the acknowledgement of the question.
    assert_eq!(
        (info.bytes_acked(), info.bytes_received()),
        (1001, 50),
        "with the SYN"
    );
    assert_eq!(info.bytes_sent().unwrap_or(1000), 1000);
    assert_eq!(info.bytes_retransmitted().unwrap_or(0), 0);
    assert_eq!((info.data_segments_out(), info.data_segments_in()), (1, 1));
    assert_eq!(
        (
            info.unacked(),
            info.unsent_bytes(),
            info.total_retransmits()
        ),
        (0, 0, 0)
    );
    assert!(info.rtt().unwrap() >= info.min_rtt().unwrap() && !info.rto().is_zero());
    assert!(info.congestion_window() > 0 && info.send_mss() > 500 && info.path_mtu() > 576);
    assert!(info.send_window().is_none_or(|window| window > 1000));
    assert_eq!(info.send_ssthresh(), None);
    assert_eq!(info.accept_queue(), None);
    eventually("the other side counts without the SYN", || {
        TcpInfo::of(&far).unwrap().bytes_acked() == 50
    });
    let text = format!("{info:?}");
    assert!(
        text.contains("state: Established") && text.contains("bytes_received: 50"),
        "{text}"
    );
}

#[test]
fn what_opens_and_ends_a_connection_is_counted_too() {
    let (near, far) = connected();
    // Acknowledged, received, arrived.
    let counts = |socket: &TcpStream| {
        let info = TcpInfo::of(socket).unwrap();
        (
            info.bytes_acked(),
            info.bytes_received(),
            info.delivered().unwrap_or(0),
        )
    };
    let counted = kernel() >= (4, 18);
    let arrived = |count| if counted { count } else { 0 };
    eventually("the connection", || {
        counts(&near) == (1, 0, arrived(1)) && counts(&far) == (0, 0, arrived(1))
    });
    (&near).write_all(b"hello").unwrap();
    (&far).read_exact(&mut [0; 5]).unwrap();
    eventually("data", || {
        counts(&near) == (6, 0, arrived(2)) && counts(&far) == (0, 5, arrived(1))
    });
    near.shutdown(Shutdown::Write).unwrap();
    eventually("the end", || {
        counts(&near) == (7, 0, arrived(3)) && counts(&far) == (0, 6, arrived(1))
    });
}

#[test]
fn a_listener_has_no_round_trips_and_no_threshold() {
    let info = TcpInfo::of(&TcpListener::bind("127.0.0.1:0").unwrap()).unwrap();
    assert_eq!(info.state(), TcpState::Listen);
    assert_eq!(
        (info.rtt(), info.min_rtt(), info.send_ssthresh()),
        (None, None, None)
    );
}

#[test]
fn as_much_is_told_as_the_kernel_has() {
    let given = TcpInfo::of(&connected().0).unwrap().given();
    let least = match kernel() {
        version if version >= (6, 18) => 280,
        version if version >= (6, 7) => 248,
        version if version >= (6, 2) => 240,
        version if version >= (5, 4) => 232,
        _ => 192,
    };
    eprintln!("{:?}: {given} bytes", kernel());
    assert!(given >= least, "{given} bytes on {:?}", kernel());
}

#[test]
fn states_are_those_of_the_connection() {
    let open = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    assert_eq!(state(&open), TcpState::Closed);
    let (near, far) = connected();
    assert_eq!(
        (state(&near), state(&far)),
        (TcpState::Established, TcpState::Established)
    );
    near.shutdown(Shutdown::Write).unwrap();
    assert_eq!((&far).read(&mut [0; 1]).unwrap(), 0);
    assert_eq!(state(&far), TcpState::CloseWait);
    eventually("the end of the stream is acknowledged", || {
        state(&near) == TcpState::FinWait2
    });
}

#[test]
fn a_listener_tells_who_waits() {
    let (listener, _) = TcpBuilder::new()
        .backlog(5)
        .listen("127.0.0.1:0".parse().unwrap())
        .unwrap();
    let queue = || TcpInfo::of(&listener).unwrap().accept_queue();
    let limit = 5;
    assert_eq!(
        queue(),
        Some(AcceptQueue {
            connections: 0,
            limit
        })
    );
    let peers = [(); 3].map(|()| TcpStream::connect(listener.local_addr().unwrap()).unwrap());
    assert_eq!(
        queue(),
        Some(AcceptQueue {
            connections: 3,
            limit
        })
    );
    listener.accept().unwrap();
    assert_eq!(
        queue(),
        Some(AcceptQueue {
            connections: 2,
            limit
        })
    );
    assert_eq!(TcpInfo::of(&listener).unwrap().unacked(), 0);
    drop(peers);
}

#[test]
fn queues_are_counted_to_the_byte() {
    let (near, far) = connected();
    assert_eq!(
        (
            unread(&far).unwrap(),
            outstanding(&near).unwrap(),
            unsent(&near).unwrap()
        ),
        (0, 0, 0)
    );
    near.set_nonblocking(true).unwrap();
    let mut written = 0;
    loop {
        match (&near).write(&[0; 65536]) {
            Ok(count) => written += count,
            Err(error) if error.kind() == ErrorKind::WouldBlock => break,
            Err(error) => panic!("{error}"),
        }
    }
    let now = || [unread(&far), outstanding(&near), unsent(&near)].map(Result::unwrap);
    eventually("what came is acknowledged", || {
        let [came, left, _] = now();
        came + left == u32::try_from(written).unwrap()
    });
    let [came, left, waiting] = now();
    assert!(
        came > 0 && waiting > 0 && left >= waiting,
        "{came} {left} {waiting}"
    );
    let info = TcpInfo::of(&near).unwrap();
    assert_eq!(info.unsent_bytes(), waiting);
    let memory = [MemInfo::of(&near).unwrap(), MemInfo::of(&far).unwrap()];
    assert!(
        memory[0].send_queue() > left && memory[1].received() > came,
        "{memory:?}"
    );
}

#[test]
fn a_full_socket_counts_what_it_drops() {
    let receiver = UdpSocket::bind("127.0.0.1:0").unwrap();
    let sender = UdpSocket::bind("127.0.0.1:0").unwrap();
    sender.connect(receiver.local_addr().unwrap()).unwrap();
    SockRef::from(&receiver).set_recv_buffer_size(4096).unwrap();
    for _ in 0..1000 {
        sender.send(&[0; 512]).unwrap();
    }
    let memory = MemInfo::of(&receiver).unwrap();
    let mut came = 0;
    receiver.set_nonblocking(true).unwrap();
    while receiver.recv(&mut [0; 512]).is_ok() {
        came += 1;
    }
    assert_eq!(memory.drops() + came, 1000);
    assert!(came > 0 && memory.drops() > 0, "{memory:?}");
    let buffer = SockRef::from(&receiver).recv_buffer_size().unwrap();
    assert_eq!(usize::try_from(memory.receive_buffer()).unwrap(), buffer);
    assert!(memory.beyond().is_empty(), "{memory:?}");
    // The next datagram's length, not that of all.
    receiver.set_nonblocking(false).unwrap();
    sender.send(&[0; 3]).unwrap();
    sender.send(&[0; 5]).unwrap();
    assert_eq!(unread(&receiver).unwrap(), 3);
}

#[test]
fn a_rate_without_limit_is_none() {
    let (near, _far) = connected();
    assert_eq!(TcpInfo::of(&near).unwrap().max_pacing_rate(), None);
    let report = Tuning::new().max_pacing_rate(1_000_000).apply(&near);
    assert_eq!(report.unwrap().differences().count(), 0);
    assert_eq!(
        TcpInfo::of(&near).unwrap().max_pacing_rate(),
        Some(1_000_000)
    );
}

#[test]
fn multipath_tcp_tells_its_first_subflow() {
    let builder = TcpBuilder::new().mptcp(true);
    let listener = match builder.listen("127.0.0.1:0".parse().unwrap()) {
        Ok((listener, _)) => listener,
        // A kernel built without it, or told not to.
        Err(error) => {
            assert!(matches!(error.raw_os_error(), Some(92 | 93)), "{error}");
            let enabled = Sysctl::new("net.mptcp.enabled").read().unwrap();
            assert_ne!(enabled.as_deref(), Some("1"), "{error}");
            return;
        }
    };
    assert_eq!(state(&listener), TcpState::Listen);
    let (mut near, _) = builder.connect(listener.local_addr().unwrap()).unwrap();
    near.write_all(&[1; 100]).unwrap();
    assert_eq!(state(&near), TcpState::Established);
    assert!(TcpInfo::of(&near).unwrap().data_segments_out() > 0);
    CongestionInfo::of(&near).unwrap();
}

#[test]
fn every_algorithm_there_is_tells_what_it_can() {
    let name = Sysctl::new("net.ipv4.tcp_allowed_congestion_control");
    let allowed = name.read().unwrap().unwrap();
    assert!(allowed.split(' ').any(|name| name == "reno"), "{allowed}");
    let (mut near, mut far) = connected();
    for algorithm in allowed.split(' ') {
        SockRef::from(&near)
            .set_tcp_congestion(algorithm.as_bytes())
            .unwrap();
        near.write_all(&[1; 100]).unwrap();
        far.read_exact(&mut [0; 100]).unwrap();
        let info = CongestionInfo::of(&near).unwrap();
        eprintln!("{algorithm}: {info:?}");
        match algorithm {
            "reno" | "cubic" => assert_eq!(info, CongestionInfo::Nothing),
            "bbr" => assert!(matches!(info, CongestionInfo::Bbr(bbr) if bbr.pacing_gain > 1.0)),
            "vegas" => assert!(matches!(info, CongestionInfo::Vegas(_))),
            "dctcp" => assert!(matches!(info, CongestionInfo::Dctcp(_))),
            _ => {}
        }
    }
}

#[test]
fn a_cookie_is_of_the_socket_and_not_of_the_descriptor() {
    let [one, two] = [(); 2].map(|()| UdpSocket::bind("127.0.0.1:0").unwrap());
    let same = one.try_clone().unwrap();
    assert_ne!(cookie(&one).unwrap(), 0);
    assert_eq!(cookie(&one).unwrap(), cookie(&same).unwrap());
    assert_ne!(cookie(&one).unwrap(), cookie(&two).unwrap());
}

#[test]
fn where_packets_come_in_is_known_after_the_first() {
    let receiver = UdpSocket::bind("127.0.0.1:0").unwrap();
    assert_eq!(incoming_cpu(&receiver).unwrap(), None);
    // Of UDP it is kept for connected sockets only.
    receiver.connect(receiver.local_addr().unwrap()).unwrap();
    receiver.send(&[1]).unwrap();
    receiver.recv(&mut [0; 1]).unwrap();
    assert!(incoming_cpu(&receiver).unwrap().is_some());
    assert_eq!(napi_id(&receiver).unwrap(), None, "loopback has none");
}

#[test]
fn a_unix_socket_tells_its_peer() {
    let (near, _far) = UnixStream::pair().unwrap();
    let own = PeerCredentials {
        pid: Some(std::process::id()),
        uid: nix::unistd::geteuid().as_raw(),
        gid: nix::unistd::getegid().as_raw(),
    };
    assert_eq!(PeerCredentials::of(&near).unwrap(), Some(own));
    let alone = UnixDatagram::unbound().unwrap();
    assert_eq!(PeerCredentials::of(&alone).unwrap(), None);
    assert_eq!(PeerCredentials::of(&connected().0).unwrap(), None);
    let path = std::env::temp_dir().join(format!("netprims-peer-{}", std::process::id()));
    let listener = UnixListener::bind(&path).unwrap();
    let client = UnixStream::connect(&path);
    std::fs::remove_file(&path).unwrap();
    assert_eq!(
        PeerCredentials::of(&listener).unwrap(),
        None,
        "it has no peer"
    );
    let (accepted, _) = listener.accept().unwrap();
    for end in [accepted, client.unwrap()] {
        assert_eq!(PeerCredentials::of(&end).unwrap(), Some(own));
    }
}

#[test]
fn queues_of_unix_sockets_are_of_memory_and_of_bytes() {
    let (near, far) = UnixStream::pair().unwrap();
    let [one, other] = <[UnixDatagram; 2]>::from(UnixDatagram::pair().unwrap());
    for bytes in [&b"abc"[..], b"defgh"] {
        (&near).write_all(bytes).unwrap();
        one.send(bytes).unwrap();
    }
    assert_eq!(unread(&far).unwrap(), 8, "of a stream, all");
    assert_eq!(unread(&other).unwrap(), 3, "of datagrams, the next");
    for queue in [outstanding(&near), outstanding(&one)] {
        assert!(queue.unwrap() > 8, "with what manages the packets");
    }
    (&far).read_exact(&mut [0; 8]).unwrap();
    assert_eq!(outstanding(&near).unwrap(), 0, "until the peer has read it");
}

fn is_advised<T: std::fmt::Debug>(result: Result<T>, errno: i32, text: &str) {
    let error = result.unwrap_err();
    assert_eq!(error.raw_os_error(), Some(errno), "{error}");
    assert!(
        matches!(
            error,
            Error::System {
                advice: Some(_),
                ..
            }
        ),
        "{error}"
    );
    assert!(error.to_string().contains(text), "{error}");
}

#[test]
fn what_is_no_socket_is_an_error_that_says_so() {
    let file = File::open("/dev/null").unwrap();
    is_advised(TcpInfo::of(&file), 88, "no socket");
    is_advised(CongestionInfo::of(&file), 88, "no socket");
    is_advised(MemInfo::of(&file), 88, "no socket");
    is_advised(PeerCredentials::of(&file), 88, "no socket");
    is_advised(cookie(&file), 88, "no socket");
    is_advised(incoming_cpu(&file), 88, "no socket");
    is_advised(napi_id(&file), 88, "no socket");
    is_advised(unread(&file), 88, "no socket");
    is_advised(outstanding(&file), 88, "no socket");
    is_advised(unsent(&file), 88, "no socket");
}

#[rstest]
#[case::udp(Socket::new(Domain::IPV4, Type::DGRAM, None), 95)]
#[case::udp6(Socket::new(Domain::IPV6, Type::DGRAM, None), 92)]
#[case::unix(Socket::new(Domain::UNIX, Type::STREAM, None), 95)]
fn what_is_not_tcp_is_an_error_that_says_so(
    #[case] socket: std::io::Result<Socket>,
    #[case] errno: i32,
) {
    let socket = socket.unwrap();
    is_advised(TcpInfo::of(&socket), errno, "not TCP");
    is_advised(CongestionInfo::of(&socket), errno, "not TCP");
    MemInfo::of(&socket).unwrap();
}

#[test]
fn a_queue_that_is_not_there_is_an_error() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    assert_eq!(unread(&listener).unwrap_err().raw_os_error(), Some(22));
    let path = std::env::temp_dir().join(format!("netprims-info-{}", std::process::id()));
    let unix = UnixListener::bind(&path);
    std::fs::remove_file(&path).unwrap();
    assert_eq!(unread(&unix.unwrap()).unwrap_err().raw_os_error(), Some(22));
    let udp = Socket::new(Domain::IPV4, Type::DGRAM, Some(Protocol::UDP)).unwrap();
    is_advised(unsent(&udp), 25, "does not tell");
}
