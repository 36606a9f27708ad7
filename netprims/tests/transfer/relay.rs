use std::fs::File;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream, UdpSocket};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::net::{UnixDatagram, UnixStream};
use std::thread;
use std::time::Duration;

use netprims::Error;
use netprims::fd::{Epoll, MemFd, pass};
use netprims::transfer::{Pipe, Relay, RelayTurn};
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::poll::PollFlags;
use rstest::rstest;

use crate::descriptors::balanced;
use crate::{connected, pattern, slow_reader, wait_for, writer};

/// Runs to the end of the source, waiting as it is told, and ends the target's stream.
fn run(relay: &mut Relay, source: &TcpStream, target: &TcpStream) -> usize {
    let mut moved = 0;
    for turn in 0.. {
        // Far more than there is to move: one that waits for what is there already turns without end.
        assert!(turn < 1_000_000, "{moved} bytes moved, {relay:?}");
        match relay.turn(source, target).unwrap() {
            RelayTurn::Moved(count) => moved += count,
            RelayTurn::WaitRead => {
                assert_eq!(relay.held(), 0);
                wait_for(source, PollFlags::POLLIN);
            }
            RelayTurn::WaitWrite => {
                assert!(relay.held() > 0);
                wait_for(target, PollFlags::POLLOUT);
            }
            RelayTurn::Ended => break,
        }
    }
    assert!(relay.has_ended() && relay.held() == 0);
    target.shutdown(Shutdown::Write).unwrap();
    moved
}

#[rstest]
fn a_stream_arrives_whole_through_a_slow_reader(
    #[values(true, false)] nonblocking: bool,
    #[values(4096, 65536, 1 << 20)] capacity: usize,
) {
    balanced(|| {
        let len = 1_500_037;
        let [(client, source), (target, server)] = [connected(), connected()];
        source.set_nonblocking(nonblocking).unwrap();
        target.set_nonblocking(nonblocking).unwrap();
        let writing = writer(client, pattern(0, len));
        let reading = slow_reader(server);
        let mut relay = Relay::with_pipe(Pipe::with_capacity(capacity).unwrap()).unwrap();
        assert_eq!(run(&mut relay, &source, &target), len);
        writing.join().unwrap();
        assert!(reading.join().unwrap() == pattern(0, len), "other bytes");
    });
}

#[test]
fn both_directions_of_a_proxy_run_to_their_ends() {
    balanced(|| {
        let [(client, inside), (outside, server)] = [connected(), connected()];
        let (question, answer) = (pattern(0, 500_001), pattern(1, 700_003));
        thread::scope(|scope| {
            let (inside, outside) = (&inside, &outside);
            for (from, to, len) in [
                (inside, outside, question.len()),
                (outside, inside, answer.len()),
            ] {
                scope.spawn(move || {
                    let mut relay = Relay::new().unwrap();
                    assert_eq!(run(&mut relay, from, to), len);
                });
            }
            let ask = scope.spawn(|| {
                (&client).write_all(&question).unwrap();
                client.shutdown(Shutdown::Write).unwrap();
                let mut came = Vec::new();
                (&client).read_to_end(&mut came).unwrap();
                came
            });
            let mut came = Vec::new();
            (&server).read_to_end(&mut came).unwrap();
            assert!(came == question, "other bytes");
            (&server).write_all(&answer).unwrap();
            server.shutdown(Shutdown::Write).unwrap();
            assert!(ask.join().unwrap() == answer, "other bytes");
        });
    });
}

/// A relay whose target takes no more, with how much it took.
fn stuck(source: &TcpStream, target: &TcpStream) -> (Relay, usize) {
    source.set_nonblocking(true).unwrap();
    target.set_nonblocking(true).unwrap();
    let (mut relay, mut moved) = (Relay::new().unwrap(), 0);
    for _ in 0..1_000_000 {
        match relay.turn(source, target).unwrap() {
            RelayTurn::Moved(count) => moved += count,
            RelayTurn::WaitRead => wait_for(source, PollFlags::POLLIN),
            // A segment may still be on its way into the target's queue: only what stays so counts.
            RelayTurn::WaitWrite if relay.turn(source, target).unwrap() == RelayTurn::WaitWrite => {
                return (relay, moved);
            }
            RelayTurn::WaitWrite => unreachable!("nobody reads"),
            RelayTurn::Ended => panic!("after {moved} bytes"),
        }
    }
    panic!("{moved} bytes moved, {relay:?}");
}

#[test]
fn what_a_full_target_did_not_take_is_held_and_can_be_taken() {
    balanced(|| {
        let len = 4 << 20;
        let [(client, source), (target, server)] = [connected(), connected()];
        let feed = client.try_clone().unwrap();
        let writing = thread::spawn(move || {
            // Until the other end is closed: nobody reads all of it.
            let _ = (&feed).write_all(&pattern(0, len));
        });
        let (mut relay, moved) = stuck(&source, &target);
        let held = relay.held();
        assert!(held > 0 && moved + held < len, "{moved} {held}");
        assert!(
            relay.take_held().unwrap() == pattern(moved, held),
            "other bytes held"
        );
        assert_eq!(relay.held(), 0);
        let mut came = vec![0; moved];
        (&server).read_exact(&mut came).unwrap();
        assert!(came == pattern(0, moved), "other bytes");
        client.shutdown(Shutdown::Both).unwrap();
        drop(source);
        writing.join().unwrap();
    });
}

