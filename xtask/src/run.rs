//! Running other programs and saying in one line what went wrong.

use anyhow::{Context, Result, bail};
use std::process::{Command, Output, Stdio};

/// Runs a command quietly; on failure the error carries the line of its output that says why.
pub(crate) fn quiet(command: &mut Command) -> Result<Output> {
    let name = name(command);
    let output = command
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("cannot run {name}"))?;
    if !output.status.success() {
        bail!("{name}: {}", reason(&output));
    }
    Ok(output)
}

/// Runs a command quietly and returns what it printed.
pub(crate) fn text(command: &mut Command) -> Result<String> {
    let output = quiet(command)?;
    String::from_utf8(output.stdout).with_context(|| format!("{} printed no text", name(command)))
}

/// Runs a command with its output shown; fails if it fails.
pub(crate) fn shown(command: &mut Command) -> Result<()> {
    let name = name(command);
    let status = command
        .status()
        .with_context(|| format!("cannot run {name}"))?;
    if !status.success() {
        bail!("{name} failed ({status})");
    }
    Ok(())
}

/// A command as a person would type it, without the environment.
pub(crate) fn name(command: &Command) -> String {
    let program = command.get_program().to_string_lossy().into_owned();
    let short = program.rsplit('/').next().unwrap_or(&program).to_owned();
    let args = command.get_args().map(|a| a.to_string_lossy().into_owned());
    let words: Vec<String> = std::iter::once(short).chain(args.take(4)).collect();
    words.join(" ")
}

/// The line that says why: the last that speaks of an error, else the last one.
fn reason(output: &Output) -> String {
    let text = [&output.stderr[..], &output.stdout[..]].concat();
    let text = String::from_utf8_lossy(&text);
    let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let telling = |line: &&str| {
        line.starts_with("E: ") || line.starts_with("error") || line.contains(": error:")
    };
    let last = text.lines().map(str::trim).rfind(|line| !line.is_empty());
    match lines.find(telling).or(last) {
        Some(line) => line.to_owned(),
        None => format!("failed without a word ({})", output.status),
    }
}
