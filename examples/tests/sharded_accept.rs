//! Runs `sharded_accept`, and looks which shard took what.
#![expect(clippy::unwrap_used, reason = "a test's way to fail")]

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::process::Command;
use std::thread;
use std::time::Duration;

use netprims::socket::TcpBuilder;
use netprims::tuning::Tuning;
use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::unistd::Pid;
use program::{Program, outlives_a_lack_of_descriptors};

mod program;

const SERVICE: &str = env!("CARGO_BIN_EXE_sharded_accept");

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

/// The CPUs this process may use.
fn cpus() -> Vec<usize> {
    let allowed = sched_getaffinity(Pid::from_raw(0)).unwrap();
    let cpus = (0..CpuSet::count()).filter(|cpu| allowed.is_set(*cpu).unwrap());
    cpus.collect()
}

/// Connections made on a CPU.
fn echoes_from(cpu: usize, count: usize, at: SocketAddr) {
    thread::scope(|scope| {
        scope.spawn(|| {
            pin(cpu);
            (0..count).for_each(|_| echo(at));
        });
    });
}

#[test]
fn every_connection_is_served_by_the_shard_of_its_cpu() {
    const EACH: usize = 20;
    let cpus = cpus();
    assert!(
        cpus.len() > 1,
        "this process may use one CPU; to see connections go to the shard of their CPU takes two"
    );
    let some = &cpus[..cpus.len().min(4)];
    let total = (some.len() * EACH).to_string();
    let program = Program::start(SERVICE, &["--shards", "2", "--connections", &total]);
    let at = program.address();
    let mut want = [0; 2];
    for (place, cpu) in some.iter().enumerate() {
        want[place % 2] += EACH;
        echoes_from(*cpu, EACH, at);
    }
    let (lines, status) = program.end();
    assert!(status.success(), "{lines:?}");
    assert!(lines.contains(&"TCP_NODELAY: on".to_owned()), "{lines:?}");
    for (shard, (want, cpu)) in want.iter().zip(cpus).enumerate() {
        let line = format!("shard {shard} on CPU {cpu}: {want} connections");
        assert!(lines.contains(&line), "{line}: {lines:?}");
    }
}

/// The CPUs' numbers need not begin with 0.
#[test]
fn a_shard_sits_on_a_cpu_that_the_process_may_use() {
    let last = *cpus().last().unwrap();
    // A process inherits the CPUs of the thread that starts it.
    let started = thread::spawn(move || {
        pin(last);
        Program::start(SERVICE, &["--connections", "5"])
    });
    let program = started.join().unwrap();
    echoes_from(last, 5, program.address());
    let (lines, status) = program.end();
    assert!(status.success(), "{lines:?}");
    let line = format!("shard 0 on CPU {last}: 5 connections");
    assert!(lines.contains(&line), "{lines:?}");
}

#[test]
fn a_lack_of_descriptors_passes() {
    outlives_a_lack_of_descriptors(SERVICE, &["--shards", "1"]);
}

#[test]
fn a_peer_that_reads_late_gets_all() {
    let program = Program::start(SERVICE, &["--shards", "1", "--connections", "1"]);
    let small = Tuning::tcp().receive_buffer(4096);
    let (stream, _) = TcpBuilder::new()
        .tuning(small)
        .connect(program.address())
        .unwrap();
    let stream = TcpStream::from(stream);
    stream.set_nonblocking(true).unwrap();
    // Until nothing more is taken: then the service waits for this side to read.
    let data: Vec<u8> = (0..251).cycle().take(251 * 1000).collect();
    let mut sent = 0;
    let mut refused = 0;
    while refused < 20 {
        match (&stream).write(&data[sent % 251..]) {
            Ok(bytes) => {
                sent += bytes;
                refused = 0;
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                refused += 1;
                thread::sleep(Duration::from_millis(10));
            }
            Err(error) => panic!("after {sent} bytes: {error}"),
        }
    }
    stream.set_nonblocking(false).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_secs(60)))
        .unwrap();
    stream.shutdown(Shutdown::Write).unwrap();
    let mut back = Vec::new();
    (&stream).read_to_end(&mut back).unwrap();
    assert_eq!(back.len(), sent);
    assert!(
        back.iter()
            .zip((0..251).cycle())
            .all(|(got, want)| *got == want)
    );
    drop(stream);
    let (lines, status) = program.end();
    assert!(status.success(), "{lines:?}");
}

#[test]
fn what_cannot_be_is_refused() {
    let more = (cpus().len() + 1).to_string();
    for (arguments, named) in [
        (["--connections", "0"], "--connections"),
        (["--shards", "0"], "--shards"),
        (["--shards", &more], "a member without a CPU"),
    ] {
        let output = Command::new(SERVICE).args(arguments).output().unwrap();
        let error = String::from_utf8(output.stderr).unwrap();
        assert!(!output.status.success() && error.contains(named), "{error}");
    }
}
