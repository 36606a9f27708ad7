use std::io::{ErrorKind, Read};
use std::net::{TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Result;
use netprims::fd::{Epoll, Events, Interest};

use super::accept_error::{AcceptError, PAUSE};
use super::{Args, Received, Stream};

const LISTENER: u64 = u64::MAX;

struct Connection {
    socket: TcpStream,
    stream: Stream,
    /// When something came last.
    since: Instant,
}

impl Connection {
    /// Takes what has come. Why it is over, if it is.
    fn read(&mut self, buf: &mut [u8]) -> Option<String> {
        // Level-triggered: what this read leaves wakes the next wait.
        let len = match self.socket.read(buf) {
            Ok(0) => return Some("Closed".to_owned()),
            Ok(len) => len,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return None,
            Err(error) => return Some(error.to_string()),
        };
        self.since = Instant::now();
        let is_right = self.stream.check(&buf[..len]);
        (!is_right).then(|| "Cancelled".to_owned())
    }

    fn is_idle(&self, patience: Duration) -> bool {
        self.since.elapsed() > patience
    }
}

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
    let mut open: Vec<Option<Connection>> = Vec::new();
    let look = args.patience / 4;
    let mut looked = Instant::now();
    let most = usize::try_from(args.at_a_time)?;
    let mut received = Received::default();
    let mut buf = vec![0; usize::try_from(args.slot_len)?];
    while connections.is_none_or(|most| received.connections < most) {
        epoll.wait(&mut events, Some(look))?;
        for event in events.iter() {
            if event.token() == LISTENER {
                let Some(socket) = accept(&listener)? else {
                    continue;
                };
                let free = open.iter().position(Option::is_none);
                let nth = free.unwrap_or(open.len());
                if let Err(error) = epoll.add(&socket, u64::try_from(nth)?, Interest::READABLE) {
                    received.add(Stream::default(), &error.to_string());
                    continue;
                }
                open.resize_with(open.len().max(nth + 1), || None);
                open[nth] = Some(Connection {
                    socket,
                    stream: Stream::default(),
                    since: Instant::now(),
                });
                continue;
            }
            let Some(place) = open.get_mut(usize::try_from(event.token())?) else {
                continue;
            };
            let why = place.as_mut().and_then(|it| it.read(&mut buf));
            if let (Some(why), Some(connection)) = (&why, place.take_if(|_| why.is_some())) {
                received.add(connection.stream, why);
            }
        }
        if looked.elapsed() >= look {
            looked = Instant::now();
            for place in &mut open {
                if let Some(connection) = place.take_if(|it| it.is_idle(args.patience)) {
                    received.add(connection.stream, "Idle");
                }
            }
        }
        // The others wait in the backlog.
        let has_room = open.iter().flatten().count() < most;
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
