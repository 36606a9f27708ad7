//! Running other programs and saying in one line what went wrong.

use anyhow::{Context, Result, bail};
use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// A program to run, found where administrators' programs are too: a user's PATH may lack those.
pub(crate) fn program(name: &str) -> Command {
    Command::new(find(name).unwrap_or_else(|| PathBuf::from(name)))
}

/// Where a program is.
pub(crate) fn find(name: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let mut folders = env::split_paths(&path).collect::<Vec<_>>();
    folders.extend(["/usr/sbin", "/sbin"].map(PathBuf::from));
    let files = folders.iter().map(|folder| folder.join(name));
    files.into_iter().find(|file| file.is_file())
}

/// The cargo this program was started by, in the checkout.
pub(crate) fn cargo(checkout: &Path) -> Command {
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    // What is built is run where it was built to be found: under the plain target folder.
    cargo.env_remove("CARGO_BUILD_TARGET").current_dir(checkout);
    cargo
}

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
    // A script is no name.
    let args = args.take(4).take_while(|argument| !argument.contains('\n'));
    let words: Vec<String> = std::iter::once(short).chain(args).collect();
    words.join(" ")
}

/// The line that says why: the first that speaks of an error, else the last one.
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
