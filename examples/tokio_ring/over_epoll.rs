use std::io;
use std::net::TcpListener as StdListener;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use netprims::buffer::{TxBuf, TxPool};
use netprims::zerocopy::{ZeroCopyOptions, ZeroCopySender};
use tokio::io::Interest;
use tokio::net::{TcpListener, TcpStream};
use tokio::select;
use tokio::sync::{broadcast, mpsc, watch};
use tokio::task::{JoinError, JoinSet, spawn_local, yield_now};
use tokio::time::{sleep, timeout};

use super::accept_error::{AcceptError, PAUSE};
use super::reset::reset_on_close;
use super::{Args, MOST_BEHIND, Totals, write_message};

/// Buffers a subscriber has on its way.
const BUFFERS: u32 = 16;

/// Sends every message to every subscriber, each from a task of its own.
pub(super) async fn feed(
    args: &Args,
    listener: OwnedFd,
    mut messages: mpsc::Receiver<u64>,
    count: watch::Sender<usize>,
) -> Result<Totals> {
    let listener = StdListener::from(listener);
    listener.set_nonblocking(true)?;
    let listener = TcpListener::from_std(listener)?;
    let (news, _) = broadcast::channel(usize::try_from(MOST_BEHIND)?);
    let mut subscribers = JoinSet::new();
    let mut totals = Totals::default();
    // Beside the messages, which would cut a pause short.
    let (arriving, mut arrived) = mpsc::channel(1);
    let accepting = spawn_local(accept(listener, arriving));
    loop {
        select! {
            stream = arrived.recv() => {
                // It ends only with an error.
                let Some(stream) = stream else { break };
                subscribers.spawn_local(serve(stream, news.subscribe(), args.size, args.patience));
                count.send_replace(subscribers.len());
            }
            Some(ended) = subscribers.join_next() => {
                totals.add(ended)?;
                count.send_replace(subscribers.len());
            }
            message = messages.recv() => match message {
                Some(number) => drop(news.send(number)),
                None => break,
            }
        }
    }
    drop(news);
    accepting.abort();
    // Not a task that was stopped.
    if let Ok(failed) = accepting.await {
        failed?;
    }
    while let Some(ended) = subscribers.join_next().await {
        totals.add(ended)?;
    }
    Ok(totals)
}

impl Totals {
    /// Counts a subscriber that is served or left.
    fn add(&mut self, ended: Result<Result<u64>, JoinError>) -> Result<()> {
        match ended? {
            Ok(bytes) => {
                self.served += 1;
                self.bytes += bytes;
            }
            Err(error) => {
                eprintln!("a subscriber is left: {error:#}");
                self.left += 1;
            }
        }
        Ok(())
    }
}

/// Takes connections for as long as somebody wants them. An error if there is nothing to go on with.
async fn accept(listener: TcpListener, arriving: mpsc::Sender<TcpStream>) -> Result<()> {
    loop {
        let error = match listener.accept().await {
            Ok((stream, _)) => {
                if arriving.send(stream).await.is_err() {
                    return Ok(());
                }
                continue;
            }
            Err(error) => error,
        };
        match AcceptError::of(&error) {
            AcceptError::Nobody | AcceptError::OneConnection => {}
            AcceptError::Exhausted => {
                eprintln!("accept: {error}");
                sleep(PAUSE).await;
            }
            AcceptError::Listener => return Err(error.into()),
        }
    }
}

/// Sends what comes until there is no more, and returns how many bytes that was.
async fn serve(
    stream: TcpStream,
    messages: broadcast::Receiver<u64>,
    size: u32,
    patience: Duration,
) -> Result<u64> {
    let pool = TxPool::new(BUFFERS, size)?;
    let mut socket = Socket::new(stream)?;
    let served = send_all(&mut socket, &pool, messages, patience).await;
    if served.is_err() {
        reset_on_close(&socket.stream);
    }
    served
}

async fn send_all(
    socket: &mut Socket,
    pool: &TxPool,
    mut messages: broadcast::Receiver<u64>,
    patience: Duration,
) -> Result<u64> {
    loop {
        let message = select! {
            message = messages.recv() => message,
            () = gone(&socket.stream) => bail!("it has gone"),
        };
        let number = match message {
            Ok(number) => number,
            Err(broadcast::error::RecvError::Closed) => break,
            Err(broadcast::error::RecvError::Lagged(_)) => bail!("it is too slow"),
        };
        let mut buf = loop {
            match pool.take() {
                Some(buf) => break buf,
                None => {
                    let back = timeout(patience, socket.something_is_back()).await;
                    back.context("it takes nothing")??;
                }
            }
        };
        write_message(&mut buf, number);
        let sent = timeout(patience, socket.send(buf)).await;
        sent.context("it takes nothing")??;
        socket.sender.reap(drop)?;
    }
    while socket.sender.in_flight() > 0 {
        let back = timeout(patience, socket.something_is_back()).await;
        back.context("it does not acknowledge")??;
    }
    let totals = socket.sender.totals();
    Ok(totals.zero_copied + totals.copied + totals.plain)
}

/// Ends when a subscriber sends no more. What it says until then is not heard.
async fn gone(stream: &TcpStream) {
    let mut bytes = [0; 64];
    while stream.readable().await.is_ok() {
        match stream.try_read(&mut bytes) {
            Ok(0) => return,
            // One that does not stop would be all there is to do.
            Ok(_) => yield_now().await,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(_) => return,
        }
    }
}

/// A socket that tokio waits for and the sender sends on.
struct Socket {
    stream: Arc<TcpStream>,
    sender: ZeroCopySender<Arc<TcpStream>>,
}

impl Socket {
    fn new(stream: TcpStream) -> Result<Self> {
        let stream = Arc::new(stream);
        let options = ZeroCopyOptions::new().in_flight(BUFFERS + 1);
        let sender = options.attach(Arc::clone(&stream))?;
        Ok(Self { stream, sender })
    }

    /// Sends all of a buffer. One that was copied is dropped, and so goes back to the pool.
    async fn send(&mut self, buf: TxBuf) -> io::Result<()> {
        let Self { stream, sender } = self;
        let mut buf = Some(buf);
        // tokio asks again when the socket has room, if it is told that there was none.
        let send = || match buf.take().map(|buf| sender.send(buf)) {
            None | Some(Ok(_)) => Ok(()),
            Some(Err(rejected)) if rejected.error.is_would_block() => {
                buf = rejected.buf.ok();
                Err(io::ErrorKind::WouldBlock.into())
            }
            Some(Err(rejected)) => Err(io::Error::other(rejected.error)),
        };
        stream.async_io(Interest::WRITABLE, send).await?;
        while sender.unsent() > 0 {
            let flush = || match sender.flush(drop) {
                Ok(0) => Ok(()),
                Ok(_) => Err(io::ErrorKind::WouldBlock.into()),
                Err(error) => Err(io::Error::other(error)),
            };
            stream.async_io(Interest::WRITABLE, flush).await?;
        }
        Ok(())
    }

    /// Waits until the kernel has given something back.
    async fn something_is_back(&mut self) -> io::Result<()> {
        let Self { stream, sender } = self;
        let reap = || match sender.reap(drop) {
            Ok(0) => Err(io::ErrorKind::WouldBlock.into()),
            Ok(_) => Ok(()),
            Err(error) => Err(io::Error::other(error)),
        };
        stream.async_io(Interest::ERROR, reap).await
    }
}
