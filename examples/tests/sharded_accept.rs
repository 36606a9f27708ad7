//! Runs `sharded_accept`, and looks which shard took what.
#![expect(clippy::unwrap_used, reason = "a test's way to fail")]

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::thread;

use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::unistd::Pid;
use program::Program;

mod program;

fn pin(cpu: usize) {
    let mut set = CpuSet::new();
    set.set(cpu).unwrap();
    sched_setaffinity(Pid::from_raw(0), &set).unwrap();
}

fn echo(at: SocketAddr) {
    let mut stream = TcpStream::connect(at).unwrap();
    stream.write_all(b"there and back").unwrap();
    stream.shutdown(Shutdown::Write).unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    assert_eq!(text, "there and back");
}

#[test]
fn every_connection_is_served_by_the_shard_of_its_cpu() {
    const EACH: usize = 20;
    let allowed = sched_getaffinity(Pid::from_raw(0)).unwrap();
    let cpus = (0..CpuSet::count()).filter(|cpu| allowed.is_set(*cpu).unwrap());
    let cpus: Vec<usize> = cpus.take(4).collect();
    let total = (cpus.len() * EACH).to_string();
    let program = Program::start(
        env!("CARGO_BIN_EXE_sharded_accept"),
        &["--shards", "2", "--connections", &total],
    );
    let at = program.address();
    let mut want = [0; 2];
    for cpu in cpus {
        want[cpu % 2] += EACH;
        thread::scope(|scope| {
            scope.spawn(|| {
                pin(cpu);
                (0..EACH).for_each(|_| echo(at));
            });
        });
    }
    let (lines, status) = program.end();
    assert!(status.success(), "{lines:?}");
    assert!(lines.contains(&"TCP_NODELAY: on".to_owned()), "{lines:?}");
    for (shard, want) in want.iter().enumerate() {
        let begins = format!("shard {shard} on ");
        let line = lines.iter().find(|line| line.starts_with(&begins)).unwrap();
        assert!(
            line.ends_with(&format!(": {want} connections")),
            "{lines:?}"
        );
    }
}
