use std::collections::{HashMap, VecDeque};
use std::io;
use std::net::Shutdown;
use std::os::fd::OwnedFd;
use std::time::Duration;

use anyhow::{Result, bail};
use netprims::Error;
use netprims::ring::{Event, Ring, RxPlan, RxPool, Socket, Ticket, TxPool, Wait};

use super::client::{Client, Next};
use super::reset::reset_on_close;
use super::ring_accept::Accepting;
use super::{Answer, Args, Folder, Totals};

/// Sends until they are released, of which there are no more than buffers (4096); for each of 1024 clients a receive, a timeout and a
/// shutdown; and what has been cancelled and has not ended.
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
    let mut accepting = Accepting::new(&mut ring, listener)?;
    let mut server = Server {
        ring,
        rx,
        tx,
        folder,
        patience: args.patience,
        most: usize::from(args.at_a_time),
        clients: HashMap::new(),
        whose: HashMap::new(),
        news: News::default(),
        hungry: VecDeque::new(),
        ended: 0,
    };
    while args.connections.is_none_or(|most| server.ended < most) {
        server.poll(Wait::Forever)?;
        if let Some(error) = server.news.no_longer_accepting.take() {
            accepting.ended(&mut server.ring, error)?;
        }
        while let Some(timeout) = server.news.timed_out.pop() {
            accepting.timed_out(timeout);
            server.look_after(timeout);
        }
        while let Some(socket) = server.news.ready.pop_front() {
            server.go_on(socket);
        }
        server.welcome();
        let has_room = server.clients.len() < server.most;
        accepting.take_more(&mut server.ring, has_room)?;
    }
    accepting.end(&mut server.ring);
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
    patience: Duration,
    /// Clients at a time.
    most: usize,
    clients: HashMap<Socket, Client>,
    whose: HashMap<Ticket, Request>,
    news: News,
    /// Clients for whom there was no buffer, or no room in the ring.
    hungry: VecDeque<Socket>,
    /// How many connections are over.
    ended: u64,
}

/// What a ticket is about.
struct Request {
    socket: Socket,
    /// The bytes it sends.
    len: usize,
    /// The buffers that are not released.
    bufs: usize,
}

/// What a poll has told and is still to be done: the ring cannot be asked for anything while it tells.
#[derive(Default)]
struct News {
    arrived: VecDeque<OwnedFd>,
    /// Clients that may go on.
    ready: VecDeque<Socket>,
    timed_out: Vec<Ticket>,
    no_longer_accepting: Option<io::Error>,
}

