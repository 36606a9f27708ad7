//! The lab's agent: the one program the guest runs. It sets the machine up, does the job the host
//! left in the shared folder, and reports over a serial port of its own.

mod command;
mod klog;
mod port;
mod setup;
mod tests;

use anyhow::{Context, Result};
use klog::KernelLog;
use lab::{Event, Job, SHARE, Work};
use port::EventPort;
use tests::Machine;

fn main() {
    let events = match EventPort::open() {
        Ok(events) => events,
        Err(error) => return eprintln!("lab: {error:#}"),
    };
    events.keep_alive();
    let why = match work(&events) {
        Ok(()) => None,
        Err(error) => Some(format!("{error:#}")),
    };
    if let Some(why) = why {
        events.send(&Event::Broken { why });
    }
    events.send(&Event::Done);
}

fn work(events: &EventPort) -> Result<()> {
    let path = format!("{SHARE}/job.json");
    let text = std::fs::read_to_string(&path).with_context(|| format!("read {path}"))?;
    let job: Job = serde_json::from_str(&text).context("understand the job")?;
    let mut log = KernelLog::open()?;
    let missing = setup::prepare(&job)?;
    events.send(&Event::Up {
        release: setup::release()?,
        uptime_ms: setup::uptime_ms()?,
        missing,
        log: log.fatal_lines(&job.fatal_log),
    });
    match &job.work {
        Work::Command {
            argv,
            cwd,
            deadline_s,
        } => {
            let code = command::run(argv, cwd, *deadline_s, &mut log, &job.fatal_log)?;
            events.send(&Event::Exited { code });
        }
        Work::Shell { cwd } => {
            let code = command::shell(cwd)?;
            events.send(&Event::Exited { code });
        }
        Work::Tests { cases, full } => {
            let machine = Machine {
                full: *full,
                log: &mut log,
                fatal: &job.fatal_log,
                events,
            };
            tests::run(cases, machine)?;
        }
    }
    Ok(())
}
