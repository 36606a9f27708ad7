use std::collections::{HashMap, VecDeque};
use std::io;
use std::net::Shutdown;
use std::os::fd::OwnedFd;
use std::thread;
use std::time::Duration;

use anyhow::{Result, bail};
use netprims::Error;
use netprims::ring::{
    AutoPolicy, Event, Ring, RxPlan, RxPool, Socket, Ticket, TxBuf, TxPool, Wait, ZcPolicy,
};

use super::accept_error::{AcceptError, PAUSE};
use super::{Answer, Args, Folder, Incoming, MOST_OUT, Totals};

/// Sends until they are released, receives, and the accept.
pub(super) const MOST_IN_FLIGHT: u32 = 8192;

/// How long to wait, when the last connection is over, for what the kernel still reads.
const PATIENCE: Duration = Duration::from_secs(1);

/// Serves until so many connections are over.
pub(super) fn serve(
    mut ring: Ring,
    args: &Args,
    listener: OwnedFd,
    folder: &Folder,
) -> Result<Totals> {
    // Requests are short.
    let rx = ring.rx_pool(&RxPlan::new(128, 2048))?;
    println!("{}", rx.report());
    let tx = ring.tx_pool(args.buffers, args.size)?;
    let listener = ring.add(listener)?;
    let accept = ring.accept(listener)?;
    let mut server = Server {
        ring,
        rx,
        tx,
        folder,
        clients: HashMap::new(),
        whose: HashMap::new(),
        ready: VecDeque::new(),
        hungry: VecDeque::new(),
        arrived: Vec::new(),
        no_longer_accepting: None,
        ended: 0,
    };
    while args.connections.is_none_or(|most| server.ended < most) {
        server.poll(Wait::Forever)?;
        server.welcome()?;
        if let Some(error) = server.no_longer_accepting.take() {
            match AcceptError::of(&error) {
                AcceptError::Listener => return Err(error.into()),
                _ => {
                    eprintln!("accept: {error}");
                    thread::sleep(PAUSE);
                }
            }
            server.ring.accept(listener)?;
        }
        while let Some(socket) = server.ready.pop_front() {
            server.go_on(socket);
        }
    }
    // That the accept is over already is no error.
    let _ = server.ring.cancel(accept);
    while server.ring.in_flight() > 0 && server.poll(Wait::AtMost(PATIENCE))? > 0 {}
    let totals = server.ring.totals();
    Ok(Totals {
        connections: server.ended,
        bytes: totals.zero_copied + totals.copied + totals.unknown,
        zero_copied: totals.zero_copied,
        copied: totals.copied,
    })
}

struct Server<'a> {
    ring: Ring,
    rx: RxPool,
    tx: TxPool,
    folder: &'a Folder,
    clients: HashMap<Socket, Client>,
    /// Whose request a ticket is, and how many bytes it sends.
    whose: HashMap<Ticket, (Socket, usize)>,
    /// Clients that may go on.
    ready: VecDeque<Socket>,
    /// Clients for whom there was no buffer, or no room in the ring.
    hungry: VecDeque<Socket>,
    arrived: Vec<OwnedFd>,
    no_longer_accepting: Option<io::Error>,
    /// How many connections are over.
    ended: u64,
}

#[derive(Default)]
struct Client {
    incoming: Incoming,
    answer: Option<Answer>,
    /// A buffer for which the ring had no room.
    waiting: Option<TxBuf>,
    /// Sends without a result.
    unsent: u32,
    /// Buffers that are not released.
    out: u32,
    /// It sends no more.
    has_left: bool,
    /// All was sent, and the end of it was told.
    is_shutting: bool,
    is_over: bool,
    failure: Option<String>,
}

