//! The memory as the judge of what the kernel does with it: kernel accesses are not seen by any sanitizer, so the memory
//! itself is watched.
//!
//! - `watched`: memory on a file that is mapped twice, so that a test writes and reads it past all owners.
//! - `sends`: what is in the hands of a sender's queue, with and without seeded defects.
//! - `matrix`: every order of going away × work in flight × what the peer and the kernel do, on rings that are
//!   `made` differently; `cell` has the axes, `stage` plays a cell, `going` takes it apart, `table` writes the matrix down
//!   for people.
//! - `receives`: the same for receives, which `receiving` plays.
//! - `seam`: a kernel that says anything at all.
//! - `owners`: seeded defects of who owns a slot, a mapping and a descriptor.

use std::fmt::Debug;
use std::sync::Mutex;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

mod cell;
mod going;
mod made;
mod matrix;
mod owners;
mod receives;
mod receiving;
mod seam;
mod sends;
mod stage;
mod table;
mod watched;

/// How long anything may take before that is an error. Long: a machine under load is no defect.
const PATIENCE: Duration = Duration::from_secs(60);
/// What overwrites memory that is free.
const SCRIBBLE: u8 = 0xee;

/// Those cells of a part of the matrix that this run plays: all with `LAB_FULL` set, else every fourth.
fn played<T>(cells: impl Iterator<Item = T>) -> impl Iterator<Item = T> {
    let is_full = std::env::var_os("LAB_FULL").is_some();
    cells.step_by(if is_full { 1 } else { 4 })
}

/// Plays cells of a part of the matrix, so many at a time. A part without a cell is no part.
fn play<T>(at_a_time: usize, cells: impl Iterator<Item = T> + Send, one: fn(T))
where
    T: Copy + Debug + Send + 'static,
{
    let mut cells = played(cells).peekable();
    assert!(cells.peek().is_some(), "there is nothing to play");
    let cells = Mutex::new(cells);
    let worker = || {
        loop {
            let next = cells.lock().unwrap().next();
            let Some(cell) = next else { break };
            let name = format!("{cell:?}");
            let judged = watched_over(&name, move || one(cell));
            assert!(judged.is_ok(), "{name}");
        }
    };
    thread::scope(|scope| {
        for _ in 0..at_a_time {
            scope.spawn(worker);
        }
    });
}

/// Runs a body on a thread of its own, fails if it has not ended after that long, and says whether it panicked.
fn watched_over(what: &str, body: impl FnOnce() + Send + 'static) -> thread::Result<()> {
    let (done, ended) = mpsc::channel::<()>();
    let thread = thread::spawn(move || {
        body();
        drop(done);
    });
    // Nothing is sent: the other end goes when the body is over, however it ends.
    let waited: Result<(), _> = ended.recv_timeout(2 * PATIENCE);
    assert_eq!(
        waited,
        Err(RecvTimeoutError::Disconnected),
        "{what}: blocked"
    );
    thread.join()
}
