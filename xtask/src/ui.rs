//! What a person sees while something takes long.

use crate::interrupt;
use anyhow::Result;
use indicatif::{ProgressBar, ProgressStyle};
use std::time::{Duration, Instant};

/// Runs one step under a spinner and says how long it took.
pub(crate) fn step<T>(what: &str, run: impl FnOnce() -> Result<T>) -> Result<T> {
    telling_step(what, |_| run())
}

/// As [`step`], with a way to say something meanwhile.
pub(crate) fn telling_step<T>(
    what: &str,
    run: impl FnOnce(&dyn Fn(&str)) -> Result<T>,
) -> Result<T> {
    interrupt::check()?;
    let began = Instant::now();
    let bar = ProgressBar::new_spinner().with_message(what.to_owned());
    bar.enable_steady_tick(Duration::from_millis(120));
    let result = run(&|said| bar.suspend(|| eprintln!("  {what}: {said}")));
    bar.finish_and_clear();
    if result.is_ok() {
        eprintln!("  {what}: {:.1} s", began.elapsed().as_secs_f64());
    }
    result
}

/// A bar over bytes.
pub(crate) fn bytes_bar(what: &str, total: u64) -> ProgressBar {
    let style = "{msg} {bar:30} {bytes}/{total_bytes} {bytes_per_sec} {eta}";
    let style =
        ProgressStyle::with_template(style).unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(total)
        .with_style(style)
        .with_message(what.to_owned())
}

/// Prints rows as columns wide enough for their longest cell.
pub(crate) fn table(rows: &[Vec<String>]) {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    for row in rows {
        let cells = row.iter().zip(&widths);
        let line: Vec<String> = cells
            .map(|(cell, width)| format!("{cell:width$}"))
            .collect();
        println!("  {}", line.join("  ").trim_end());
    }
}
