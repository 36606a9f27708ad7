use netprims::ring::{Ring, Socket, TxBuf, ZcPolicy};

fn twin(ring: &mut Ring, socket: Socket, mut buf: TxBuf) {
    buf[0] = 1;
    let _ = ring.send(socket, buf, ZcPolicy::Always);
}

fn main() {
    let _ = twin;
}
