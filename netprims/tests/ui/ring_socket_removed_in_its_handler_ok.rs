use netprims::ring::{Ring, Socket, Wait};

fn twin(ring: &mut Ring, socket: Socket) {
    let _ = ring.poll(Wait::No, |_| ());
    let _ = ring.remove(socket);
}

fn main() {
    let _ = twin;
}
