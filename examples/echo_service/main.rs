//! An echo service that is told by a file how to tune its sockets, and tells what it was granted.
//!
//! ```text
//! echo_service echo.toml           serve, until it is killed
//! echo_service echo.toml --check   say what would be granted on this machine, and end: with 1 if not all of it
//! ```
//!
//! The table `[tuning]` of the file is a `Tuning<Tcp>`: an unknown name, a value that cannot be and an option that TCP
//! sockets do not have are errors that name it, before anything is opened. `echo.toml` beside this file is one to start
//! from.

mod config;

use std::io::{Read, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::thread;

use anyhow::{Context, Result};
use clap::Parser;
use config::Config;
use netprims::socket::{TcpBuilder, TcpStream};

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
    if args.check {
        return check(&config);
    }
    let mut builder = TcpBuilder::new().tuning(config.tuning);
    if let Some(backlog) = config.backlog {
        builder = builder.backlog(backlog);
    }
    let (listener, report) = builder.listen(config.listen)?;
    println!("listening on {}", listener.local_addr()?);
    println!("{report}");
    thread::scope(|scope| {
        for _ in 0..args.connections.unwrap_or(usize::MAX) {
            let (stream, peer) = listener.accept()?;
            // Accepted connections have the listener's options.
            scope.spawn(move || match echo(stream) {
                Ok(bytes) => println!("{peer}: {bytes} bytes"),
                Err(error) => println!("{peer}: {error:#}"),
            });
        }
        Ok(ExitCode::SUCCESS)
    })
}

/// Says what the file would be granted.
fn check(config: &Config) -> Result<ExitCode> {
    let report = config.tuning.check(config.kind())?;
    println!("{report}");
    let cut = config.backlog_cut()?;
    if let Some(limit) = cut {
        println!("the backlog would be cut to {limit}: net.core.somaxconn");
    }
    // What only a connection can be asked for is not known yet, and listed so.
    Ok(if report.is_granted() && cut.is_none() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
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