#[test]
fn a_target_that_goes_is_an_error_and_what_it_did_not_take_is_held() {
    balanced(|| {
        let len = 4 << 20;
        let [(client, source), (target, server)] = [connected(), connected()];
        let feed = client.try_clone().unwrap();
        let writing = thread::spawn(move || {
            let _ = (&feed).write_all(&pattern(0, len));
        });
        let (mut relay, moved) = stuck(&source, &target);
        let held = relay.held();
        // With bytes unread: reset.
        drop(server);
        for _ in 0..2 {
            let error = relay.turn(&source, &target).unwrap_err();
            assert!(matches!(error.raw_os_error(), Some(32 | 104)), "{error}");
            assert!(
                error.to_string().contains("splice out of a pipe to fd"),
                "{error}"
            );
            assert_eq!(relay.held(), held);
        }
        // Another target goes on where the first one stopped.
        let (second, server) = connected();
        assert_eq!(
            relay.turn(&source, &second).unwrap(),
            RelayTurn::Moved(held)
        );
        let mut came = vec![0; held];
        (&server).read_exact(&mut came).unwrap();
        assert!(came == pattern(moved, held), "other bytes");
        client.shutdown(Shutdown::Both).unwrap();
        drop(source);
        writing.join().unwrap();
    });
}

#[test]
fn a_source_that_goes_is_an_error_of_the_source() {
    balanced(|| {
        let [(client, source), (target, _server)] = [connected(), connected()];
        (&source).write_all(b"unread").unwrap();
        drop(client);
        wait_for(&source, PollFlags::POLLIN);
        let mut relay = Relay::new().unwrap();
        let error = relay.turn(&source, &target).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(104), "{error}");
        assert!(
            error.to_string().contains("splice into a pipe from fd"),
            "{error}"
        );
        assert!(relay.held() == 0 && !relay.has_ended());
    });
}

#[test]
fn an_end_is_found_once_and_kept() {
    balanced(|| {
        let [(client, source), (target, mut server)] = [connected(), connected()];
        (&client).write_all(b"last").unwrap();
        drop(client);
        let mut relay = Relay::new().unwrap();
        assert_eq!(relay.turn(&source, &target).unwrap(), RelayTurn::Moved(4));
        assert_eq!(relay.turn(&source, &target).unwrap(), RelayTurn::Ended);
        // Not asked any more: this could not be read.
        let epoll = Epoll::new().unwrap();
        assert_eq!(relay.turn(&epoll, &epoll).unwrap(), RelayTurn::Ended);
        let mut came = [0; 4];
        server.read_exact(&mut came).unwrap();
        assert_eq!(&came, b"last");
        assert!(relay.take_held().unwrap().is_empty());
    });
}

#[test]
fn packets_of_one_byte_do_not_fill_a_pipe_for_good() {
    balanced(|| {
        let [(client, source), (target, server)] = [connected(), connected()];
        source.set_nonblocking(true).unwrap();
        target.set_nonblocking(true).unwrap();
        client.set_nodelay(true).unwrap();
        let bytes = pattern(0, 5000);
        for byte in &bytes {
            (&client).write_all(&[*byte]).unwrap();
        }
        drop(client);
        let reading = slow_reader(server);
        let mut relay = Relay::with_pipe(Pipe::with_capacity(4096).unwrap()).unwrap();
        assert_eq!(run(&mut relay, &source, &target), 5000);
        assert!(reading.join().unwrap() == bytes, "other bytes");
    });
}

#[test]
fn a_file_and_a_unix_socket_are_sources_and_targets_too() {
    balanced(|| {
        let mut file = File::from(OwnedFd::from(MemFd::new("source").unwrap()));
        file.write_all(&pattern(0, 100_000)).unwrap();
        std::io::Seek::rewind(&mut file).unwrap();
        let (near, far) = UnixStream::pair().unwrap();
        let reading = slow_reader(far);
        let mut relay = Relay::new().unwrap();
        while let RelayTurn::Moved(_) = relay.turn(&file, &near).unwrap() {}
        drop(near);
        assert!(
            reading.join().unwrap() == pattern(0, 100_000),
            "other bytes"
        );
    });
}

#[test]
fn what_is_no_stream_is_an_error_that_says_what_is() {
    balanced(|| {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (near, _far) = connected();
        let mut relay = Relay::new().unwrap();
        let error = relay.turn(&listener, &near).unwrap_err();
        assert!(matches!(error.raw_os_error(), Some(22 | 107)), "{error}");
        let epoll = Epoll::new().unwrap();
        let error = relay.turn(&epoll, &near).unwrap_err();
        assert!(error.to_string().contains("stream socket"), "{error}");
    });
}

