//! An echo server on std's sockets and epoll, level-triggered.

use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;

use bench_peers::{ROOM, given};
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};

fn main() -> io::Result<()> {
    let (listener, connections) = given()?;
    let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
    let mut streams: Vec<TcpStream> = Vec::with_capacity(connections);
    for id in 0..connections {
        let (stream, _) = listener.accept()?;
        stream.set_nonblocking(true)?;
        epoll.add(&stream, EpollEvent::new(EpollFlags::EPOLLIN, id as u64))?;
        streams.push(stream);
    }
    let mut open = connections;
    let mut events = vec![EpollEvent::empty(); connections];
    let mut buffer = [0; ROOM];
    while open > 0 {
        let count = epoll.wait(&mut events, EpollTimeout::NONE)?;
        for event in &events[..count] {
            let mut stream = &streams[event.data() as usize];
            match stream.read(&mut buffer) {
                Ok(0) => {
                    epoll.delete(stream)?;
                    open -= 1;
                }
                // 64 bytes at a time never fill a socket's buffer.
                Ok(bytes) => stream.write_all(&buffer[..bytes])?,
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
        }
    }
    Ok(())
}
