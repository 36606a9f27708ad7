use std::collections::VecDeque;
use std::io::{self, Read};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, bail, ensure};
use netprims::buffer::{TxBuf, TxPool};
use netprims::fd::{Epoll, Events, Interest};
use netprims::zerocopy::{ZeroCopyOptions, ZeroCopySender};

use super::accept_error::{AcceptError, PAUSE};
use super::reset::reset_on_close;
use super::{Answer, Args, Folder, Incoming, MOST_OUT, Totals};

/// Serves until so many connections are over.
pub(super) fn serve(args: &Args, listener: OwnedFd, folder: &Folder) -> Result<Totals> {
    let listener = TcpListener::from(listener);
    listener.set_nonblocking(true)?;
    let epoll = Epoll::new()?;
    epoll.add(&listener, LISTENER, Interest::READABLE)?;
    let mut server = Server {
        folder,
        pool: TxPool::new(args.buffers, args.size)?,
        epoll,
        clients: Vec::new(),
        hungry: VecDeque::new(),
        open: 0,
        most: usize::from(args.at_a_time),
        totals: Totals::default(),
        patience: args.patience,
        looked: Instant::now(),
    };
    let mut events = Events::with_capacity(64);
    let mut is_accepting = true;
    while args
        .connections
        .is_none_or(|most| server.totals.connections < most)
    {
        // What is hungry goes on as soon as a buffer is free, which an event of another connection brings about, or its end.
        let look = args.patience / 4;
        server.epoll.wait(&mut events, Some(look))?;
        for event in events.iter() {
            match event.token() {
                LISTENER => server.accept(&listener)?,
                token => server.go_on(usize::try_from(token)?),
            }
        }
        server.leave_the_silent();
        server.feed_the_hungry();
        // The others wait in the backlog.
        let has_room = server.open < server.most;
        if has_room != is_accepting {
            let interest = if has_room {
                Interest::READABLE
            } else {
                Interest::NONE
            };
            server.epoll.modify(&listener, LISTENER, interest)?;
            is_accepting = has_room;
        }
    }
    Ok(server.totals)
}

const LISTENER: u64 = u64::MAX;

struct Server<'a> {
    folder: &'a Folder,
    pool: TxPool,
    epoll: Epoll,
    /// The place of a client is its token.
    clients: Vec<Option<Client>>,
    /// Clients for whom there was no buffer.
    hungry: VecDeque<usize>,
    /// Clients, and as many as there may be at a time.
    open: usize,
    most: usize,
    totals: Totals,
    patience: Duration,
    /// When silent clients were looked for.
    looked: Instant,
}

struct Client {
    sender: ZeroCopySender<TcpStream>,
    incoming: Incoming,
    answer: Option<Answer>,
    /// A buffer the socket had no room for.
    waiting: Option<TxBuf>,
    /// Bytes that came behind the request.
    unasked: usize,
    /// What had been done of the answer when something last had, and when that was.
    done: Option<(u64, usize)>,
    since: Instant,
    /// It is among those for whom there was no buffer.
    is_hungry: bool,
    /// It has taken all, and the end of it is told.
    is_shut: bool,
}

/// As many as one may not have read yet when the request has ended.
const MOST_UNASKED: usize = 1 << 20;

