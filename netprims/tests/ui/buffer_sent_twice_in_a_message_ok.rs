use netprims::ring::{Ring, Socket, TxBuf, ZcPolicy};

fn twin(ring: &mut Ring, socket: Socket, buf: TxBuf, other: TxBuf) {
    let _ = ring.send_vectored(socket, &mut vec![buf, other], ZcPolicy::Always);
}

fn main() {
    let _ = twin;
}
