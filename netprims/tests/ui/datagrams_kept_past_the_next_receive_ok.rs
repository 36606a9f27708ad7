use std::net::UdpSocket;

use netprims::datagram::ReceiveBatch;

fn twin(batch: &mut ReceiveBatch, socket: &UdpSocket) -> netprims::Result<usize> {
    let first = batch.receive(socket)?.len();
    let second = batch.receive(socket)?.len();
    Ok(first + second)
}

fn main() {
    let _ = twin;
}
