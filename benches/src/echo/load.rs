use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};

use anyhow::{Context as _, Result, bail, ensure};
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};

use super::{CONNECTIONS, REQUEST};

/// How long nothing may be answered, in milliseconds: a server under an emulator is slow.
const PATIENCE: u16 = 20_000;

/// Connections that each send the next request when the one before is answered.
pub(super) struct Load {
    epoll: Epoll,
    connections: Vec<Connection>,
    events: Vec<EpollEvent>,
}

struct Connection {
    stream: TcpStream,
    request: [u8; REQUEST],
    answer: [u8; REQUEST],
    /// Bytes of the answer that are here.
    answered: usize,
}

impl Load {
    pub(super) fn connect(address: SocketAddr) -> Result<Self> {
        let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
        let mut connections = Vec::with_capacity(CONNECTIONS);
        for id in 0..CONNECTIONS {
            let stream = TcpStream::connect(address).context("cannot connect to the server")?;
            stream.set_nodelay(true)?;
            stream.set_nonblocking(true)?;
            epoll.add(
                &stream,
                EpollEvent::new(EpollFlags::EPOLLIN, u64::try_from(id)?),
            )?;
            connections.push(Connection {
                stream,
                request: [0; REQUEST],
                answer: [0; REQUEST],
                answered: 0,
            });
        }
        let events = vec![EpollEvent::empty(); CONNECTIONS];
        Ok(Load {
            epoll,
            connections,
            events,
        })
    }

    /// Has this many requests answered; checks every byte. When it returns, none is under way.
    pub(super) fn run(&mut self, requests: u32) -> Result<()> {
        let mut asked = 0;
        let mut answered = 0;
        for connection in &mut self.connections {
            if asked < requests {
                connection.ask(asked)?;
                asked += 1;
            }
        }
        while answered < requests {
            let ready = self
                .epoll
                .wait(&mut self.events, EpollTimeout::from(PATIENCE))?;
            ensure!(
                ready > 0,
                "nothing is answered any more, after {answered} requests"
            );
            for event in self.events.iter().take(ready) {
                let connection = usize::try_from(event.data())?;
                let connection = self
                    .connections
                    .get_mut(connection)
                    .context("no such connection")?;
                if !connection.take_answer()? {
                    continue;
                }
                answered += 1;
                if asked < requests {
                    connection.ask(asked)?;
                    asked += 1;
                }
            }
        }
        Ok(())
    }
}

impl Connection {
    /// Sends a request that no other is equal to.
    fn ask(&mut self, number: u32) -> Result<()> {
        for piece in self.request.chunks_exact_mut(4) {
            piece.copy_from_slice(&number.to_ne_bytes());
        }
        self.answered = 0;
        // It is the only one under way, and short: there is room for it.
        self.stream
            .write_all(&self.request)
            .context("cannot send a request")
    }

    /// Takes what there is of the answer; true if it is whole.
    fn take_answer(&mut self) -> Result<bool> {
        let room = self.answer.get_mut(self.answered..).unwrap_or_default();
        match self.stream.read(room) {
            Ok(0) if room.is_empty() => bail!("the server says more than it was asked"),
            Ok(0) => bail!("the server has closed a connection"),
            Ok(bytes) => self.answered += bytes,
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(error) => return Err(error).context("cannot receive an answer"),
        }
        let whole = self.answered == REQUEST;
        ensure!(!whole || self.answer == self.request, "a wrong answer");
        Ok(whole)
    }
}
