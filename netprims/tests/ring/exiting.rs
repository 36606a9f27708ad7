//! A process that ends with work in flight: the peer gets what was sent, and nothing of what became of the memory.

use std::io::{BufRead, BufReader, Read};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use netprims::ring::{Event, Ring, RxPlan, Wait, ZcPolicy};
use rstest::rstest;
use socket2::SockRef;

use super::PATIENCE;
use crate::again;

/// The way a child shall end and the address it shall send to.
const INSIDE: &str = "NETPRIMS_TEST_RING_EXITS";
const SLOT: usize = 1 << 16;
const SLOTS: u32 = 8;

#[rstest]
fn what_is_in_flight_when_a_process_ends_arrives_as_it_was(
    #[values("exits", "returns", "panics", "aborts", "is killed")] how: &str,
    #[values(ZcPolicy::Always, ZcPolicy::Never)] policy: ZcPolicy,
) {
    if let Ok(address) = std::env::var(INSIDE) {
        return send_and_end(how, policy, address.parse().unwrap());
    }
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    SockRef::from(&listener).set_recv_buffer_size(4096).unwrap();
    let mut child = start(listener.local_addr().unwrap());
    let (mut far, _) = listener.accept().unwrap();
    let sent = sent(&mut child);
    if how == "is killed" {
        child.kill().unwrap();
    }
    let status = ended(&mut child);
    assert_eq!(
        status.success(),
        ["exits", "returns"].contains(&how),
        "{status}"
    );
    // Pages that were the child's and are free are used again.
    let others = vec![0xee_u8; 64 << 20];
    far.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut received = Vec::new();
    far.read_to_end(&mut received).unwrap();
    drop(others);
    assert!(received.len() >= sent, "{} of {sent} came", received.len());
    let wrong = received
        .iter()
        .enumerate()
        .filter(|(at, byte)| **byte != text(*at));
    assert_eq!(wrong.count(), 0);
}

/// This test again, in a process of its own.
fn start(address: SocketAddr) -> Child {
    let thread = std::thread::current();
    let mut sh = Command::new("sh");
    sh.args(["-c", "ulimit -c 0; exec \"$@\"", "sh"]);
    again::start(&mut sh, thread.name().unwrap())
        .env(INSIDE, address.to_string())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// How many bytes a child says it has sent.
fn sent(child: &mut Child) -> usize {
    let lines = BufReader::new(child.stdout.as_mut().unwrap()).lines();
    let mut told = lines.map_while(Result::ok).filter_map(|line| {
        let (_, number) = line.split_once("sent: ")?;
        number.parse().ok()
    });
    told.next().unwrap()
}

fn ended(child: &mut Child) -> ExitStatus {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return status;
        }
        if Instant::now() > deadline {
            child.kill().unwrap();
            panic!("it never ended");
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// In the child: sends more than the peer takes, receives what will not come, and ends.
fn send_and_end(how: &str, policy: ZcPolicy, address: SocketAddr) {
    let near = TcpStream::connect(address).unwrap();
    SockRef::from(&near).set_send_buffer_size(1 << 17).unwrap();
    let mut ring = Ring::builder().build().unwrap();
    let pool = ring.tx_pool(SLOTS, 1 << 16).unwrap();
    let rx_pool = ring.rx_pool(&RxPlan::new(4, 4096)).unwrap();
    let socket = ring.add(near).unwrap();
    ring.receive(socket, &rx_pool).unwrap();
    let (mut given, mut sent) = (0, 0);
    while given == sent && given < 8 * SLOT {
        let mut buf = pool.take().unwrap();
        buf.iter_mut()
            .zip(given..)
            .for_each(|(byte, at)| *byte = text(at));
        given += buf.len();
        ring.send(socket, buf, policy).unwrap();
        // Whether one more would be sent a moment later makes no difference.
        ring.poll(Wait::AtMost(Duration::from_millis(20)), |event| {
            if let Event::Sent { result, .. } = event {
                sent += result.unwrap();
            }
        })
        .unwrap();
    }
    assert!(ring.in_flight() > 1, "nothing is in flight: no test");
    println!("sent: {sent}");
    match how {
        "exits" => std::process::exit(0),
        "returns" => {}
        "aborts" => std::process::abort(),
        "panics" => panic!("with a ring on the stack"),
        _ => std::thread::sleep(PATIENCE),
    }
}

fn text(at: usize) -> u8 {
    u8::try_from(at % 199).unwrap()
}