impl Server<'_> {
    /// Takes what has happened, and notes who may go on. Nothing is queued in here: the ring is busy telling.
    fn poll(&mut self, wait: Wait) -> Result<usize> {
        let Self {
            ring,
            folder,
            clients,
            whose,
            ready,
            hungry,
            arrived,
            no_longer_accepting,
            ..
        } = self;
        let events = ring.poll(wait, |event| match event {
            Event::Accepted { fd, .. } => arrived.push(fd),
            Event::AcceptEnded { error, .. } => *no_longer_accepting = Some(error),
            Event::Received { ticket, chunk, .. } => {
                let Some((socket, _)) = whose.get(&ticket) else {
                    return;
                };
                // What comes behind the request is nobody's.
                if let Some(client) = clients.get_mut(socket).filter(|it| it.answer.is_none()) {
                    let asked = client.incoming.take(&chunk);
                    client.answer = asked.map(|asked| Answer::to(asked, folder));
                    ready.push_back(*socket);
                }
            }
            Event::ReceiveEnded { ticket, .. } => {
                let Some((socket, _)) = whose.remove(&ticket) else {
                    return;
                };
                if let Some(client) = clients.get_mut(&socket) {
                    client.has_left = true;
                    ready.push_back(socket);
                }
            }
            Event::Sent { ticket, result, .. } => {
                let Some((socket, len)) = whose.get(&ticket) else {
                    return;
                };
                if let Some(client) = clients.get_mut(socket) {
                    client.unsent -= 1;
                    match result {
                        Ok(taken) if taken == *len => {}
                        Ok(taken) => client.failure = Some(format!("{taken} bytes of {len}")),
                        Err(error) => client.failure = Some(error.to_string()),
                    }
                    ready.push_back(*socket);
                }
            }
            Event::Released { ticket, buf, .. } => {
                drop(buf);
                if let Some((socket, _)) = whose.remove(&ticket) {
                    if let Some(client) = clients.get_mut(&socket) {
                        client.out -= 1;
                        ready.push_back(socket);
                    }
                }
                // There is a buffer, and room in the ring.
                ready.append(hungry);
            }
            Event::ShutDown { ticket, .. } => {
                if let Some((socket, _)) = whose.remove(&ticket) {
                    if let Some(client) = clients.get_mut(&socket) {
                        client.is_over = true;
                        ready.push_back(socket);
                    }
                }
            }
            _ => {}
        })?;
        Ok(events)
    }

    /// Receives from those who have come.
    fn welcome(&mut self) -> Result<()> {
        for fd in self.arrived.drain(..) {
            let socket = self.ring.add(fd)?;
            match self.ring.receive(socket, &self.rx) {
                Ok(ticket) => {
                    self.whose.insert(ticket, (socket, 0));
                    self.clients.insert(socket, Client::default());
                }
                Err(error) => {
                    eprintln!("a connection is refused: {error}");
                    drop(self.ring.remove(socket)?);
                    self.ended += 1;
                }
            }
        }
        Ok(())
    }

    /// Does for a client what can be done now.
    fn go_on(&mut self, socket: Socket) {
        match self.send(socket) {
            Ok(Turn::Later) => {}
            Ok(Turn::Hungry) => self.hungry.push_back(socket),
            Ok(Turn::Over) => self.end(socket),
            Err(error) => {
                eprintln!("a connection: {error:#}");
                self.end(socket);
            }
        }
    }

    fn send(&mut self, socket: Socket) -> Result<Turn> {
        let Some(client) = self.clients.get_mut(&socket) else {
            return Ok(Turn::Later);
        };
        if let Some(failure) = &client.failure {
            bail!("send: {failure}");
        }
        if client.is_over {
            return Ok(Turn::Over);
        }
        let Some(answer) = &mut client.answer else {
            let is_over = client.has_left;
            return Ok(if is_over { Turn::Over } else { Turn::Later });
        };
        // The next send of a stream is queued when the result of the one before is known; that is long before its buffer
        // comes back.
        while client.unsent == 0 && client.out < MOST_OUT {
            let buf = match client.waiting.take() {
                Some(buf) => buf,
                None if answer.is_over() => break,
                None => {
                    let Some(mut buf) = self.tx.take() else {
                        return Ok(Turn::Hungry);
                    };
                    let len = answer.fill(&mut buf)?;
                    buf.set_len(len)?;
                    buf
                }
            };
            let len = buf.len();
            match self
                .ring
                .send(socket, buf, ZcPolicy::Auto(AutoPolicy::new()))
            {
                Ok(ticket) => {
                    self.whose.insert(ticket, (socket, len));
                    client.unsent += 1;
                    client.out += 1;
                }
                Err(rejected) if matches!(rejected.error, Error::RingFull) => {
                    client.waiting = Some(rejected.buf);
                    return Ok(Turn::Hungry);
                }
                Err(rejected) => return Err(rejected.error.into()),
            }
        }
        let is_sent = answer.is_over() && client.waiting.is_none() && client.unsent == 0;
        if is_sent && !client.is_shutting {
            match self.ring.shutdown(socket, Shutdown::Write) {
                Ok(ticket) => {
                    self.whose.insert(ticket, (socket, 0));
                    client.is_shutting = true;
                }
                Err(Error::RingFull) => return Ok(Turn::Hungry),
                Err(error) => return Err(error.into()),
            }
        }
        Ok(Turn::Later)
    }

    /// Closes a connection. What the kernel still reads of its buffers comes back all the same.
    fn end(&mut self, socket: Socket) {
        self.clients.remove(&socket);
        match self.ring.remove(socket) {
            Ok(fd) => drop(fd),
            Err(error) => eprintln!("a connection: {error}"),
        }
        self.ended += 1;
    }
}

/// What a client needs to go on.
enum Turn {
    /// An event.
    Later,
    /// A buffer, or room in the ring.
    Hungry,
    /// Nothing.
    Over,
}