impl Server<'_> {
    /// Takes what has happened, and notes who may go on.
    fn poll(&mut self, wait: Wait) -> Result<usize> {
        let Self {
            ring,
            folder,
            patience,
            clients,
            whose,
            news,
            hungry,
            ..
        } = self;
        let events = ring.poll(wait, |event| {
            let ticket = match &event {
                Event::Received { ticket, .. }
                | Event::ReceiveEnded { ticket, .. }
                | Event::Sent { ticket, .. }
                | Event::Released { ticket, .. }
                | Event::ShutDown { ticket, .. } => *ticket,
                _ => return news.take(event),
            };
            if matches!(event, Event::Released { .. }) {
                // There is a buffer, and room in the ring.
                news.ready.append(hungry);
            }
            let Some(request) = whose.get_mut(&ticket) else {
                return;
            };
            let (socket, len) = (request.socket, request.len);
            let is_over = match &event {
                Event::Released { .. } => {
                    request.bufs -= 1;
                    request.bufs == 0
                }
                Event::ReceiveEnded { .. } | Event::ShutDown { .. } => true,
                _ => false,
            };
            if is_over {
                whose.remove(&ticket);
            }
            // What is left of a client that is gone: a buffer is dropped with its event, and so goes back to the pool.
            let Some(client) = clients.get_mut(&socket) else {
                return;
            };
            match event {
                // What comes behind the request is nobody's. A request that comes in parts puts nothing off.
                Event::Received { chunk, .. } => {
                    if client.answer.is_some() {
                        return;
                    }
                    let asked = client.incoming.take(&chunk);
                    client.answer = asked.map(|asked| Answer::to(asked, folder));
                    if client.answer.is_some() {
                        client.put_off(*patience);
                    }
                }
                Event::ReceiveEnded { .. } => client.has_left = true,
                Event::Sent { result, .. } => {
                    client.put_off(*patience);
                    client.sent(len, result);
                }
                Event::Released { .. } => {
                    client.put_off(*patience);
                    client.released();
                }
                _ => client.shut(),
            }
            news.ready.push_back(socket);
        })?;
        Ok(events)
    }

    /// Receives from those who have come, as many as there is room for.
    fn welcome(&mut self) {
        while self.clients.len() < self.most {
            let Some(fd) = self.news.arrived.pop_front() else {
                break;
            };
            if let Err(error) = self.take(fd) {
                eprintln!("a connection is refused: {error}");
                self.ended += 1;
            }
        }
    }

    fn take(&mut self, fd: OwnedFd) -> netprims::Result<()> {
        let socket = self.ring.add(fd)?;
        match self.start(socket) {
            Ok(client) => {
                self.clients.insert(socket, client);
                Ok(())
            }
            Err(error) => {
                drop(self.ring.remove(socket)?);
                Err(error)
            }
        }
    }

    fn start(&mut self, socket: Socket) -> netprims::Result<Client> {
        let request = |ring: &mut HashMap<_, _>, ticket| {
            let request = Request {
                socket,
                len: 0,
                bufs: 0,
            };
            ring.insert(ticket, request);
        };
        let receive = self.ring.receive(socket, &self.rx)?;
        request(&mut self.whose, receive);
        let timeout = self.ring.timeout(self.patience)?;
        request(&mut self.whose, timeout);
        Ok(Client::new(timeout, self.patience))
    }

    /// The timeout of a client is over. Where something has happened since it was asked for, there is a new one.
    fn look_after(&mut self, timeout: Ticket) {
        let Some(Request { socket, .. }) = self.whose.remove(&timeout) else {
            return;
        };
        let Some(client) = self.clients.get_mut(&socket) else {
            return;
        };
        let again = match client.time_left(self.patience) {
            Some(left) => self.ring.timeout(left).map_err(|error| error.to_string()),
            // It has its answer, and keeps the connection for itself.
            None if client.has_all() => return self.end(socket, false),
            None => Err("the client is silent".to_owned()),
        };
        match again {
            Ok(timeout) => {
                client.timeout = timeout;
                let request = Request {
                    socket,
                    len: 0,
                    bufs: 0,
                };
                self.whose.insert(timeout, request);
            }
            Err(failure) => {
                client.failure = Some(failure);
                self.news.ready.push_back(socket);
            }
        }
    }

    /// Does for a client what can be done now.
    fn go_on(&mut self, socket: Socket) {
        match self.send(socket) {
            Ok(Turn::Later) => {}
            Ok(Turn::Hungry) => self.hungry.push_back(socket),
            Ok(Turn::Over) => self.end(socket, false),
            Err(error) => {
                eprintln!("a connection: {error:#}");
                self.end(socket, true);
            }
        }
    }

    fn send(&mut self, socket: Socket) -> Result<Turn> {
        let Some(client) = self.clients.get_mut(&socket) else {
            return Ok(Turn::Later);
        };
        if let Some(failure) = &client.failure {
            bail!("{failure}");
        }
        if client.is_over() || (client.has_left && client.answer.is_none()) {
            return Ok(Turn::Over);
        }
        loop {
            let queued = match client.fill(&self.tx)? {
                Next::Send => client.queue(&mut self.ring, socket),
                Next::Sent if !client.is_shutting => break,
                Next::Hungry => return Ok(Turn::Hungry),
                Next::Sent | Next::Later => return Ok(Turn::Later),
            };
            match queued {
                Ok(queued) => {
                    let request = Request {
                        socket,
                        len: queued.len,
                        bufs: queued.bufs,
                    };
                    self.whose.insert(queued.ticket, request);
                }
                Err(Error::RingFull) => return Ok(Turn::Hungry),
                Err(error) => return Err(error.into()),
            }
        }
        match self.ring.shutdown(socket, Shutdown::Write) {
            Ok(ticket) => {
                let request = Request {
                    socket,
                    len: 0,
                    bufs: 0,
                };
                self.whose.insert(ticket, request);
                client.is_shutting = true;
                Ok(Turn::Later)
            }
            Err(Error::RingFull) => Ok(Turn::Hungry),
            Err(error) => Err(error.into()),
        }
    }

    /// Closes a connection. What the kernel still has of its buffers comes back all the same.
    fn end(&mut self, socket: Socket, has_failed: bool) {
        if let Some(client) = self.clients.remove(&socket) {
            self.whose.remove(&client.timeout);
            // That it is over already is no error.
            let _ = self.ring.cancel(client.timeout);
        }
        let cancelled = match has_failed {
            true => self.ring.cancel_all(socket),
            false => Ok(()),
        };
        match cancelled.and_then(|()| self.ring.remove(socket)) {
            Ok(fd) if has_failed => reset_on_close(&fd),
            Ok(fd) => drop(fd),
            Err(error) => eprintln!("a connection: {error}"),
        }
        self.ended += 1;
    }
}

impl News {
    fn take(&mut self, event: Event<'_>) {
        match event {
            Event::Accepted { fd, .. } => self.arrived.push_back(fd),
            Event::AcceptEnded { error, .. } => self.no_longer_accepting = Some(error),
            Event::TimedOut { ticket, .. } => self.timed_out.push(ticket),
            _ => {}
        }
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
