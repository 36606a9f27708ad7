use std::io::{ErrorKind, Read};
use std::net::{TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::thread;

use anyhow::Result;
use netprims::fd::{Epoll, Events, Interest};

use super::accept_error::{AcceptError, PAUSE};
use super::{Args, Received, Stream};

const LISTENER: u64 = u64::MAX;

/// Receives until so many connections are over.
pub(super) fn receive(
    args: &Args,
    listener: OwnedFd,
    connections: Option<u64>,
) -> Result<Received> {
    println!("receives: plain, by read(2)");
    let listener = TcpListener::from(listener);
    listener.set_nonblocking(true)?;
    let epoll = Epoll::new()?;
    epoll.add(&listener, LISTENER, Interest::READABLE)?;
    let mut is_accepting = true;
    let mut events = Events::with_capacity(64);
    // The place of a connection is its token.
    let mut streams: Vec<Option<(TcpStream, Stream)>> = Vec::new();
    let most = usize::try_from(args.at_a_time)?;
    let mut received = Received::default();
    let mut buf = vec![0; usize::try_from(args.slot_len)?];
    while connections.is_none_or(|most| received.connections < most) {
        epoll.wait(&mut events, None)?;
        for event in events.iter() {
            if event.token() == LISTENER {
                if let Some(stream) = accept(&listener)? {
                    let free = streams.iter().position(Option::is_none);
                    let nth = free.unwrap_or(streams.len());
                    epoll.add(&stream, u64::try_from(nth)?, Interest::READABLE)?;
                    streams.resize_with(streams.len().max(nth + 1), || None);
                    streams[nth] = Some((stream, Stream::default()));
                }
                continue;
            }
            let Some(place) = streams.get_mut(usize::try_from(event.token())?) else {
                continue;
            };
            let Some((socket, stream)) = place else {
                continue;
            };
            // Level-triggered: what this read leaves wakes the next wait.
            match socket.read(&mut buf) {
                Ok(0) => {
                    received.add(stream, "Closed");
                    *place = None;
                }
                Ok(len) => stream.check(&buf[..len])?,
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(error) => {
                    received.add(stream, &error.to_string());
                    *place = None;
                }
            }
        }
        // The others wait in the backlog.
        let has_room = streams.iter().flatten().count() < most;
        if has_room != is_accepting {
            let interest = if has_room {
                Interest::READABLE
            } else {
                Interest::NONE
            };
            epoll.modify(&listener, LISTENER, interest)?;
            is_accepting = has_room;
        }
    }
    println!("bytes={0} copied={0}", received.bytes);
    Ok(received)
}

fn accept(listener: &TcpListener) -> Result<Option<TcpStream>> {
    let error = match listener.accept() {
        Ok((stream, _)) => {
            stream.set_nonblocking(true)?;
            return Ok(Some(stream));
        }
        Err(error) => error,
    };
    match AcceptError::of(&error) {
        AcceptError::Nobody | AcceptError::OneConnection => Ok(None),
        AcceptError::Exhausted => {
            eprintln!("accept: {error}");
            thread::sleep(PAUSE);
            Ok(None)
        }
        AcceptError::Listener => Err(error.into()),
    }
}
