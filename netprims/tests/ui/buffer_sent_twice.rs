use netprims::ring::{Ring, Socket, TxBuf, ZcPolicy};

fn misuse(ring: &mut Ring, socket: Socket, buf: TxBuf) {
    let _ = ring.send(socket, buf, ZcPolicy::Always);
    let _ = ring.send(socket, buf, ZcPolicy::Always);
}

fn main() {
    let _ = misuse;
}
