use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};

use netprims::info::unread;
use netprims::transfer::{Relay, RelayTurn};
use nix::poll::PollFlags;
use rstest::rstest;
use socket2::SockRef;

use crate::descriptors::balanced;
use crate::{connected, wait_for};

/// Relays so many bytes to a target and reads them from its other end, waiting as it is told.
fn relayed(
    relay: &mut Relay,
    source: &TcpStream,
    pair: &(TcpStream, TcpStream),
    len: usize,
) -> Vec<u8> {
    let mut moved = 0;
    // More turns than bytes, of which some find the source readable and nothing in it.
    for _ in 0..1000 {
        if moved == len {
            let mut came = vec![0; len];
            (&pair.1).read_exact(&mut came).unwrap();
            return came;
        }
        match relay.turn(source, &pair.0).unwrap() {
            RelayTurn::Moved(count) => moved += count,
            RelayTurn::WaitRead => wait_for(source, PollFlags::POLLIN),
            other => panic!("{other:?} after {moved} bytes of {len}"),
        }
    }
    panic!("turns without end after {moved} bytes of {len}");
}

fn urgent(socket: &TcpStream) {
    assert_eq!(SockRef::from(socket).send_out_of_band(b"!").unwrap(), 1);
}

#[rstest]
fn what_comes_behind_an_urgent_byte_arrives(
    #[values(true, false)] nonblocking: bool,
    #[values(true, false)] inline: bool,
) {
    balanced(|| {
        let [(client, source), target] = [connected(), connected()];
        source.set_nonblocking(nonblocking).unwrap();
        SockRef::from(&source)
            .set_out_of_band_inline(inline)
            .unwrap();
        let mut relay = Relay::new().unwrap();
        for _ in 0..3 {
            (&client).write_all(b"before").unwrap();
            urgent(&client);
            (&client).write_all(b"behind").unwrap();
            let want: &[u8] = if inline {
                b"before!behind"
            } else {
                b"beforebehind"
            };
            assert_eq!(relayed(&mut relay, &source, &target, want.len()), want);
        }
        client.shutdown(Shutdown::Write).unwrap();
        wait_for(&source, PollFlags::POLLIN);
        assert_eq!(relay.turn(&source, &target.0).unwrap(), RelayTurn::Ended);
    });
}

#[rstest]
fn an_urgent_byte_is_no_end_and_the_end_behind_it_is(
    #[values(true, false)] nonblocking: bool,
    #[values(true, false)] ends: bool,
) {
    balanced(|| {
        let [(client, source), target] = [connected(), connected()];
        source.set_nonblocking(nonblocking).unwrap();
        let mut relay = Relay::new().unwrap();
        (&client).write_all(b"before").unwrap();
        urgent(&client);
        assert_eq!(relayed(&mut relay, &source, &target, 6), b"before");
        wait_for(&source, PollFlags::POLLPRI);
        if ends {
            client.shutdown(Shutdown::Write).unwrap();
            wait_for(&source, PollFlags::POLLIN);
            assert_eq!(relay.turn(&source, &target.0).unwrap(), RelayTurn::Ended);
        } else {
            // Nothing but the urgent byte: not readable, and not at its end.
            assert_eq!(relay.turn(&source, &target.0).unwrap(), RelayTurn::WaitRead);
            assert!(!relay.has_ended());
            (&client).write_all(b"behind").unwrap();
            assert_eq!(relayed(&mut relay, &source, &target, 6), b"behind");
        }
    });
}

#[test]
fn what_can_be_read_ends_at_an_urgent_byte() {
    balanced(|| {
        let (client, source) = connected();
        (&client).write_all(b"before").unwrap();
        urgent(&client);
        (&client).write_all(b"behind").unwrap();
        wait_for(&source, PollFlags::POLLPRI);
        assert_eq!(unread(&source).unwrap(), 6);
        (&source).read_exact(&mut [0; 6]).unwrap();
        assert_eq!(unread(&source).unwrap(), 0);
        let mut behind = [0; 6];
        (&source).read_exact(&mut behind).unwrap();
        assert_eq!(&behind, b"behind");
    });
}
