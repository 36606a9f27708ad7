use netprims::ring::{Ring, Socket, TxBuf, ZcPolicy};

fn twin(ring: &mut Ring, socket: Socket, buf: TxBuf) {
    if let Err(rejected) = ring.send(socket, buf, ZcPolicy::Always) {
        let _ = ring.send(socket, rejected.buf, ZcPolicy::Always);
    }
}

fn main() {
    let _ = twin;
}
