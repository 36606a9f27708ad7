//! An echo service that is told by a file how to tune its sockets, and tells what it was granted.
//!
//! ```text
//! echo_service echo.toml           serve, until it is killed
//! echo_service echo.toml --check   say what would be granted on this machine, and end: with 1 if not all of it
//! ```
//!
//! Accepted connections have the listener's options. Those that only a connection can be asked for, such as `ulp`, are asked
//! of each of them: they are listed in the report, and do not count for `--check` or a strict tuning.
//!
//! The table `[tuning]` of the file is a `Tuning<Tcp>`: an unknown name, a value that cannot be and an option that TCP
//! sockets do not have are errors that name it, before anything is opened. `echo.toml` beside this file is one to start
//! from.

#[path = "../accept_error.rs"]
mod accept_error;
mod config;

use std::io::{Read, Write};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::thread;

use accept_error::{AcceptError, PAUSE};
use anyhow::{Context, Result, bail};
use clap::Parser;
use config::Config;
use netprims::socket::{TcpBuilder, TcpListener, TcpStream};
use netprims::tuning::{Cause, Difference, Tcp, Tuning};

/// An echo service with its tuning from a file.
#[derive(Parser)]
struct Args {
    /// The file
    config: PathBuf,
    /// Only say what would be granted
    #[arg(long)]
    check: bool,
    /// End after so many connections are done; default: never
    #[arg(long, value_name = "N")]
    connections: Option<usize>,
}

fn main() -> Result<ExitCode> {
    let args = Args::parse();
    let config = Config::read(&args.config)?;
    // What a strict tuning makes an error of is decided here: an option that only a connection can be asked for is none
    // of the listener.
    let mut builder = TcpBuilder::new().tuning(config.tuning.strict(false));
    if let Some(backlog) = config.backlog {
        builder = builder.backlog(backlog);
    }
    let report = builder.check_listen(config.listen)?;
    let is_granted = report.differences().all(is_early);
    if args.check {
        println!("{report}");
        return Ok(if is_granted {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        });
    }
    if config.tuning.is_strict() && !is_granted {
        bail!("the tuning is strict and not granted in full:\n{report}");
    }
    let (listener, report) = builder.listen(config.listen)?;
    println!("listening on {}", listener.local_addr()?);
    println!("{report}");
    let early = report
        .differences()
        .filter(|difference| is_early(difference));
    let service = Service {
        tuning: config.tuning,
        early: early.map(Difference::option).collect(),
    };
    service.run(&listener, args.connections.unwrap_or(usize::MAX))?;
    Ok(ExitCode::SUCCESS)
}

/// Whether it is for the accepted connections to ask for.
fn is_early(difference: &Difference) -> bool {
    matches!(difference.cause(), Cause::TooEarly { .. })
}

struct Service {
    tuning: Tuning<Tcp>,
    /// The options that only a connection can be asked for.
    early: Vec<&'static str>,
}

impl Service {
    fn run(&self, listener: &TcpListener, connections: usize) -> Result<()> {
        thread::scope(|scope| {
            for _ in 0..connections {
                let (stream, peer) = next(listener)?;
                let started = thread::Builder::new().spawn_scoped(scope, move || {
                    match self.finish(&stream, peer).and_then(|()| echo(stream)) {
                        Ok(bytes) => println!("{peer}: {bytes} bytes"),
                        Err(error) => println!("{peer}: {error:#}"),
                    }
                });
                if let Err(error) = started {
                    // The connection is closed, the service goes on.
                    eprintln!("{peer}: no thread for it: {error}");
                }
            }
            Ok(())
        })
    }

    /// Asks a connection for what it did not inherit from the listener because a listener cannot have it.
    fn finish(&self, stream: &TcpStream, peer: SocketAddr) -> Result<()> {
        if self.early.is_empty() {
            return Ok(());
        }
        // The others are set already; those that a connection can no longer be asked for are not this call's matter.
        let report = self.tuning.strict(false).apply(stream)?;
        for difference in report.differences() {
            if self.early.contains(&difference.option()) {
                println!("{peer}: {difference}");
                if self.tuning.is_strict() {
                    bail!("the tuning is strict");
                }
            }
        }
        Ok(())
    }
}

/// Waits for the next connection. What concerns one connection only, or may pass, does not end the service.
fn next(listener: &TcpListener) -> Result<(TcpStream, SocketAddr)> {
    loop {
        let error = match listener.accept() {
            Ok(accepted) => return Ok(accepted),
            Err(error) => error,
        };
        match AcceptError::of(&error) {
            AcceptError::Nobody | AcceptError::OneConnection => eprintln!("accept: {error}"),
            AcceptError::Exhausted => {
                eprintln!("accept: {error}; going on in {PAUSE:?}");
                thread::sleep(PAUSE);
            }
            AcceptError::Listener => return Err(error).context("accept"),
        }
    }
}

/// Sends back all that comes, to its end.
fn echo(mut stream: TcpStream) -> Result<usize> {
    let mut data = vec![0; 1 << 16];
    let mut total = 0;
    loop {
        let bytes = stream.read(&mut data).context("read")?;
        if bytes == 0 {
            stream.close()?;
            return Ok(total);
        }
        stream.write_all(&data[..bytes]).context("write")?;
        total += bytes;
    }
}
