//! Interoperation with rdma-core's `ibv_rc_pingpong`.

use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use lab_tests::{Lab, Rxe, gate};
use rstest::rstest;

/// A program of either side; killed when dropped.
struct Program(Child);

impl Program {
    fn start(command: &mut Command) -> Self {
        Program(
            command
                .stdout(Stdio::piped())
                .stderr(Stdio::inherit())
                .spawn()
                .unwrap(),
        )
    }

    /// Waits for the first line, which a server prints when clients may come.
    fn first_line(&mut self) {
        let mut line = String::new();
        let out = self.0.stdout.as_mut().unwrap();
        let mut byte = [0];
        while !line.ends_with('\n') && out.read(&mut byte).unwrap() == 1 {
            line.push(char::from(byte[0]));
        }
        assert!(line.contains("local address"), "{line}");
    }

    /// Its output, once it has ended well.
    fn finish(mut self) -> String {
        let mut lines = Vec::new();
        for line in BufReader::new(self.0.stdout.take().unwrap()).lines() {
            lines.push(line.unwrap());
        }
        let text = lines.join("\n");
        let status = self.0.wait().unwrap();
        assert!(status.success(), "{status}: {text}");
        text
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn ours(program: &Path, rxe: &Rxe, size: u32, iters: u32) -> Command {
    let mut command = Command::new(program);
    arguments(&mut command, rxe, size, iters);
    command
}

fn theirs(rxe: &Rxe, size: u32, iters: u32) -> Command {
    let mut command = Command::new("ibv_rc_pingpong");
    arguments(&mut command, rxe, size, iters);
    command
}

fn arguments(command: &mut Command, rxe: &Rxe, size: u32, iters: u32) {
    let (size, iters, gid) = (
        size.to_string(),
        iters.to_string(),
        rxe.gid_index().to_string(),
    );
    command.args([
        "-d",
        rxe.device(),
        "-g",
        &gid,
        "-s",
        &size,
        "-n",
        &iters,
        "-c",
    ]);
}

/// What both kinds print in the end.
fn timing(text: &str) {
    assert!(
        text.contains("usec/iter") && text.contains("Mbit/sec"),
        "{text}"
    );
}

fn checked(text: &str, size: u32, iters: u32) {
    let bytes = u64::from(size) * u64::from(iters);
    assert!(
        text.contains(&format!("{iters} messages checked, {bytes} bytes right")),
        "{text}"
    );
    timing(text);
}

fn volume(lab: &Lab, size: u32) -> u32 {
    if size > 100_000 {
        lab.volume(5, 100)
    } else {
        lab.volume(50, 2000)
    }
}

#[rstest]
#[case(1)]
#[case(4096)]
#[case(1 << 20)]
fn our_client_plays_with_rdma_cores_server(#[case] size: u32) {
    gate(|lab| {
        let rxe = lab.rxe();
        let iters = volume(lab, size);
        let server = Program::start(&mut theirs(&rxe, size, iters));
        // The client waits for the server by itself.
        let mut client = ours(&lab.program("rc_pingpong"), &rxe, size, iters);
        let client = Program::start(client.arg(rxe.address().to_string()));
        checked(&client.finish(), size, iters);
        let said = server.finish();
        assert!(!said.contains("invalid data"), "{said}");
        timing(&said);
    });
}

#[rstest]
#[case(1)]
#[case(4096)]
#[case(1 << 20)]
fn rdma_cores_client_plays_with_our_server(#[case] size: u32) {
    gate(|lab| {
        let rxe = lab.rxe();
        let iters = volume(lab, size);
        let mut server = Program::start(&mut ours(&lab.program("rc_pingpong"), &rxe, size, iters));
        server.first_line();
        let mut client = theirs(&rxe, size, iters);
        let client = Program::start(client.arg(rxe.address().to_string()));
        timing(&client.finish());
        checked(&server.finish(), size, iters);
    });
}

#[rstest]
#[case(1)]
#[case(4096)]
#[case(1 << 20)]
fn both_sides_ours(#[case] size: u32) {
    gate(|lab| {
        let rxe = lab.rxe();
        let iters = volume(lab, size);
        // Asked for once: it is a copy, and cannot be made again while it runs.
        let program = lab.program("rc_pingpong");
        let mut client = ours(&program, &rxe, size, iters);
        let client = Program::start(client.arg(rxe.address().to_string()));
        let server = Program::start(&mut ours(&program, &rxe, size, iters));
        checked(&client.finish(), size, iters);
        checked(&server.finish(), size, iters);
    });
}

#[test]
fn a_payload_that_is_not_the_expected_one_fails_the_server() {
    gate(|lab| {
        let rxe = lab.rxe();
        let mut command = ours(&lab.program("rc_pingpong"), &rxe, 4096, 20);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut server = Program(command.spawn().unwrap());
        server.first_line();
        // Without -c, the C client marks no pages. It waits for ever for a server that has left.
        let mut client = Command::new("ibv_rc_pingpong");
        let gid = rxe.gid_index().to_string();
        client.args(["-d", rxe.device(), "-g", &gid, "-s", "4096", "-n", "20"]);
        let _client = Program::start(client.arg(rxe.address().to_string()));
        let mut said = String::new();
        server
            .0
            .stderr
            .take()
            .unwrap()
            .read_to_string(&mut said)
            .unwrap();
        assert_eq!(server.0.wait().unwrap().code(), Some(1));
        assert!(
            said.contains("message 0 is wrong at byte 0 of 4096"),
            "{said}"
        );
    });
}
