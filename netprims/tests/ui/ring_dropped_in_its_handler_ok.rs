use netprims::ring::{Ring, Wait};

fn twin(mut ring: Ring) {
    let _ = ring.poll(Wait::No, |_| ());
    drop(ring);
}

fn main() {
    let _ = twin;
}
