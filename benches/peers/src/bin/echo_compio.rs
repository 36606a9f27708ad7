//! An echo server on compio's io_uring driver.

use std::io;

use bench_peers::{ROOM, given};
use compio::BufResult;
use compio::io::{AsyncRead, AsyncWriteExt};
use compio::net::{TcpListener, TcpStream};
use compio::runtime::{Runtime, spawn};

fn main() -> io::Result<()> {
    let (listener, connections) = given()?;
    Runtime::new()?.block_on(async {
        let listener = TcpListener::from_std(listener)?;
        let mut tasks = Vec::with_capacity(connections);
        for _ in 0..connections {
            let (stream, _) = listener.accept().await?;
            tasks.push(spawn(echo(stream)));
        }
        for task in tasks {
            task.await
                .map_err(|_| io::Error::other("a task failed"))??;
        }
        Ok(())
    })
}

async fn echo(mut stream: TcpStream) -> io::Result<()> {
    let mut buffer = Vec::with_capacity(ROOM);
    loop {
        let BufResult(read, filled) = stream.read(buffer).await;
        if read? == 0 {
            return Ok(());
        }
        let BufResult(written, mut sent) = stream.write_all(filled).await;
        written?;
        sent.clear();
        buffer = sent;
    }
}
