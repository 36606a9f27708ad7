use netprims::ring::{Ring, Socket, TxBuf, ZcPolicy};

fn misuse(ring: &mut Ring, socket: Socket, mut buf: TxBuf) {
    let _ = ring.send(socket, buf, ZcPolicy::Always);
    buf[0] = 1;
}

fn main() {
    let _ = misuse;
}
