//! Ping-pong over a reliable connection: `rc_pingpong` against rdma-core's `ibv_rc_pingpong`.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use clap::Args;

use crate::peer::Peer;
use crate::row::{Measure, Row};
use crate::scratch::Scratch;
use crate::stats::{Ratio, median};
use crate::syscalls;

/// The most that ours may take, as a multiple of the peer's time: the interval's lower bound must
/// not lie above it.
const TIME_GOAL: f64 = 1.05;
/// System calls per iteration must be equal, to two decimals.
const SYSCALL_GOAL: f64 = 1.0;

#[derive(Args)]
pub(crate) struct Options {
    /// Our program
    #[arg(long, value_name = "PATH")]
    ours: PathBuf,
    /// rdma-core's program
    #[arg(long, value_name = "PATH", default_value = "ibv_rc_pingpong")]
    peer: PathBuf,
    /// RDMA device
    #[arg(long, default_value = "rxe0")]
    device: String,
    /// Index of its RoCE v2 GID
    #[arg(long, default_value_t = 1)]
    gid_index: u32,
    /// An address of this machine, for the client
    #[arg(long, default_value = "127.0.0.1")]
    address: String,
    /// How many times each side is measured
    #[arg(long, default_value_t = 15)]
    pairs: u32,
    /// Messages each way per measurement
    #[arg(long, default_value_t = 1000)]
    iters: u32,
    /// Bytes per message
    #[arg(long, default_value_t = 4096)]
    size: u32,
}

/// System calls per iteration, both sides of a ping-pong together.
struct Calls {
    ours: f64,
    peer: f64,
}

impl Calls {
    fn count(options: &Options) -> Result<Self> {
        let scratch = Scratch::new()?;
        let calls = |program| {
            syscalls::per_iteration(|iters| options.program(program, iters), scratch.path())
        };
        Ok(Calls {
            ours: calls(&options.ours)?,
            peer: calls(&options.peer)?,
        })
    }

    fn are_equal(&self) -> bool {
        (self.ours - self.peer).abs() < 0.005
    }
}

/// System calls alone.
pub(crate) fn syscalls(options: &Options) -> Result<Vec<Row>> {
    let calls = Calls::count(options)?;
    Ok(vec![Row {
        name: String::from("verbs-syscalls"),
        ours: calls.ours,
        peer: calls.peer,
        peer_name: options.peer_name(),
        measure: Measure::Ratio,
        result: calls.ours / calls.peer,
        goal: SYSCALL_GOAL,
        holds: calls.are_equal(),
    }])
}

/// Time, which holds only if the system calls are equal, too.
pub(crate) fn run(options: &Options) -> Result<Vec<Row>> {
    ensure!(
        options.pairs >= 15,
        "fewer than 15 pairs make too wide an interval"
    );
    let calls = Calls::count(options)?;
    let ours = options.program(&options.ours, options.iters);
    let peer = options.program(&options.peer, options.iters);
    // The first runs load programs and modules; they do not count.
    measure(&ours)?;
    measure(&peer)?;
    let mut pairs = Vec::new();
    for n in 0..options.pairs {
        // Which of the two comes first changes, too.
        let pair = if n % 2 == 0 {
            let ours = measure(&ours)?;
            (ours, measure(&peer)?)
        } else {
            let peer = measure(&peer)?;
            (measure(&ours)?, peer)
        };
        let (count, (a, b)) = (options.pairs, pair);
        eprintln!("pair {}/{count}: ours {a:.2}, peer {b:.2} usec/iter", n + 1);
        pairs.push(pair);
    }
    let ratio = Ratio::of_pairs(&pairs);
    let (our_times, peer_times): (Vec<f64>, Vec<f64>) = pairs.into_iter().unzip();
    let Ratio { mean, low, high } = ratio;
    println!(
        "verbs-pingpong: {} pairs of {} × {} bytes; medians {:.2} (ours) and {:.2} (peer) \
         usec/iter; ratio {mean:.3}, 95 % interval {low:.3} to {high:.3}; system calls per \
         iteration, both sides: {:.2} (ours) and {:.2} (peer)",
        options.pairs,
        options.iters,
        options.size,
        median(&our_times),
        median(&peer_times),
        calls.ours,
        calls.peer
    );
    Ok(vec![Row {
        name: String::from("verbs-pingpong"),
        ours: median(&our_times),
        peer: median(&peer_times),
        peer_name: options.peer_name(),
        measure: Measure::Ratio,
        result: mean,
        goal: TIME_GOAL,
        holds: low <= TIME_GOAL && calls.are_equal(),
    }])
}

impl Options {
    fn program(&self, program: &Path, iters: u32) -> Peer {
        let (gid, size, iters) = (
            self.gid_index.to_string(),
            self.size.to_string(),
            iters.to_string(),
        );
        let arguments = ["-d", &self.device, "-g", &gid, "-s", &size, "-n", &iters];
        Peer {
            program: program.to_owned(),
            arguments: arguments.map(OsString::from).to_vec(),
            address: self.address.clone(),
            tcp_port: 18515,
        }
    }

    fn peer_name(&self) -> String {
        let name = self.peer.file_name().unwrap_or(self.peer.as_os_str());
        name.to_string_lossy().into_owned()
    }
}

fn measure(peer: &Peer) -> Result<f64> {
    let said = peer.run([&[], &[]])?;
    usec_per_iter(&said).with_context(|| format!("no usec/iter in: {said}"))
}

/// The figure in `N iters in S seconds = U usec/iter`.
fn usec_per_iter(said: &str) -> Option<f64> {
    let line = said
        .lines()
        .find_map(|line| line.strip_suffix(" usec/iter"))?;
    line.rsplit(' ').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_figure_is_found_in_what_either_program_prints() {
        let said = "  local address:  LID 0x0000\n819200 bytes in 0.70 seconds = 9.37 Mbit/sec\n\
            100 iters in 0.70 seconds = 6993.13 usec/iter\n100 messages checked, 9 bytes right\n";
        assert_eq!(usec_per_iter(said), Some(6993.13));
        assert_eq!(usec_per_iter("Couldn't connect"), None);
    }
}
