//! Bytes that go from descriptor to descriptor.
#![expect(clippy::unwrap_used, reason = "a test's way to fail")]

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::AsFd;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use socket2::SockRef;

#[path = "../again/mod.rs"]
mod again;
#[path = "../descriptors/mod.rs"]
mod descriptors;
mod pipe;
mod relay;
mod send_file;
mod urgent;

/// A connection with buffers that are soon full.
fn connected() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let near = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (far, _) = listener.accept().unwrap();
    for socket in [&near, &far].map(SockRef::from) {
        socket.set_send_buffer_size(1 << 16).unwrap();
        socket.set_recv_buffer_size(1 << 16).unwrap();
    }
    (near, far)
}

/// Bytes that tell where they are: a shift by less than 2³² bytes shows.
fn pattern(from: usize, len: usize) -> Vec<u8> {
    let words = (from / 4)..(from + len).div_ceil(4);
    let bytes = words.flat_map(|word| {
        u32::try_from(word)
            .unwrap()
            .wrapping_mul(0x9e37_79b1)
            .to_ne_bytes()
    });
    bytes.skip(from % 4).take(len).collect()
}

/// Reads to the end, in pieces of odd sizes and with pauses, and returns what came.
fn slow_reader(mut socket: impl Read + Send + 'static) -> JoinHandle<Vec<u8>> {
    thread::spawn(move || {
        let mut all = Vec::new();
        let mut buffer = vec![0; 100_003];
        for round in 0_usize.. {
            let len = 1 + round * 7919 % buffer.len();
            match socket.read(&mut buffer[..len]) {
                Ok(0) => break,
                Ok(count) => all.extend_from_slice(&buffer[..count]),
                Err(error) => panic!("{error} after {} bytes", all.len()),
            }
            if round % 16 == 0 {
                thread::sleep(Duration::from_micros(500));
            }
        }
        all
    })
}

/// Writes all, in pieces of odd sizes, and then ends the stream.
fn writer(mut socket: TcpStream, bytes: Vec<u8>) -> JoinHandle<()> {
    thread::spawn(move || {
        let mut rest = &bytes[..];
        for round in 0_usize.. {
            if rest.is_empty() {
                break;
            }
            let (piece, more) = rest.split_at(rest.len().min(1 + round * 6007 % 50_021));
            socket.write_all(piece).unwrap();
            rest = more;
        }
    })
}

/// Waits until a descriptor can be read or written, at most ten seconds.
fn wait_for(fd: &impl AsFd, what: PollFlags) {
    let mut fds = [PollFd::new(fd.as_fd(), what)];
    let ready = poll(&mut fds, PollTimeout::from(10_000_u16)).unwrap();
    assert_eq!(ready, 1, "nothing happened for ten seconds");
}

fn errno<T>(result: netprims::Result<T>) -> Option<i32> {
    match result {
        Ok(_) => None,
        Err(error) => error.raw_os_error(),
    }
}