impl Server<'_> {
    /// Takes the connections that wait, as many as there is room for.
    fn accept(&mut self, listener: &TcpListener) -> Result<()> {
        while self.open < self.most {
            let stream = match listener.accept() {
                Ok((stream, _)) => stream,
                Err(error) => match AcceptError::of(&error) {
                    AcceptError::Nobody => return Ok(()),
                    AcceptError::OneConnection => continue,
                    AcceptError::Exhausted => {
                        eprintln!("accept: {error}");
                        thread::sleep(PAUSE);
                        return Ok(());
                    }
                    AcceptError::Listener => return Err(error.into()),
                },
            };
            if let Err(error) = self.take(stream) {
                eprintln!("a connection is refused: {error:#}");
                self.totals.connections += 1;
            }
        }
        Ok(())
    }

    fn take(&mut self, stream: TcpStream) -> Result<()> {
        stream.set_nonblocking(true)?;
        let options = ZeroCopyOptions::new().in_flight(MOST_OUT + 1);
        let sender = options.attach(stream)?;
        let free = self.clients.iter().position(Option::is_none);
        let nth = free.unwrap_or(self.clients.len());
        let interest = Interest::READABLE.and(Interest::WRITABLE).edge_triggered();
        self.epoll.add(&sender, u64::try_from(nth)?, interest)?;
        let client = Some(Client {
            sender,
            incoming: Incoming::default(),
            answer: None,
            waiting: None,
            unasked: 0,
            done: None,
            since: Instant::now(),
            is_hungry: false,
            is_shut: false,
        });
        match self.clients.get_mut(nth) {
            Some(place) => *place = client,
            None => self.clients.push(client),
        }
        self.open += 1;
        Ok(())
    }

    /// Goes on for those for whom there was no buffer, one after the other, until there is none again.
    fn feed_the_hungry(&mut self) {
        while let Some(nth) = self.hungry.pop_front() {
            if let Some(Some(client)) = self.clients.get_mut(nth) {
                client.is_hungry = false;
            }
            self.go_on(nth);
            if matches!(self.clients.get(nth), Some(Some(client)) if client.is_hungry) {
                // It stays the first.
                self.hungry.rotate_right(1);
                return;
            }
        }
    }

    /// Does for a client what can be done now.
    fn go_on(&mut self, nth: usize) {
        let Some(Some(client)) = self.clients.get_mut(nth) else {
            return;
        };
        match client.go_on(&self.pool, self.folder) {
            Ok(Turn::Later) => {}
            Ok(Turn::Hungry) if client.is_hungry => {}
            Ok(Turn::Hungry) => {
                client.is_hungry = true;
                self.hungry.push_back(nth);
            }
            Ok(Turn::Over) => self.end(nth),
            Err(error) => {
                eprintln!("a connection: {error:#}");
                reset_on_close(client.sender.socket());
                self.end(nth);
            }
        }
    }

    /// Closes the connections on which nothing has happened for too long, so that others get their buffers.
    fn leave_the_silent(&mut self) {
        if self.looked.elapsed() < self.patience / 4 {
            return;
        }
        self.looked = Instant::now();
        for nth in 0..self.clients.len() {
            let Some(Some(client)) = self.clients.get_mut(nth) else {
                continue;
            };
            // It waits for this server.
            if client.is_hungry {
                client.since = Instant::now();
            }
            if client.since.elapsed() > self.patience {
                // One that has its answer only keeps the connection for itself.
                if !client.is_shut {
                    eprintln!("a connection: the client is silent");
                    reset_on_close(client.sender.socket());
                }
                self.end(nth);
            }
        }
    }

    /// Closes a connection. What the kernel still reads of its buffers keeps its bytes.
    fn end(&mut self, nth: usize) {
        let Some(client) = self.clients.get_mut(nth).and_then(Option::take) else {
            return;
        };
        self.open -= 1;
        let totals = client.sender.totals();
        let copied = totals.copied + totals.plain;
        self.totals.connections += 1;
        self.totals.bytes += totals.zero_copied + copied;
        self.totals.zero_copied += totals.zero_copied;
        self.totals.copied += copied;
    }
}

/// What a client needs to go on.
enum Turn {
    /// An event of its socket.
    Later,
    /// A buffer.
    Hungry,
    /// Nothing.
    Over,
}

impl Client {
    fn go_on(&mut self, pool: &TxPool, folder: &Folder) -> Result<Turn> {
        let has_left = self.read(folder)?;
        self.sender.reap(drop)?;
        self.sender.flush(drop)?;
        let totals = self.sender.totals();
        let back = totals.zero_copied + totals.copied + totals.plain;
        let done = self.answer.is_some().then(|| (back, self.sender.unsent()));
        if done != self.done {
            self.done = done;
            self.since = Instant::now();
        }
        let Some(answer) = &mut self.answer else {
            return Ok(if has_left { Turn::Over } else { Turn::Later });
        };
        while self.sender.unsent() == 0 && self.sender.in_flight() < usize::try_from(MOST_OUT)? {
            let buf = match self.waiting.take() {
                Some(buf) => buf,
                None if answer.is_over() => break,
                None => {
                    let Some(mut buf) = pool.take() else {
                        return Ok(Turn::Hungry);
                    };
                    let len = answer.fill(&mut buf)?;
                    buf.set_len(len)?;
                    buf
                }
            };
            match self.sender.send(buf) {
                Ok(_) => {}
                Err(rejected) if rejected.error.is_would_block() => {
                    self.waiting = rejected.buf.ok();
                    return Ok(Turn::Later);
                }
                Err(rejected) => return Err(rejected.error.into()),
            }
        }
        if !answer.is_over() || self.waiting.is_some() || self.sender.unsent() > 0 {
            return Ok(Turn::Later);
        }
        if self.sender.in_flight() > 0 && !has_left {
            return Ok(Turn::Later);
        }
        if !self.is_shut {
            self.sender.socket().shutdown(Shutdown::Write)?;
            self.is_shut = true;
        }
        // While the client sends, closing would reset the connection, and it might lose an answer that it has not read.
        Ok(if has_left { Turn::Over } else { Turn::Later })
    }

    /// Reads what has come: the request, and what nobody asked for. Whether the client will send no more.
    fn read(&mut self, folder: &Folder) -> Result<bool> {
        let mut bytes = [0; 2048];
        loop {
            match self.sender.socket().read(&mut bytes) {
                Ok(0) => return Ok(true),
                Ok(len) if self.answer.is_none() => {
                    let asked = self.incoming.take(&bytes[..len]);
                    self.answer = asked.map(|asked| Answer::to(asked, folder));
                }
                // What comes behind the request is nobody's; a client that goes on and on would be all there is to do.
                Ok(len) => {
                    self.unasked += len;
                    ensure!(self.unasked <= MOST_UNASKED, "the client does not stop");
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => bail!("read: {error}"),
            }
        }
    }
}
