use std::net::UdpSocket;

use netprims::datagram::ReceiveBatch;

fn misuse(batch: &mut ReceiveBatch, socket: &UdpSocket) -> netprims::Result<usize> {
    let first = batch.receive(socket)?;
    let second = batch.receive(socket)?;
    Ok(first.len() + second.len())
}

fn main() {
    let _ = misuse;
}
