use netprims::ring::{Ring, Socket, TxBuf, ZcPolicy};

fn misuse(ring: &mut Ring, socket: Socket, buf: TxBuf) {
    let _ = ring.send_vectored(socket, &mut vec![buf, buf], ZcPolicy::Always);
}

fn main() {
    let _ = misuse;
}
