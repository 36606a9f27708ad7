use std::net::{Shutdown, SocketAddr};

use netprims::Error;
use netprims::socket::UdpBuilder;
use netprims::tuning::{Tuning, Value};
use rstest::rstest;

use crate::descriptors::is_close_on_exec;

const UDP: UdpBuilder = UdpBuilder::new();

fn any() -> SocketAddr {
    "127.0.0.1:0".parse().unwrap()
}

#[rstest]
#[case("127.0.0.1:0")]
#[case("[::1]:0")]
fn datagrams_go_both_ways(#[case] local: SocketAddr) {
    let (server, _) = UDP.bind(local).unwrap();
    let (client, _) = UDP.connect(server.local_addr().unwrap()).unwrap();
    assert!(is_close_on_exec(&server) && is_close_on_exec(&client));
    assert_eq!(client.peer_addr().unwrap(), server.local_addr().unwrap());
    assert_eq!(client.send(b"question").unwrap(), 8);
    let mut data = [0; 16];
    let (bytes, from) = server.recv_from(&mut data).unwrap();
    assert_eq!(
        (&data[..bytes], from),
        (&b"question"[..], client.local_addr().unwrap())
    );
    assert_eq!(server.send_to(b"", from).unwrap(), 0);
    assert_eq!(server.send_to(b"answer", from).unwrap(), 6);
    assert_eq!(
        client.recv(&mut data).unwrap(),
        0,
        "an empty datagram is one"
    );
    // What does not fit is lost.
    assert_eq!(client.recv(&mut data[..3]).unwrap(), 3);
    assert_eq!(&data[..3], b"ans");
    client.set_nonblocking(true).unwrap();
    let error = client.recv(&mut data).unwrap_err();
    assert_eq!(error.raw_os_error(), Some(11), "{error}");
    client.close().unwrap();
    server.close().unwrap();
}

#[test]
fn the_tuning_is_in_force_before_the_bind() {
    let tuning = Tuning::udp()
        .receive_buffer(50_000)
        .only_v6(true)
        .strict(true);
    let (socket, report) = UDP.tuning(tuning).bind("[::]:0".parse().unwrap()).unwrap();
    let buffer = report.outcome("SO_RCVBUF").unwrap().effective();
    assert_eq!(buffer, Some(Value::Bytes(100_000)));
    assert_eq!(
        socket2::SockRef::from(&socket).recv_buffer_size().unwrap(),
        100_000
    );
    // Only so is the same port free for IPv4.
    let port = socket.local_addr().unwrap().port();
    drop(UDP.bind(SocketAddr::from(([0, 0, 0, 0], port))).unwrap());
    let late = Tuning::udp().receive_buffer(u32::MAX >> 2).strict(true);
    let error = UDP.tuning(late).connect(any()).unwrap_err();
    assert!(matches!(error, Error::NotGranted(_)), "{error}");
}

#[test]
fn a_connected_socket_has_the_source_it_was_given_and_hears_its_peer_only() {
    let (server, _) = UDP.bind(any()).unwrap();
    let (stranger, _) = UDP.bind(any()).unwrap();
    let builder = UDP.source("127.0.0.9:0".parse().unwrap());
    let (client, _) = builder.connect(server.local_addr().unwrap()).unwrap();
    let local = client.local_addr().unwrap();
    assert_eq!(local.ip().to_string(), "127.0.0.9");
    stranger.send_to(b"stranger", local).unwrap();
    server.send_to(b"peer", local).unwrap();
    let mut data = [0; 16];
    assert_eq!(client.recv(&mut data).unwrap(), 4);
    let other = builder.connect("[::1]:9".parse().unwrap());
    assert!(
        matches!(
            other,
            Err(Error::InvalidValue {
                option: "source",
                ..
            })
        ),
        "{other:?}"
    );
}

#[test]
fn a_peer_that_is_not_there_is_an_error_of_the_next_call() {
    let (gone, _) = UDP.bind(any()).unwrap();
    let (client, _) = UDP.connect(gone.local_addr().unwrap()).unwrap();
    gone.close().unwrap();
    // Instead of waiting for ever, should the answer be lost.
    let patience = Some(std::time::Duration::from_secs(60));
    socket2::SockRef::from(&client)
        .set_read_timeout(patience)
        .unwrap();
    client.send(b"x").unwrap();
    let error = client.recv(&mut [0; 1]).unwrap_err();
    assert_eq!(error.raw_os_error(), Some(111), "{error}");
}

#[test]
fn errors_name_the_call_and_the_address() {
    let (socket, _) = UDP.bind(any()).unwrap();
    let local = socket.local_addr().unwrap();
    let error = UDP.bind(local).unwrap_err();
    assert_eq!(error.raw_os_error(), Some(98), "{error}");
    assert!(error.to_string().contains(&local.to_string()), "{error}");
    let error = UDP.bind("192.0.2.1:0".parse().unwrap()).unwrap_err();
    assert_eq!(error.raw_os_error(), Some(99), "{error}");
    assert!(error.to_string().contains("freebind"), "{error}");
    let error = socket.send_to(&[0; 65_508], local).unwrap_err();
    assert_eq!(error.raw_os_error(), Some(90), "{error}");
    let error = socket.send(b"x").unwrap_err();
    assert_eq!(error.raw_os_error(), Some(89), "{error}");
    for error in [
        socket.peer_addr().map(drop).unwrap_err(),
        socket.shutdown(Shutdown::Both).unwrap_err(),
    ] {
        assert_eq!(error.raw_os_error(), Some(107), "{error}");
    }
}
