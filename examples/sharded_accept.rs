//! One thread a CPU, each with a listener of its own, and every connection on the CPU its packets arrive on.
//!
//! ```text
//! sharded_accept                                an echo service, until it is killed
//! sharded_accept --shards 4 --connections 1000  four threads, until 1000 connections are done
//! ```
//!
//! The listeners share one address; the kernel gives a connection to the one whose index is the CPU that handled its
//! first packet. No lock, no queue and no wake-up is shared between the threads, if the network card spreads its packets
//! over the same CPUs (RSS, or RPS). Over loopback a connection's CPU is the one it is made on.
//!
//! Three things to take from it: the group stays whole as long as a thread serves (a closed listener would change the
//! places of the others), each thread is pinned to a CPU of its index, and all stop by one eventfd that nobody takes.

use std::collections::HashMap;
use std::io::{Read, Write};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use anyhow::{Context, Result, bail};
use clap::Parser;
use netprims::fd::{Epoll, EventFd, Events, Interest};
use netprims::socket::{Steering, TcpBuilder, TcpListener, TcpStream};
use netprims::tuning::Tuning;
use nix::errno::Errno;
use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::unistd::Pid;

/// An echo service with a listener for each CPU.
#[derive(Parser)]
struct Args {
    /// Where to listen
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// How many threads; default: one for each CPU this process may use
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    shards: Option<u16>,
    /// End after so many connections are done; default: never
    #[arg(long, value_name = "N")]
    connections: Option<u64>,
}

fn main() -> Result<()> {
    let args = Args::parse();
    let cpus = cpus()?;
    let shards = args.shards.map_or(cpus.len(), usize::from);
    let builder = TcpBuilder::new().tuning(Tuning::low_latency());
    let (group, reports) = builder.listen_group(args.listen, shards, Steering::Cpu)?;
    println!("listening on {}", group[0].local_addr()?);
    println!("{}", reports[0]);

    let service = Service {
        stop: EventFd::new()?,
        left: AtomicU64::new(args.connections.unwrap_or(u64::MAX)),
    };
    thread::scope(|scope| {
        let threads: Vec<_> = group
            .members()
            .iter()
            .enumerate()
            .map(|(shard, listener)| {
                // With fewer shards than CPUs a shard serves several of them, and sits on the first.
                let cpu = cpus.iter().copied().find(|cpu| cpu % shards == shard);
                let service = &service;
                scope.spawn(move || {
                    let served = service.shard(listener, cpu);
                    // One that fails takes the others with it.
                    service.stop.add(1)?;
                    Ok::<_, anyhow::Error>((cpu, served?))
                })
            })
            .collect();
        for (shard, thread) in threads.into_iter().enumerate() {
            let Ok(result) = thread.join() else {
                bail!("shard {shard} panicked")
            };
            let (cpu, served) = result.with_context(|| format!("shard {shard}"))?;
            let place = cpu.map_or("on any CPU".to_owned(), |cpu| format!("on CPU {cpu}"));
            println!("shard {shard} {place}: {served} connections");
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

const LISTENER: u64 = 0;
const STOP: u64 = 1;
const FIRST_CONNECTION: u64 = 2;

impl Service {
    /// Serves until the service stops, and says how many connections were done.
    fn shard(&self, listener: &TcpListener, cpu: Option<usize>) -> Result<u64> {
        if let Some(cpu) = cpu {
            pin(cpu)?;
        }
        listener.set_nonblocking(true)?;
        let epoll = Epoll::new()?;
        epoll.add(listener, LISTENER, Interest::READABLE)?;
        epoll.add(&self.stop, STOP, Interest::READABLE)?;
        let mut connections = HashMap::new();
        let mut next = FIRST_CONNECTION;
        let mut done = 0;
        let mut events = Events::with_capacity(64);
        loop {
            epoll.wait(&mut events, None)?;
            for event in events.iter() {
                match event.token() {
                    STOP => return Ok(done),
                    LISTENER => {
                        while let Some(stream) = accept(listener)? {
                            epoll.add(&stream, next, Interest::READABLE)?;
                            connections.insert(next, stream);
                            next += 1;
                        }
                    }
                    token => {
                        let ended = connections
                            .get_mut(&token)
                            .is_some_and(|stream| !echo(stream));
                        if ended {
                            connections.remove(&token);
                            done += 1;
                            if self.left.fetch_sub(1, Ordering::Relaxed) == 1 {
                                self.stop.add(1)?;
                            }
                        }
                    }
                }
            }
        }
    }
}

/// The next connection that waits, if there is one.
fn accept(listener: &TcpListener) -> Result<Option<TcpStream>> {
    match listener.accept() {
        Ok((stream, _)) => {
            stream.set_nonblocking(true)?;
            Ok(Some(stream))
        }
        Err(error) if error.raw_os_error() == Some(Errno::EAGAIN as i32) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Sends back what is there; `false` once the peer has ended, is gone, or does not read what it is sent.
fn echo(stream: &mut TcpStream) -> bool {
    let mut data = [0; 4096];
    match stream.read(&mut data) {
        Ok(0) => false,
        Ok(bytes) => stream.write_all(&data[..bytes]).is_ok(),
        Err(error) => error.kind() == std::io::ErrorKind::WouldBlock,
    }
}

/// The CPUs this process may use.
fn cpus() -> Result<Vec<usize>> {
    let allowed = sched_getaffinity(Pid::from_raw(0)).context("sched_getaffinity")?;
    Ok((0..CpuSet::count())
        .filter(|cpu| allowed.is_set(*cpu).unwrap_or(false))
        .collect())
}

/// Keeps the calling thread on a CPU.
fn pin(cpu: usize) -> Result<()> {
    let mut set = CpuSet::new();
    set.set(cpu)?;
    sched_setaffinity(Pid::from_raw(0), &set).with_context(|| format!("pin to CPU {cpu}"))
}
