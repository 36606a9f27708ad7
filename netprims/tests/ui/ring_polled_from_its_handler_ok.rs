use netprims::ring::{Ring, Wait};

fn twin(ring: &mut Ring) {
    let _ = ring.poll(Wait::No, drop);
    let _ = ring.poll(Wait::No, drop);
}

fn main() {
    let _ = twin;
}
