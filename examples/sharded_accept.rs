//! One thread a CPU, each with a listener of its own, and every connection on the CPU its packets arrive on.
//!
//! ```text
//! sharded_accept                                an echo service, until it is killed
//! sharded_accept --shards 4 --connections 1000  four threads, until 1000 connections are done
//! ```
//!
//! The listeners share one address; the kernel gives a connection to the one of the CPU that handled its first packet. No lock, no queue and no wake-up is shared between the threads, if the network card spreads its packets
//! over the same CPUs (RSS, or RPS). Over loopback a connection's CPU is the one it is made on.
//!
//! What to take from it: the group stays whole as long as a thread serves (a closed listener would change the places of the
//! others); it is steered by the list of CPUs that this process may use, which may have gaps, and each thread is pinned to
//! its own; all stop by one eventfd that nobody takes, also when one of them panics; running out of descriptors is a
//! pause, not the end; a peer that does not read is not read from.

mod accept_error;

use std::collections::HashMap;
use std::io::{self, Read, Write};
use std::net::SocketAddr;
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Instant;

use accept_error::{AcceptError, PAUSE};
use anyhow::{Context, Result, bail};
use clap::Parser;
use netprims::fd::{Epoll, EventFd, Events, Interest};
use netprims::socket::{Steering, TcpBuilder, TcpListener, TcpStream};
use netprims::tuning::Tuning;
use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::unistd::Pid;

/// An echo service with a listener for each CPU.
#[derive(Parser)]
struct Args {
    /// Where to listen
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// How many threads, at most one for each CPU this process may use; default: as many
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    shards: Option<u16>,
    /// End after so many connections are done; default: never
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    connections: Option<u64>,
}

fn main() -> Result<()> {
    let args = Args::parse();
    let cpus = cpus()?;
    let shards = args.shards.map_or(cpus.len(), usize::from);
    let builder = TcpBuilder::new().tuning(Tuning::low_latency());
    // With fewer shards than CPUs a shard serves several of them, and sits on the first.
    let (group, reports) = builder.listen_group(args.listen, shards, Steering::Cpus(&cpus))?;
    println!("listening on {}", group[0].local_addr()?);
    println!("{}", reports[0]);

    let service = Service {
        stop: EventFd::new()?,
        left: AtomicU64::new(args.connections.unwrap_or(u64::MAX)),
    };
    thread::scope(|scope| {
        // If not all threads can be started.
        let _stops = Stops(&service);
        let mut threads = Vec::new();
        for (listener, cpu) in group.members().iter().zip(&cpus) {
            let service = &service;
            let shard = move || {
                // One that fails or panics takes the others with it.
                let _stops = Stops(service);
                pin(*cpu)?;
                Shard::new(service, listener)?.serve()
            };
            threads.push((cpu, thread::Builder::new().spawn_scoped(scope, shard)?));
        }
        for (shard, (cpu, thread)) in threads.into_iter().enumerate() {
            let Ok(result) = thread.join() else {
                bail!("shard {shard} panicked")
            };
            let served = result.with_context(|| format!("shard {shard}"))?;
            println!("shard {shard} on CPU {cpu}: {served} connections");
        }
        Ok(())
    })?;
    group.close()?;
    Ok(())
}

/// What the shards share: how many connections are still to be done, and the word that it is enough.
struct Service {
    left: AtomicU64,
    stop: EventFd,
}

/// Stops the service when it goes.
struct Stops<'a>(&'a Service);

impl Drop for Stops<'_> {
    fn drop(&mut self) {
        self.0.stop();
    }
}

impl Service {
    fn stop(&self) {
        // The counter's end is 2^64 stops away, and there is no other error.
        let _ = self.stop.add(1);
    }

    /// One connection fewer is to be done; whether it was the last.
    fn is_done(&self) -> bool {
        self.left.fetch_sub(1, Ordering::Relaxed) == 1
    }
}

/// One thread's part.
struct Shard<'a> {
    service: &'a Service,
    listener: &'a TcpListener,
    epoll: Epoll,
    connections: HashMap<u64, Connection>,
    next: u64,
    done: u64,
    /// The listener is left alone until then.
    pause: Option<Instant>,
}

const LISTENER: u64 = 0;
const STOP: u64 = 1;
const FIRST_CONNECTION: u64 = 2;

impl<'a> Shard<'a> {
    fn new(service: &'a Service, listener: &'a TcpListener) -> Result<Self> {
        listener.set_nonblocking(true)?;
        let epoll = Epoll::new()?;
        epoll.add(listener, LISTENER, Interest::READABLE)?;
        epoll.add(&service.stop, STOP, Interest::READABLE)?;
        Ok(Self {
            service,
            listener,
            epoll,
            connections: HashMap::new(),
            next: FIRST_CONNECTION,
            done: 0,
            pause: None,
        })
    }