#[test]
fn messages_are_refused_before_one_is_cut() {
    balanced(|| {
        let (near, mut far) = connected();
        let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
        udp.connect(udp.local_addr().unwrap()).unwrap();
        udp.send(b"a whole message").unwrap();
        let (unix, _peer) = UnixDatagram::pair().unwrap();
        let mut relay = Relay::new().unwrap();
        far.write_all(b"stream").unwrap();
        for error in [
            relay.turn(&udp, &near).unwrap_err(),
            relay.turn(&near, &udp).unwrap_err(),
            relay.turn(&unix, &near).unwrap_err(),
        ] {
            assert!(matches!(error, Error::InvalidValue { .. }), "{error}");
            assert!(error.to_string().contains("only streams"), "{error}");
        }
        assert_eq!(relay.held(), 0);
        assert_eq!(udp.recv(&mut [0; 99]).unwrap(), 15);
        // The stream is as it was, and may be relayed to another stream.
        let (other, _end) = connected();
        assert_eq!(relay.turn(&near, &other).unwrap(), RelayTurn::Moved(6));
    });
}

#[test]
fn a_number_that_has_become_another_socket_is_looked_at_anew() {
    balanced(|| {
        let [(client, source), (target, _server)] = [connected(), connected()];
        (&client).write_all(b"stream").unwrap();
        let mut relay = Relay::new().unwrap();
        assert_eq!(relay.turn(&source, &target).unwrap(), RelayTurn::Moved(6));
        let number = source.as_raw_fd();
        drop(source);
        let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
        assert_eq!(udp.as_raw_fd(), number);
        // Taken for a stream, an empty message is its end.
        udp.send_to(b"", udp.local_addr().unwrap()).unwrap();
        let error = relay.turn(&udp, &target).unwrap_err();
        assert!(matches!(error, Error::InvalidValue { .. }), "{error}");
        assert!(!relay.has_ended());
    });
}

#[test]
fn what_a_pipe_holds_goes_first_and_the_next_relay_goes_on_with_it() {
    balanced(|| {
        let [(client, source), (target, server)] = [connected(), connected()];
        (&client).write_all(b"held").unwrap();
        wait_for(&source, PollFlags::POLLIN);
        let pipe = Pipe::new().unwrap();
        assert_eq!(pipe.fill(&source, 100).unwrap(), 4);
        let relay = Relay::with_pipe(pipe).unwrap();
        assert_eq!(relay.held(), 4);
        let mut relay = Relay::with_pipe(relay.into_pipe()).unwrap();
        (&client).write_all(b"next").unwrap();
        drop(client);
        assert_eq!(run(&mut relay, &source, &target), 8);
        let mut came = String::new();
        (&server).read_to_string(&mut came).unwrap();
        assert_eq!(came, "heldnext");
    });
}

#[test]
fn a_blocking_descriptor_the_kernel_does_not_wait_for_is_for_the_caller_to_wait_for() {
    balanced(|| {
        let [(client, source), (target, mut server)] = [connected(), connected()];
        let (near, far) = UnixStream::pair().unwrap();
        // Of one page, which holds one piece.
        let (reader, writer) = Pipe::with_capacity(4096).unwrap().into_ends();
        for end in [&reader, &writer] {
            fcntl(end, FcntlArg::F_SETFL(OFlag::empty())).unwrap();
        }
        let mut relay = Relay::new().unwrap();
        for blocking in [near.as_fd(), reader.as_fd()] {
            assert_eq!(relay.turn(&blocking, &target).unwrap(), RelayTurn::WaitRead);
        }
        (&far).write_all(b"unix").unwrap();
        wait_for(&near, PollFlags::POLLIN);
        assert_eq!(relay.turn(&near, &target).unwrap(), RelayTurn::Moved(4));
        server.read_exact(&mut [0; 4]).unwrap();
        // TCP is waited for until its time is up.
        source
            .set_read_timeout(Some(Duration::from_millis(20)))
            .unwrap();
        assert_eq!(relay.turn(&source, &target).unwrap(), RelayTurn::WaitRead);
        for want in [RelayTurn::Moved(5), RelayTurn::WaitWrite] {
            (&client).write_all(b"piece").unwrap();
            wait_for(&source, PollFlags::POLLIN);
            assert_eq!(relay.turn(&source, &writer).unwrap(), want);
        }
        assert!(relay.held() == 5 && !relay.has_ended());
    });
}

#[test]
fn only_bytes_are_relayed_and_descriptors_are_closed_on_the_way() {
    balanced(|| {
        let [(client, source), (target, server)] = [(); 2].map(|()| UnixStream::pair().unwrap());
        let (passed, mut watch) = UnixStream::pair().unwrap();
        pass::send(&client, b"x", &[passed.as_fd()]).unwrap();
        drop(passed);
        let mut relay = Relay::new().unwrap();
        assert_eq!(relay.turn(&source, &target).unwrap(), RelayTurn::Moved(1));
        // Its last descriptor is gone: the other end is at its end.
        watch.set_nonblocking(true).unwrap();
        assert_eq!(watch.read(&mut [0; 1]).unwrap(), 0);
        server.set_nonblocking(true).unwrap();
        let message = pass::receive(&server, &mut [0; 9], 0);
        assert!(message.is_ok(), "the byte alone: {message:?}");
    });
}
