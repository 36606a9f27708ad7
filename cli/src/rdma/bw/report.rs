//! What was measured.

use std::time::Duration;

use anyhow::Result;
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;

use super::{Load, Moved, Operation};
use crate::interrupt;
use crate::rdma::peer::VERSION;
use crate::rdma::source::Source;

/// The name of what `--json` prints.
const SCHEMA: &str = "netprims.rdma.bw";

/// What `--json` prints.
#[derive(Serialize)]
struct Report<'a> {
    schema: &'static str,
    version: u32,
    peer: &'a str,
    operation: Operation,
    size: u32,
    depth: u32,
    /// What this side has moved.
    own: Rate,
    /// What the other side has.
    theirs: Rate,
    interrupted: bool,
}

/// What one side has moved, and how fast. A megabyte is 10^6 bytes.
#[derive(Serialize)]
struct Rate {
    messages: u64,
    bytes: u64,
    seconds: f64,
    megabytes_per_second: f64,
    messages_per_second: f64,
}

impl Rate {
    fn new(moved: Moved, size: u32) -> Self {
        let bytes = moved.messages.saturating_mul(u64::from(size));
        let seconds = Duration::from_nanos(moved.nanos).as_secs_f64();
        let per_second = |count: u64| match seconds > 0.0 && count > 0 {
            // A microsecond for each, which is exact where a number could not be.
            true => Duration::from_micros(count).as_secs_f64() * 1e6 / seconds,
            false => 0.0,
        };
        Rate {
            messages: moved.messages,
            bytes,
            seconds,
            megabytes_per_second: per_second(bytes) / 1e6,
            messages_per_second: per_second(moved.messages),
        }
    }
}

/// Prints it.
pub(super) fn report(
    source: &Source,
    load: &Load,
    peer: &str,
    own: Moved,
    theirs: Moved,
) -> Result<()> {
    let (own, theirs) = (Rate::new(own, load.size), Rate::new(theirs, load.size));
    let interrupted = interrupt::check();
    if source.json {
        let report = Report {
            schema: SCHEMA,
            version: VERSION,
            peer,
            operation: load.operation,
            size: load.size,
            depth: load.depth,
            own,
            theirs,
            interrupted: interrupted.is_err(),
        };
        println!("{}", serde_json::to_string_pretty(&report)?);
    } else {
        let words = match load.operation {
            Operation::Write => "written to",
            Operation::Read => "read from",
            Operation::Send => "sent to",
        };
        let lines = [
            (format!("{words} {peer}"), own),
            (format!("by {peer}"), theirs),
        ];
        for (what, rate) in lines.iter().filter(|(_, rate)| rate.messages > 0) {
            println!(
                "{what}: {} messages of {} bytes in {:.2} s: {:.2} MB/s, {:.0} messages/s",
                rate.messages,
                load.size,
                rate.seconds,
                rate.megabytes_per_second,
                rate.messages_per_second
            );
        }
    }
    interrupted
}

/// Shown on a terminal only.
pub(super) fn bar(load: &Load) -> ProgressBar {
    let style = ProgressStyle::with_template("{bar:30} {pos} of {len} s, {msg}");
    let bar = ProgressBar::new(load.seconds);
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    bar
}

pub(super) fn advance(bar: &ProgressBar, load: &Load, elapsed: Duration, messages: u64) {
    let moved = Moved {
        messages,
        nanos: u64::try_from(elapsed.as_nanos()).unwrap_or(u64::MAX),
    };
    let rate = Rate::new(moved, load.size);
    bar.set_position(elapsed.as_secs());
    bar.set_message(format!("{:.2} MB/s", rate.megabytes_per_second));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_megabyte_is_a_million_bytes() {
        let moved = Moved {
            messages: 3000,
            nanos: 1_500_000_000,
        };
        let rate = Rate::new(moved, 1000);
        assert_eq!((rate.bytes, rate.messages), (3_000_000, 3000));
        assert!((rate.megabytes_per_second - 2.0).abs() < 1e-9);
        assert!((rate.messages_per_second - 2000.0).abs() < 1e-9);
        let nothing = Rate::new(Moved::default(), 1000);
        assert!(nothing.messages_per_second.abs() < 1e-9);
    }
}