    /// Serves until the service stops, and says how many connections were done.
    fn serve(mut self) -> Result<u64> {
        let mut events = Events::with_capacity(64);
        loop {
            let left = self
                .pause
                .map(|end| end.saturating_duration_since(Instant::now()));
            self.epoll.wait(&mut events, left)?;
            if self.pause.is_some_and(|end| end <= Instant::now()) {
                self.pause = None;
                self.epoll
                    .modify(self.listener, LISTENER, Interest::READABLE)?;
            }
            for event in events.iter() {
                match event.token() {
                    STOP => return Ok(self.done),
                    LISTENER => self.accept()?,
                    token => self.echo(token)?,
                }
            }
        }
    }

    /// Takes all that wait.
    fn accept(&mut self) -> Result<()> {
        loop {
            let error = match self.listener.accept() {
                Ok((stream, peer)) => {
                    if let Err(error) = self.add(stream) {
                        eprintln!("{peer}: {error:#}");
                    }
                    continue;
                }
                Err(error) => error,
            };
            match AcceptError::of(&error) {
                AcceptError::Nobody => return Ok(()),
                AcceptError::OneConnection => eprintln!("accept: {error}"),
                AcceptError::Exhausted => {
                    eprintln!("accept: {error}; going on in {PAUSE:?}");
                    self.pause = Some(Instant::now() + PAUSE);
                    self.epoll.modify(self.listener, LISTENER, Interest::NONE)?;
                    return Ok(());
                }
                AcceptError::Listener => return Err(error).context("accept"),
            }
        }
    }

    fn add(&mut self, stream: TcpStream) -> Result<()> {
        stream.set_nonblocking(true)?;
        let connection = Connection::new(stream);
        let interest = connection.interest;
        self.epoll.add(&connection.stream, self.next, interest)?;
        self.connections.insert(self.next, connection);
        self.next += 1;
        Ok(())
    }

    fn echo(&mut self, token: u64) -> Result<()> {
        let Some(connection) = self.connections.get_mut(&token) else {
            return Ok(());
        };
        match connection.echo() {
            Ok(interest) if interest == connection.interest => {}
            Ok(interest) => {
                connection.interest = interest;
                self.epoll.modify(&connection.stream, token, interest)?;
            }
            // The peer has ended, or is gone.
            Err(_) => {
                self.connections.remove(&token);
                self.done += 1;
                if self.service.is_done() {
                    self.service.stop();
                }
            }
        }
        Ok(())
    }
}

/// A connection, and what its peer has sent and not yet taken back.
struct Connection {
    stream: TcpStream,
    data: [u8; 4096],
    rest: Range<usize>,
    interest: Interest,
}

impl Connection {
    fn new(stream: TcpStream) -> Self {
        Self {
            stream,
            data: [0; 4096],
            rest: 0..0,
            interest: Interest::READABLE,
        }
    }

    /// Sends back what is there, and says what to wait for next: as long as the peer does not read, nothing more is read
    /// from it. An error at its end.
    fn echo(&mut self) -> io::Result<Interest> {
        if self.rest.is_empty() {
            match self.stream.read(&mut self.data) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(bytes) => self.rest = 0..bytes,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
        }
        while !self.rest.is_empty() {
            match self.stream.write(&self.data[self.rest.clone()]) {
                Ok(bytes) => self.rest.start += bytes,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    return Ok(Interest::WRITABLE);
                }
                Err(error) => return Err(error),
            }
        }
        Ok(Interest::READABLE)
    }
}

/// The CPUs this process may use.
fn cpus() -> Result<Vec<u32>> {
    let allowed = sched_getaffinity(Pid::from_raw(0)).context("sched_getaffinity")?;
    (0..CpuSet::count())
        .filter(|cpu| allowed.is_set(*cpu).unwrap_or(false))
        .map(|cpu| Ok(u32::try_from(cpu)?))
        .collect()
}

/// Keeps the calling thread on a CPU.
fn pin(cpu: u32) -> Result<()> {
    let mut set = CpuSet::new();
    set.set(usize::try_from(cpu)?)?;
    sched_setaffinity(Pid::from_raw(0), &set).with_context(|| format!("pin to CPU {cpu}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shard_that_panics_ends_the_others() {
        let listen = "127.0.0.1:0".parse().unwrap();
        let (listener, _) = TcpBuilder::new().listen(listen).unwrap();
        let service = Service {
            stop: EventFd::new().unwrap(),
            left: AtomicU64::new(u64::MAX),
        };
        let (served, panicked) = thread::scope(|scope| {
            let serving = scope.spawn(|| Shard::new(&service, &listener)?.serve());
            let panicking = scope.spawn(|| {
                let _stops = Stops(&service);
                panic!("a shard that panics");
            });
            (serving.join().unwrap(), panicking.join())
        });
        assert_eq!(served.unwrap(), 0);
        assert!(panicked.is_err());
    }
}
